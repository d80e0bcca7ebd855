//! The client's calls that write points.

use std::borrow::Borrow;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use super::asking::asked;
use super::attempt::shown;
use super::builder::Gzip;
use super::client::KairosDb;
use super::encode::{Encoder, Format, check, zipped};
use super::error::{KairosError, Reason};
use super::exchange::Excerpt;
use super::queued::{Queued, WriteError};
use super::unfit::Unfit;
use crate::timeseries::Point;

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
    pub async fn write(&self, points: &[Point]) -> Result<Queued, WriteError> {
        let common = &self.0.settings.format.tags;
        for (place, point) in points.iter().enumerate() {
            if let Err(why) = check(point, common) {
                return Err(self.unfit(Queued::default(), place, point, why));
            }
        }
        self.write_iter(points).await
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
        self.write_formatted(points, &self.0.settings.format).await
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
        self.write_formatted(points, &format).await
    }

    async fn write_formatted<I>(&self, points: I, format: &Format) -> Result<Queued, WriteError>
    where
        I: IntoIterator<Item: Borrow<Point> + Send, IntoIter: Send>,
    {
        let mut queued = Queued::default();
        let mut encoder = Encoder::new(format);
        for (place, point) in points.into_iter().enumerate() {
            let mut pushed = encoder.push(point.borrow());
            if let Ok(false) = pushed {
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

    fn unfit(&self, queued: Queued, place: usize, point: &Point, why: Unfit) -> WriteError {
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
            Err(error) => Err(WriteError {
                queued: *queued,
                uncertain: queued.points..queued.points + points,
                error,
            }),
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
        let payload = Excerpt::of(&body, settings.keep);
        let body = packed.map_or(body, Bytes::from);
        let repeat = settings.repeat_writes;
        let asked = asked(&Method::POST, &path);
        let response = self
            .ask(Method::POST, path, headers, Some((payload, body)), repeat)
            .await?;
        if response.status == 204 {
            return Ok(());
        }
        // The store says nothing but this: it is somebody else, who has not passed them on perhaps.
        let status = response.status;
        let reason = Reason::Undecodable {
            why: format!("status {status}, where 204 would say that points are queued"),
            body: shown(&response.body),
        };
        Err(KairosError::new(asked, response.attempts, reason))
    }
}
