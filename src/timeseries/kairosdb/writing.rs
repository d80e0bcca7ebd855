//! The client's calls that write points.

use std::borrow::Borrow;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use super::builder::Gzip;
use super::client::KairosDb;
use super::encode::{Encoder, Format, check};
use super::error::KairosError;
use super::queued::{Queued, WriteError};
use super::unfit::Unfit;
use crate::remote::zipped;
use crate::timeseries::Point;
use crate::timeseries::rest::{Ask, Reason, asked};

impl KairosDb {
    /// Writes points, in as many requests as the limits ask for, one after the other. All are looked at
    /// first: if one can't be stored, nothing is sent.
    ///
    /// Integers are written as such and floats as doubles, also where they have no fraction. To the store the
    /// two are different types, and the integer 1 and the double 1.0 of the same time are two points. Tags
    /// that are no texts are written as texts. Texts of more than 256 bytes do not fit into the embedded H2
    /// store, which does not tell.
    ///
    /// # Errors
    /// See [`WriteError`].
    #[doc(alias = "addMetrics")]
    pub async fn write(&self, points: &[Point]) -> Result<Queued, WriteError> {
        let format = &self.0.settings.format;
        // What the first request has was looked at when it was made: often that is all.
        let look_at_the_rest = |from: usize| {
            let mut rest = points.iter().enumerate().skip(from);
            let unfit = rest.find_map(|(place, point)| {
                let why = check(point, &format.tags).err()?;
                Some(self.unfit(Queued::default(), place, point, why))
            });
            unfit.map_or(Ok(()), Err)
        };
        self.write_formatted(points, format, look_at_the_rest).await
    }

    /// Writes points that are made on the way. Where one can't be stored, those of its request and those
    /// behind it are not sent; requests before it are.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write_iter<I>(&self, points: I) -> Result<Queued, WriteError>
    where
        I: IntoIterator<Item: Borrow<Point> + Send, IntoIter: Send>,
    {
        let format = &self.0.settings.format;
        self.write_formatted(points, format, |_| Ok(())).await
    }

    /// Writes points that the store forgets after so long, in whole seconds, rounded up.
    ///
    /// # Panics
    /// If it is zero.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write_expiring<I>(&self, points: I, ttl: Duration) -> Result<Queued, WriteError>
    where
        I: IntoIterator<Item: Borrow<Point> + Send, IntoIter: Send>,
    {
        assert!(
            !ttl.is_zero(),
            "a `ttl` of zero means for ever to the store: call `write_iter`"
        );
        let format = Format {
            ttl: Some(ttl),
            ..self.0.settings.format.clone()
        };
        self.write_formatted(points, &format, |_| Ok(())).await
    }

    /// `before_first` is called when there are more points than fit into one request, before that is sent;
    /// it is told from which point on nothing was looked at.
    async fn write_formatted<I>(
        &self,
        points: I,
        format: &Format,
        before_first: impl FnOnce(usize) -> Result<(), WriteError> + Send,
    ) -> Result<Queued, WriteError>
    where
        I: IntoIterator<Item: Borrow<Point> + Send, IntoIter: Send>,
    {
        let mut before_first = Some(before_first);
        let mut queued = Queued::default();
        let mut encoder = Encoder::new(format);
        for (place, point) in points.into_iter().enumerate() {
            let mut pushed = encoder.push(point.borrow());
            if let Ok(false) = pushed {
                if let Some(before_first) = before_first.take() {
                    before_first(place)?;
                }
                self.send_points(&mut encoder, &mut queued).await?;
                pushed = encoder.push(point.borrow());
            }
            if let Err(why) = pushed {
                return Err(self.unfit(queued, place, point.borrow(), why));
            }
        }
        if encoder.points() > 0 {
            self.send_points(&mut encoder, &mut queued).await?;
        }
        Ok(queued)
    }

    pub(super) fn unfit(
        &self,
        queued: Queued,
        place: usize,
        point: &Point,
        why: Unfit,
    ) -> WriteError {
        WriteError {
            queued,
            uncertain: queued.points..queued.points,
            error: self.unfit_error(place, point, why),
        }
    }

    pub(super) fn unfit_error(&self, place: usize, point: &Point, why: Unfit) -> KairosError {
        let metric = point.metric().to_owned();
        let asked = asked(&Method::POST, &self.path(&self.0.settings.write_path));
        KairosError::new(asked, 0, Reason::Unfit { place, metric, why })
    }

    pub(super) fn format(&self) -> &Format {
        &self.0.settings.format
    }

    async fn send_points(
        &self,
        encoder: &mut Encoder<'_>,
        queued: &mut Queued,
    ) -> Result<(), WriteError> {
        let points = encoder.points();
        let body = encoder.take();
        let bytes = body.len();
        match self.send_body(body.into()).await {
            Ok(()) => {
                *queued += Queued {
                    points,
                    requests: 1,
                    bytes,
                };
                Ok(())
            }
            Err(error) => {
                // Where nothing was sent, nothing is uncertain.
                let sent = if error.attempts() > 0 { points } else { 0 };
                Err(WriteError {
                    queued: *queued,
                    uncertain: queued.points..queued.points + sent,
                    error,
                })
            }
        }
    }

    /// Writes what is JSON already, as the store understands it.
    ///
    /// # Errors
    /// See [`KairosError`]. With status 400 the store may have taken a part.
    pub async fn write_raw(&self, json: impl Into<Bytes>) -> Result<(), KairosError> {
        self.send_body(json.into()).await
    }

    async fn send_body(&self, body: Bytes) -> Result<(), KairosError> {
        let settings = &self.0.settings;
        let path = self.path(&settings.write_path);
        let mut headers = Vec::new();
        let packed = match settings.gzip {
            Gzip::Off => None,
            _ => zipped(&body),
        };
        let kind = match (&packed, settings.gzip) {
            (Some(_), Gzip::ContentType) => "application/gzip",
            _ => "application/json",
        };
        headers.push((CONTENT_TYPE, HeaderValue::from_static(kind)));
        if packed.is_some() && settings.gzip == Gzip::ContentEncoding {
            headers.push((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        let payload = self.0.rest.excerpt(&body);
        let body = packed.map_or(body, Bytes::from);
        let asked = asked(&Method::POST, &path);
        let ask = Ask {
            headers,
            body: Some((payload, body)),
            repeat: settings.repeat_writes,
            ..Ask::new(Method::POST, path)
        };
        let response = self.ask(ask).await?;
        if response.status == 204 {
            return Ok(());
        }
        // The store says nothing but this: it is somebody else, who has not passed them on perhaps.
        let status = response.status;
        let why = format!("status {status}, where 204 would say that points are queued");
        Err(response.undecodable(&asked, &why).into())
    }
}
