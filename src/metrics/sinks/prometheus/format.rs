//! The two text formats, and which of them a scraper wants.

/// A text format that Prometheus reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ExpositionFormat {
    /// [Prometheus' text format](https://prometheus.io/docs/instrumenting/exposition_formats/), version
    /// 0.0.4.
    #[default]
    Text,
    /// [OpenMetrics](https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md),
    /// version 1.0.0.
    OpenMetrics,
}

impl ExpositionFormat {
    /// The content type of an answer in this format.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            ExpositionFormat::Text => "text/plain; version=0.0.4; charset=utf-8",
            ExpositionFormat::OpenMetrics => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    /// The format that a request wants most by its `Accept` header, as
    /// [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#name-accept) says: the text format unless
    /// OpenMetrics is named and wanted more. Whoever accepts neither gets the text format, too.
    ///
    /// ```
    /// use headwater::metrics::ExpositionFormat::{self, OpenMetrics, Text};
    ///
    /// let prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    /// assert_eq!(ExpositionFormat::negotiate(Some(prometheus)), OpenMetrics);
    /// assert_eq!(ExpositionFormat::negotiate(Some("text/html,*/*;q=0.8")), Text);
    /// assert_eq!(ExpositionFormat::negotiate(None), Text);
    /// ```
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> ExpositionFormat {
        let (mut open_metrics, mut text) = (Wish::default(), Wish::default());
        for range in accept.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut version, mut quality) = (None, 1.0);
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "version" => version = Some(value),
                    "q" => quality = value.parse().unwrap_or(0.0_f64),
                    _ => {}
                }
            }
            if !(0.0..=1.0).contains(&quality) {
                continue;
            }
            match media.as_str() {
                "application/openmetrics-text" if matches!(version, None | Some("1.0.0")) => {
                    open_metrics.add(3, quality);
                }
                "application/*" => open_metrics.add(2, quality),
                "text/plain" if matches!(version, None | Some("0.0.4")) => text.add(3, quality),
                "text/*" => text.add(2, quality),
                // Who takes anything has not asked for OpenMetrics.
                "*/*" => text.add(1, quality),
                _ => {}
            }
        }
        match open_metrics.quality > text.quality {
            true => ExpositionFormat::OpenMetrics,
            false if open_metrics.quality > 0.0 && open_metrics.precision > text.precision => {
                ExpositionFormat::OpenMetrics
            }
            false => ExpositionFormat::Text,
        }
    }
}

/// How much a format is wanted: by the range that names it most precisely.
#[derive(Default)]
struct Wish {
    /// 0 where none does.
    precision: u8,
    quality: f64,
}

impl Wish {
    fn add(&mut self, precision: u8, quality: f64) {
        if precision > self.precision {
            *self = Wish { precision, quality };
        } else if precision == self.precision {
            self.quality = self.quality.max(quality);
        }
    }
}
