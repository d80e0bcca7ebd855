//! What users let ride beside elements, and read on the way.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::error::EmitError;
use super::lineage::{Receipt, Token};
use super::source::Source;
use crate::InGraph;

/// Anything that rides beside an element, such as a trace, an offset or the time of a request.
pub type Metadata = Arc<dyn Any + Send + Sync>;

/// What rides beside an element: the metadata of all that it was made of. See
/// [`inspect_lineage`](crate::Flow::inspect_lineage).
///
/// An element that was made of several (a window, a row) has the metadata of each of them, in their
/// order; where several ways lead from one element to here, it counts once. All elements made of one
/// have its metadata.
#[derive(Clone, Copy)]
pub struct Lineage<'a> {
    token: &'a Token,
}

impl<'a> Lineage<'a> {
    pub(crate) fn of(token: &'a Token) -> Lineage<'a> {
        Lineage { token }
    }

    /// Whether nothing rides beside the element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.metadata().is_empty()
    }

    /// The metadata of all that the element was made of.
    #[must_use]
    pub fn metadata(&self) -> Vec<&'a Metadata> {
        if self.token.parents().is_empty() {
            return self.token.metadata().into_iter().collect();
        }
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        // A loop, not a recursion: in a cycle ancestors can be many thousands deep.
        let mut open = vec![self.token];
        while let Some(token) = open.pop() {
            if seen.insert(token.address()) {
                found.extend(token.metadata());
                open.extend(token.parents().iter().rev());
            }
        }
        found
    }

    /// The metadata of this type.
    #[must_use]
    pub fn all<M: 'static>(&self) -> Vec<&'a M> {
        let all = self.metadata().into_iter();
        all.filter_map(|metadata| metadata.downcast_ref()).collect()
    }

    /// The first metadata of this type: for elements that were made of one.
    #[must_use]
    pub fn first<M: 'static>(&self) -> Option<&'a M> {
        let own = self.token.metadata().and_then(|own| own.downcast_ref());
        own.or_else(|| self.all().first().copied())
    }
}

impl fmt::Debug for Lineage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lineage")
            .field("metadata", &self.metadata().len())
            .finish_non_exhaustive()
    }
}

/// A source, and what rides beside each element that is emitted by this: see
/// [`Source::with_metadata`].
#[derive(Clone, Debug)]
pub struct Tagged<'a, T> {
    source: &'a Source<T>,
    metadata: Metadata,
}

impl<T: InGraph> Source<T> {
    /// As [`emit`](Source::emit), with metadata beside the element: any value, which
    /// [`inspect_lineage`](crate::Flow::inspect_lineage) and
    /// [`map_with_lineage`](crate::Flow::map_with_lineage) read wherever the element, or what was made
    /// of it, comes by.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let source = Source::<f64>::new();
    /// let offsets = source
    ///     .partition(2)
    ///     .map_with_lineage(|_, lineage| lineage.all::<u64>().into_iter().max().copied())
    ///     .sink_to_list();
    /// source.emit_with(20.5, 7_u64)?;
    /// source.emit_with(21.0, 8_u64)?;
    /// assert_eq!(offsets.take(), [Some(8)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`emit`](Source::emit).
    pub fn emit_with<M>(&self, item: T, metadata: M) -> Result<(), EmitError<T>>
    where
        M: Any + Send + Sync,
    {
        self.with_metadata(metadata).emit(item)
    }

    /// The same source, with metadata beside each element that is emitted through what this returns:
    /// for the other ways in, such as `send` and `emit_tracked`.
    ///
    /// ```
    /// # use headwater_operators as headwater;
    /// use headwater::prelude::*;
    ///
    /// let source = Source::<&str>::new();
    /// source.inspect_lineage(|word, lineage| {
    ///     assert_eq!((*word, lineage.first()), ("hello", Some(&"a trace")));
    /// }).sink(drop);
    /// let receipt = source.with_metadata("a trace").emit_tracked("hello")?;
    /// assert_eq!(receipt.outcome(), Some(Ok(())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_metadata<M>(&self, metadata: M) -> Tagged<'_, T>
    where
        M: Any + Send + Sync,
    {
        Tagged {
            source: self,
            metadata: Arc::new(metadata),
        }
    }
}

impl<T: InGraph> Tagged<'_, T> {
    /// As [`Source::emit`].
    ///
    /// # Errors
    /// As [`Source::emit`].
    pub fn emit(&self, item: T) -> Result<(), EmitError<T>> {
        let token = Token::with_metadata(self.metadata.clone());
        self.source.way.emit_with(item, token)
    }

    /// As [`Source::emit_tracked`].
    ///
    /// # Errors
    /// As [`Source::emit_tracked`].
    pub fn emit_tracked(&self, item: T) -> Result<Receipt, EmitError<T>> {
        let (token, receipt) = Token::with_both(self.metadata.clone());
        self.source.way.emit_with(item, token)?;
        Ok(receipt)
    }

    /// As [`Source::send`].
    ///
    /// # Errors
    /// As [`Source::send`].
    pub async fn send(&self, item: T) -> Result<(), EmitError<T>> {
        let token = Token::with_metadata(self.metadata.clone());
        self.source.way.send(item, token).await
    }

    /// As [`Source::send_tracked`].
    ///
    /// # Errors
    /// As [`Source::send_tracked`].
    pub async fn send_tracked(&self, item: T) -> Result<Receipt, EmitError<T>> {
        let (token, receipt) = Token::with_both(self.metadata.clone());
        self.source.way.send(item, token).await?;
        Ok(receipt)
    }
}
