//! Those who wait for room at a source.

use std::sync::Mutex;
use std::task::Waker;

use super::way::Way;

/// Tasks and threads that wait, each in its own place: a task may wait in several.
#[derive(Default)]
pub(super) struct Line {
    places: u64,
    waiting: Vec<(u64, Waker)>,
}

/// Where somebody stands in line, if they do.
pub(super) type Place = Option<u64>;

impl Line {
    /// Takes a place, or keeps the one that is taken already.
    pub(super) fn wait(&mut self, place: &mut Place, waker: &Waker) {
        let known = self.waiting.iter_mut().find(|(at, _)| Some(*at) == *place);
        if let Some((_, known)) = known {
            known.clone_from(waker);
        } else {
            self.places += 1;
            *place = Some(self.places);
            self.waiting.push((self.places, waker.clone()));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Everybody's waker: to be called, since there is room or there never will be.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Waker> {
        self.waiting.drain(..).map(|(_, waker)| waker)
    }

    fn remove(&mut self, place: u64) -> Option<Waker> {
        let at = self.waiting.iter().position(|(at, _)| *at == place)?;
        Some(self.waiting.remove(at).1)
    }
}

/// A place in line that is left when the wait is over.
pub(super) struct InLine<'a> {
    line: &'a Mutex<Line>,
    pub(super) place: Place,
}

impl<'a> InLine<'a> {
    pub(super) fn new(line: &'a Mutex<Line>) -> Self {
        InLine { line, place: None }
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        quit(self.line, self.place);
    }
}

/// Whoever gives up takes their waker along, or a stalled source would gather them without bound.
fn quit(line: &Mutex<Line>, place: Place) {
    let Some(place) = place else { return };
    let waker = match line.lock() {
        Ok(mut line) => line.remove(place),
        Err(_) => None,
    };
    // Without the lock: a waker's destructor may do anything.
    drop(waker);
}

impl<T> Way<T> {
    /// Leaves the line of those who wait for room.
    pub(super) fn quit_line(&self, place: Place) {
        quit(&self.cell.senders, place);
    }
}
