//! What may move between threads, and what may be shared by them.

use headwater::*;

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn unpin<T: Unpin>() {}

macro_rules! assert_all {
    ($($ty:ty),+ $(,)?) => {
        $(send::<$ty>(); sync::<$ty>(); unpin::<$ty>();)+
    };
}

macro_rules! assert_send {
    ($($ty:ty),+ $(,)?) => {
        $(send::<$ty>(); unpin::<$ty>();)+
    };
}

/// An element that is `Send`, and nothing else.
type Item = std::cell::Cell<u8>;

#[test]
fn handles_and_values_are_send_sync_and_unpin() {
    assert_all!(
        Graph,
        Source<Item>,
        WeakSource<Item>,
        Sharded<Item>,
        WeakSharded<Item>,
        Shards,
        Shared<Item>,
        Pipe<Item>,
        Head<Item>,
        Branch,
        Flush,
        Failure,
        GraphError,
        Receipt,
        Token,
        Lost,
        Time,
        Snapshot,
        NodeSnapshot,
        Counts,
        Report,
        Topology,
        TopologyNode,
        Edge,
        Label,
        NodeId,
        Site,
        Manual,
        Driving,
        Turn,
        OnFull,
        Overflow,
        Speed,
        InvalidSpeed,
        Starved,
        NotFound,
        Key<u8>,
        Nth<0>,
        Inputs,
    );
    assert_all!(
        EmitError<u8>,
        EmitAllError<u8>,
        SendError<u8>,
        List<Item>,
        TryBranch<Item>,
        TryRefBranch<Item>
    );
}

#[test]
fn sinks_of_metrics_are_send_and_what_they_hand_out_is_shared() {
    use headwater::metrics::*;
    assert_send!(
        PrintSink,
        PrintSink<std::io::Cursor<Vec<u8>>>,
        FnSink,
        FuturesSink<futures::channel::mpsc::Sender<Element>>,
    );
    assert_all!(
        LogSink,
        PrometheusSink,
        Exposition,
        ExpositionCounts,
        ExpositionFormat,
        FormatError,
    );
    #[cfg(feature = "json")]
    {
        assert_send!(JsonLinesSink);
        assert_all!(JsonFileError, JsonTime, NonFinite, Tail);
    }
}

#[test]
fn flows_are_send_and_unpin() {
    assert_send!(
        BoxFlow<Item>,
        OnError,
        Plan,
        Map<Head<Item>, fn(Item) -> Item>,
        Named<Head<Item>>,
        Buffer<Head<Item>>,
        Delay<Head<Item>>,
        Latest<Head<Item>>,
        OnIdle<Head<Item>, fn() -> Item>,
        Pace<Head<Item>, fn(&Item) -> Time>,
        FromIter<std::vec::IntoIter<Item>>,
        Zip<(Head<Item>, Head<Item>)>,
        ZipAll<Head<Item>>,
        Union<(Head<Item>, Head<Item>)>,
        CombineLatest<(Head<Item>, Head<Item>)>,
        ZipLatest<Head<Item>, (Head<Item>, Head<Item>)>,
        WithLatest<Head<Item>, Head<Item>, fn(Item, &Item) -> Item>,
    );
}

#[test]
fn the_futures_of_a_source_are_send() {
    fn is_send<T: Send>(_: &T) {}
    let source = Source::<u8>::new();
    is_send(&source.send(1));
    is_send(&source.send_tracked(1));
    let sharded = source.graph().sharded::<u8>(Shards::default());
    is_send(&sharded.flushed());
}

#[cfg(feature = "kairosdb")]
#[test]
fn the_client_of_kairosdb_is_send_sync_and_unpin() {
    use headwater::timeseries::kairosdb::*;
    assert_all!(
        Aggregator,
        Answer,
        Answered,
        BuildError,
        Comparison,
        Deviation,
        Excerpt,
        Exchange,
        Group,
        GroupBy,
        Gzip,
        Health,
        KairosDb,
        KairosDbBuilder,
        KairosError,
        KairosStore,
        Order,
        PointSink,
        Query,
        QueryMetric,
        Queued,
        RangeAggregator,
        Reason,
        Rejected,
        Relative,
        Series,
        Sifted,
        Threshold,
        TimeUnit,
        Trim,
        Unfit,
        When,
        WriteError,
    );
    assert_send!(KairosDbSink);
}

#[cfg(feature = "proficloud")]
#[test]
fn the_clients_of_proficloud_are_send_sync_and_unpin() {
    use headwater::timeseries::proficloud::*;
    assert_all!(
        CsvError,
        CsvProblem,
        Ewima,
        IoAnswer,
        IoQuery,
        IoSeries,
        IoStore,
        MetricsCsv,
        Millis,
        NamedMetric,
        ProficloudError,
        ProficloudIo,
        ProficloudIoBuilder,
        Step,
        TimeError,
        Token,
        TokenError,
        Tsd,
    );
}

#[cfg(feature = "tables")]
#[test]
fn tables_and_their_streams_are_send_and_sync() {
    use headwater::timeseries::*;
    assert_all!(
        Ack,
        AckedTableStream,
        Column,
        ColumnType,
        Duplicates,
        MomentError,
        Table,
        TableBuilder,
        TableError,
        TableSchema,
        TableStream,
        Tabled,
        TimeType,
        Unplaced,
        Why,
    );
}
