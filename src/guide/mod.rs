//! The guide: one page a subject, every example compiled and run.
//!
//! New here? Read [a first pipeline](first_pipeline), then [choosing an operator](choosing). Who comes
//! from another library finds each of its names in [from streamz](from_streamz),
//! [from metrix](from_metrix), [from `Iterator` and futures](from_iterator) or [from Rx](from_rx).
#![cfg_attr(
    feature = "proficloud",
    doc = "Clients of Proficloud's services come [from proficloud](from_proficloud)."
)]

#[doc = include_str!("first_pipeline.md")]
pub mod first_pipeline {}

#[doc = include_str!("sharing.md")]
pub mod sharing {}

#[doc = include_str!("windows.md")]
pub mod windows {}

#[doc = include_str!("keyed_state.md")]
pub mod keyed_state {}

#[doc = include_str!("joining.md")]
pub mod joining {}

#[doc = include_str!("pressure.md")]
pub mod pressure {}

#[doc = include_str!("errors.md")]
pub mod errors {}

#[doc = include_str!("lineage.md")]
pub mod lineage {}

#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("replay.md")]
pub mod replay {}

#[cfg(feature = "kairosdb")]
#[doc = include_str!("timeseries.md")]
#[cfg_attr(feature = "tables", doc = "\n")]
#[cfg_attr(feature = "tables", doc = include_str!("tables.md"))]
pub mod timeseries {}

#[doc = include_str!("polling.md")]
#[doc = "\n```no_run"]
#[doc = include_str!("prometheus_store.rs")]
#[doc = "```"]
pub mod polling {}

#[doc = include_str!("structs.md")]
pub mod structs {}

#[doc = include_str!("own_operators.md")]
pub mod own_operators {}

#[doc = include_str!("surgery.md")]
pub mod surgery {}

#[doc = include_str!("metrics.md")]
pub mod metrics {}

#[doc = include_str!("choosing.md")]
pub mod choosing {}

#[doc = include_str!("from_streamz.md")]
pub mod from_streamz {}

#[doc = include_str!("from_metrix.md")]
pub mod from_metrix {}

#[cfg(feature = "proficloud")]
#[doc = include_str!("from_proficloud.md")]
pub mod from_proficloud {}

#[doc = include_str!("from_iterator.md")]
pub mod from_iterator {}

#[doc = include_str!("from_rx.md")]
pub mod from_rx {}
