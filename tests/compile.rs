//! What must compile, and what must not, with messages that name the remedy.

#[test]
fn misuse_is_a_compile_error_that_names_the_remedy() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

#[test]
fn flows_are_values_like_any_other() {
    trybuild::TestCases::new().pass("tests/compile_pass/*.rs");
}
