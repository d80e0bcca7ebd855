//! Which stretches of time a poll asks for, and from when on points are too late.

use std::time::Duration;

use tokio::time::Instant;

use super::course::{Ask, Course, Kind, LAST, Step};
use crate::timeseries::Range;

/// How far a poll reaches, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    /// Behind the newest point.
    pub(super) buffer: i64,
    /// Behind that, where points are too late, but noticed.
    pub(super) margin: i64,
    /// Of one request.
    pub(super) chunk: i64,
}

/// How far the store was asked, and what that means for the next poll.
///
/// The horizon follows the newest point that was seen, not the clock: a clock that jumps forward, or
/// runs ahead, loses nothing, and a store that fell silent can fill its gap later. It moves only when
/// all from the horizon on was asked for in the same poll.
///
/// As long as nothing was ever seen, a horizon that lies ahead was told by a clock that was wrong, and is taken
/// back: nothing can be repeated by that.
///
/// What was asked before, and lies further back than the buffer, is quiet: nothing came there for long. As
/// long as that lasts a poll asks for one chunk of it, in turn, beside the last `buffer`, and beside what is
/// near the time that the points tell, where the clock runs ahead of that. As
/// soon as anything new has come, all of it is asked for, before the horizon moves on.
#[derive(Debug)]
pub(super) struct Reach {
    lengths: Lengths,
    /// Whether it goes on from a cursor.
    resumed: bool,
    /// Whether that knows any point.
    knows_points: bool,
    /// Below it, points are too late.
    horizon: Option<i64>,
    /// From when on all that was seen is remembered.
    known_from: i64,
    /// The end of the last stretch that was answered.
    answered: Option<i64>,
    /// Answers of the poll under way that were asked for times which, as far as is known, had not come yet.
    early: Vec<Early>,
    /// What time it was at least, as points tell, when the last poll began that succeeded.
    known: Option<i64>,
    /// A shorter chunk than usual, as an answer had too many points.
    narrowed: Option<i64>,
    /// A shorter chunk than usual, as an answer took too long.
    eased: Option<i64>,
    /// Where the next chunk of the quiet stretch begins.
    swept: i64,
    /// The latest time that was seen.
    newest: Option<i64>,
    /// What the points tell of the time. The last two stretches of ten minutes in which something new came
    /// have a word: clocks that drift apart are not compared for ever.
    evidence: [Option<(i64, Instant)>; 2],
}

/// How many answers that were asked for early are told apart.
const MOST_EARLY: usize = 64;

/// An answer, and what it was to.
#[derive(Debug)]
struct Early {
    sent: Instant,
    to: i64,
    newest: Option<i64>,
}

/// For how long the same evidence is the best one.
const EVIDENCE: Duration = Duration::from_secs(600);

impl Reach {
    /// `resumed` is horizon and beginning of the memory of a cursor, and `newest` the latest point in it.
    pub(super) fn new(lengths: Lengths, resumed: Option<(i64, i64)>, newest: Option<i64>) -> Reach {
        // It is later than the latest point, whatever this computer's clock says after a restart.
        let evidence = newest.map(|newest| (newest, Instant::now()));
        Reach {
            lengths,
            resumed: resumed.is_some(),
            knows_points: newest.is_some(),
            horizon: resumed.map(|(horizon, _)| horizon),
            known_from: resumed.map_or(i64::MIN, |(_, known_from)| known_from),
            answered: None,
            early: Vec::new(),
            known: None,
            narrowed: None,
            eased: None,
            swept: i64::MIN,
            newest: None,
            evidence: [evidence, None],
        }
    }

    pub(super) fn horizon(&self) -> Option<i64> {
        self.horizon
    }

    pub(super) fn known_from(&self) -> i64 {
        self.known_from
    }

    /// Whether nothing was ever seen, and there is nothing to go on from.
    pub(super) fn is_fresh(&self) -> bool {
        !self.resumed && self.newest.is_none() && self.answered.is_none()
    }

    /// The clock was wrong when it began: that was at this time.
    pub(super) fn began_at(&mut self, time: i64) {
        let horizon = time.saturating_sub(self.lengths.buffer);
        (self.horizon, self.known_from) = (Some(horizon), horizon);
    }

    /// What time it is at least: that of the newest point, and what has passed since it was seen.
    pub(super) fn at_least(&self, now: Instant) -> Option<i64> {
        // Or before.
        let since = |(newest, seen): &(i64, Instant)| {
            let after = millis(now.saturating_duration_since(*seen));
            let before = millis(seen.saturating_duration_since(now));
            newest.saturating_add(after - before)
        };
        self.evidence.iter().flatten().map(since).max()
    }

    /// From when on is asked for what comes late.
    pub(super) fn asks_from(&self) -> i64 {
        let horizon = self.horizon.unwrap_or(i64::MIN);
        self.known_from
            .max(horizon.saturating_sub(self.lengths.margin))
    }

    /// Whether the horizon can only be that of a clock that was wrong. What a cursor says is doubted only where
    /// the store itself has told the time.
    fn is_mistaken(&self, to: i64, told: bool) -> bool {
        let nothing_seen = self.newest.is_none() && !self.knows_points;
        let ahead = self.horizon > Some(to.saturating_sub(self.lengths.buffer));
        nothing_seen && ahead && (told || !self.resumed)
    }

    /// Begins a poll at a time of the clock, which the store has told, or not.
    pub(super) fn begin(&mut self, clock: i64, told: bool, now: Instant) -> Course {
        // A clock that was put back does not stop the polls.
        let least = self.at_least(now);
        let to = least.map_or(clock, |least| least.max(clock));
        if self.horizon.is_none() || self.is_mistaken(to, told) {
            self.began_at(to);
        }
        let from = self.asks_from();
        self.early.clear();
        // Where all that could be asked for is in the future the store is asked too: it may tell the time.
        let to = to.max(from).min(LAST);
        let chunk = self.lengths.chunk;
        let before = |time: i64| from.max(time.saturating_sub(self.lengths.buffer));
        let usual = chunk.max(self.lengths.buffer.saturating_mul(2));
        let live = self.answered.map_or(from, |answered| {
            let answered = before(answered.min(to));
            // What is near the points' time is asked for along with it, unless the clock is far ahead.
            let near = self.known.min(least).map_or(answered, before);
            match to.saturating_sub(near) < usual {
                true => answered.min(near),
                false => answered,
            }
        });
        let quiet = live > from && to.saturating_sub(from) >= chunk;
        let short = self.narrowed.is_none() && to.saturating_sub(live) < usual;
        let step = match quiet && short {
            true => Step::Sweep(live),
            false => Step::Through(from),
        };
        Course {
            to,
            begun: now,
            least,
            step,
        }
    }

    /// While a poll is under way the clock may turn out to have been wrong: nothing is asked of a future
    /// that is years away after all.
    pub(super) fn correct(&self, course: &mut Course, clock: i64, now: Instant) {
        let least = self.at_least(now).map_or(clock, |least| least.max(clock));
        course.to = course.to.min(least.max(self.asks_from()));
    }

    /// As much of a stretch as is asked for at once.
    pub(super) fn cut(&self, from: i64, to: i64) -> Range {
        let shorter = [self.narrowed, self.eased].into_iter().flatten();
        let chunk = shorter.fold(self.lengths.chunk, i64::min);
        let to = from.saturating_add(chunk - 1).min(to);
        Range { from, to }
    }

    /// Half of what was asked for, unless that is not much longer than what has to be remembered anyway.
    fn half(&self, ask: &Ask) -> Option<i64> {
        let half = i64::try_from(ask.range.len() / 2).unwrap_or(i64::MAX);
        (half > self.lengths.buffer / 8).then_some(half)
    }

    /// There were too many points in the answer: asks for less at once until a poll succeeds. What
    /// an outage has left behind then goes through, part by part. `false` if that can't help.
    pub(super) fn narrow(&mut self, ask: &Ask) -> bool {
        let half = self.half(ask);
        self.narrowed = half.or(self.narrowed);
        half.is_some()
    }

    /// The answer took too long: asks for less at once, and for twice as much again after each poll that succeeds.
    /// What takes longer than may be would come never otherwise.
    pub(super) fn ease(&mut self, ask: &Ask) {
        self.eased = self.half(ask).or(self.eased);
    }

    /// A poll has succeeded.
    pub(super) fn succeeded(&mut self, course: &Course) {
        self.narrowed = None;
        let doubled = self.eased.map(|chunk| chunk.saturating_mul(2));
        self.eased = doubled.filter(|chunk| *chunk < self.lengths.chunk);
        self.known = course.least;
    }

    /// One chunk of the quiet stretch, which ends before `live`: another one each time, in turn.
    pub(super) fn sweep(&mut self, live: i64) -> Range {
        // With the clock the end may have gone back, behind what was swept.
        let swept = if self.swept < live {
            self.swept
        } else {
            i64::MIN
        };
        let from = self.asks_from().max(swept);
        let range = self.cut(from, live - 1);
        // The end moves on with every poll: where it is reached, the next turn begins.
        self.swept = if range.to == live - 1 {
            i64::MIN
        } else {
            range.to + 1
        };
        range
    }

    /// Where points are that are not late, if they can be in the quiet stretch, which ends before `live`, for a poll
    /// that began when it was `least` at least.
    pub(super) fn near(&self, least: Option<i64>, live: i64) -> Option<Range> {
        let least = least?;
        let from = self.known?.min(least).saturating_sub(self.lengths.buffer);
        let to = least.saturating_add(self.lengths.buffer).min(live - 1);
        let from = from.max(self.asks_from());
        (from <= to).then_some(Range { from, to })
    }

    /// Whether something came that the horizon is to follow.
    pub(super) fn lags(&self) -> bool {
        let follows = |newest: i64| newest.saturating_sub(self.lengths.buffer);
        self.newest.map(follows) > self.horizon
    }

    /// Up to when the poll under way, which has asked for everything up to `to`, knows of everything. What was
    /// asked for before its time had come may have come since, and the rest of the poll have taken long.
    pub(super) fn complete(&self, to: i64) -> i64 {
        let early = self.early.iter().filter_map(|early| self.knows_to(early));
        early.fold(to, i64::min)
    }

    /// Up to when an answer knows of everything, if that is less than was asked for.
    fn knows_to(&self, early: &Early) -> Option<i64> {
        // A point that is in it had come.
        let known = self.at_least(early.sent).max(early.newest)?;
        (known < early.to).then_some(known)
    }

    /// An answer to what was asked for then was taken in; its latest point is this. What is new may move the
    /// horizon.
    pub(super) fn answered(&mut self, ask: &Ask, newest: Option<i64>, sent: Instant, now: Instant) {
        if ask.kind == Kind::Live {
            self.answered = Some(ask.range.to);
        }
        // What is answered again tells nothing of the time.
        if let Some(newest) = newest
            && self.newest < Some(newest)
        {
            self.newest = Some(newest);
            self.learn(newest, now);
        }
        self.note_early(Early {
            sent,
            to: ask.range.to,
            newest,
        });
        if let (Some(to), Some(newest)) = (ask.complete, self.newest) {
            let follows = newest.min(self.complete(to));
            let follows = follows.saturating_sub(self.lengths.buffer);
            self.horizon = self.horizon.max(Some(follows));
        }
    }

    /// Of many, those that follow each other are taken for one: as long a stretch, asked for when the first was.
    fn note_early(&mut self, answer: Early) {
        if self.knows_to(&answer).is_none() {
            return;
        }
        let full = self.early.len() == MOST_EARLY;
        match self.early.last_mut() {
            Some(last) if full || last.sent == answer.sent => last.to = last.to.max(answer.to),
            _ => self.early.push(answer),
        }
    }

    /// A point of this time was seen now: it is at least so late.
    fn learn(&mut self, newest: i64, now: Instant) {
        let [latest, before] = &mut self.evidence;
        match latest {
            Some((known, seen)) if now.saturating_duration_since(*seen) < EVIDENCE => {
                let since = millis(now.saturating_duration_since(*seen));
                let least = known.saturating_add(since);
                if newest > least {
                    *known += newest - least;
                }
            }
            _ => {
                *before = latest.take();
                *latest = Some((newest, now));
            }
        }
    }

    /// Before when nothing has to be remembered.
    pub(super) fn forgets_before(&self) -> i64 {
        self.asks_from()
    }

    /// What was seen before this time is forgotten.
    pub(super) fn forgot(&mut self, before: i64) {
        self.known_from = self.known_from.max(before);
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
