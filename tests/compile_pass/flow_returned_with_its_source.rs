//! A function returns a source and a flow of it.
use headwater::prelude::*;

fn doubled() -> (Source<i32>, impl Run<Item = i32>) {
    let source = Source::<i32>::new();
    let flow = source.map(|x| 2 * x);
    (source, flow)
}

#[test]
fn a_function_returns_a_source_and_a_flow_of_it() {
    let (source, flow) = doubled();
    let list = flow.map(|x| x + 1).sink_to_list();
    source.emit(3).unwrap();
    assert_eq!(list.take(), [7]);
}
