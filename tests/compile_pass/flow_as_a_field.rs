//! A flow lives in a struct beside its source, without a lifetime.
use headwater::BoxFlow;
use headwater::prelude::*;

struct Sensor {
    readings: Source<f64>,
    celsius: BoxFlow<f64>,
    raw: headwater::Head<f64>,
}

impl Sensor {
    fn new(graph: &Graph) -> Sensor {
        let readings = graph.source::<f64>();
        Sensor {
            celsius: readings.map(|f| (f - 32.0) / 1.8).boxed(),
            raw: readings.into_run(),
            readings,
        }
    }
}

#[test]
fn a_flow_lives_in_a_struct_beside_its_source() {
    let graph = Graph::new();
    let sensor = Sensor::new(&graph);
    let list = sensor.celsius.zip(sensor.raw).sink_to_list();
    sensor.readings.emit(212.0).unwrap();
    assert_eq!(list.take(), [(100.0, 212.0)]);
}
