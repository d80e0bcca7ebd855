//! Tables as data frames of polars.

use arrow_array::Array;
use polars_core::frame::DataFrame;
use polars_core::prelude::{
    Column as Named, DataType, IntoColumn, NamedFrom, PolarsResult, Series, TimeUnit, TimeZone,
};

use super::arrays::Column;
use super::table::{Table, TimeType};

impl Table {
    /// As a data frame of [polars](https://docs.rs/polars), by its crate `polars-core` 0.55: the times as
    /// `Datetime` in milliseconds (with the time zone UTC, or without), or as `Int64`; the columns as `Int64`,
    /// `Float64` and `String`. The values are copied.
    ///
    /// # Errors
    /// What polars says. None is known for a table.
    pub fn to_polars(&self) -> PolarsResult<DataFrame> {
        let times = Series::new(self.time_name().into(), self.times());
        let times = match self.time_type() {
            TimeType::Millis => times,
            TimeType::Naive => times.cast(&DataType::Datetime(TimeUnit::Milliseconds, None))?,
            TimeType::Utc => {
                let zone = Some(TimeZone::UTC);
                times.cast(&DataType::Datetime(TimeUnit::Milliseconds, zone))?
            }
        };
        let columns = self.names().zip(self.columns()).map(|(name, array)| {
            let name = name.into();
            let series = match Column::of(array) {
                Some(Column::Int(ints)) => Series::new(name, ints.iter().collect::<Vec<_>>()),
                Some(Column::Float(floats)) => Series::new(name, floats.iter().collect::<Vec<_>>()),
                Some(Column::Text(texts)) => Series::new(name, texts.iter().collect::<Vec<_>>()),
                None => Series::full_null(name, array.len(), &DataType::Null),
            };
            series.into_column()
        });
        let columns: Vec<Named> = std::iter::once(times.into_column())
            .chain(columns)
            .collect();
        DataFrame::new(self.len(), columns)
    }
}

impl TryFrom<&Table> for DataFrame {
    type Error = polars_core::error::PolarsError;

    fn try_from(table: &Table) -> PolarsResult<DataFrame> {
        table.to_polars()
    }
}
