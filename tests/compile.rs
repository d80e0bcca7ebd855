//! What must compile, and what must not, with messages that name the remedy.

// Programs that must compile are modules of this test: a package of their own would be built with
// all its dependencies once more, which takes longer than all other tests.
#[path = "compile_pass/beside_other_preludes.rs"]
mod beside_other_preludes;
#[path = "compile_pass/flow_as_a_field.rs"]
mod flow_as_a_field;
#[path = "compile_pass/flow_built_in_a_loop.rs"]
mod flow_built_in_a_loop;
#[path = "compile_pass/flow_returned_with_its_source.rs"]
mod flow_returned_with_its_source;

#[test]
fn misuse_is_a_compile_error_that_names_the_remedy() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
