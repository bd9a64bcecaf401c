//! `imap` and `imap_unordered`: outcomes one by one, input pulled as they are taken.

use super::map::{CancelOnDrop, Input, Numbers, offer};
use super::results::Results;
use super::results::decode;
use super::scheduler::OnFailure;
use super::shared::Shared;
use super::ticket::{Encoded, Kind, Portions, Ticket};
use crate::clock::Time;
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::task::entry::Entry;
use crate::task::registry::Slot;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The iterator of [`Pool::imap`](crate::Pool::imap).
#[must_use = "nothing runs until the first `next`"]
pub struct Imap<'p, I: Iterator, R> {
    stream: Stream<'p, I, R>,
    /// Outcomes that came before their turn; the first is the next one's.
    early: VecDeque<Option<Result<R, Error>>>,
    /// The number of the next item.
    next: u64,
}

/// The iterator of [`Pool::imap_unordered`](crate::Pool::imap_unordered).
#[must_use = "nothing runs until the first `next`"]
pub struct ImapUnordered<'p, I: Iterator, R> {
    stream: Stream<'p, I, R>,
}

impl<'p, I: Iterator, R: DeserializeOwned> Imap<'p, I, R> {
    pub(super) fn new(
        shared: &'p Arc<Shared>,
        task: Result<(Slot, &'static Entry), Error>,
        input: Input<I>,
    ) -> Self {
        Self { stream: Stream::new(shared, task, input), early: VecDeque::new(), next: 0 }
    }

    /// How many items may be on their way at once, counted from the oldest that was not yielded. It should be more than
    /// the pool has workers; without this, 64 for each of them. With one, an outcome is yielded before the next item is pulled: for an
    /// input that waits for what was yielded.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::num::NonZeroUsize;
    ///
    /// #[mp::task]
    /// fn double(x: u32) -> u32 {
    ///     2 * x
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     let pool = mp::Pool::new(2)?;
    ///     let last = Cell::new(1);
    ///     let input = std::iter::repeat_with(|| last.get()); // each item is the result of the one before
    ///     for result in pool.imap(double, input).read_ahead(NonZeroUsize::MIN).take(5) {
    ///         last.set(result?);
    ///     }
    ///     assert_eq!(last.get(), 32);
    ///     Ok(())
    /// }
    /// ```
    pub fn read_ahead(mut self, items: NonZeroUsize) -> Self {
        self.stream.window = items.get() as u64;
        self
    }

    /// The next outcome, if it comes within `timeout`. A time-out is an error with
    /// [`is_timeout`](Error::is_timeout), after which the iteration can go on.
    ///
    /// # Blocking and death
    /// Waits for the next item in order, whatever has come of later ones. The input is pulled here, and the time-out does not cut
    /// short what it takes: see [`Pool::imap`](crate::Pool::imap).
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Result<R, Error>> {
        self.next_until(Some((timeout, Time::now() + timeout)))
    }

    fn next_until(&mut self, limit: Option<(Duration, Time)>) -> Option<Result<R, Error>> {
        loop {
            if let Some(Some(_)) = self.early.front() {
                self.stream.keep_up(self.next);
                self.next += 1;
                return self.early.pop_front().flatten();
            }
            match self.stream.next(self.next, limit)? {
                Ok((number, outcome)) => {
                    let index = number.saturating_sub(self.next) as usize;
                    if self.early.len() <= index {
                        self.early.resize_with(index + 1, || None);
                    }
                    self.early[index] = Some(outcome);
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<'p, I: Iterator, R: DeserializeOwned> ImapUnordered<'p, I, R> {
    pub(super) fn new(
        shared: &'p Arc<Shared>,
        task: Result<(Slot, &'static Entry), Error>,
        input: Input<I>,
    ) -> Self {
        Self { stream: Stream::new(shared, task, input) }
    }

    /// How many items may be on their way at once. It should be more than the pool has workers; without this, 64 for each
    /// of them. With 1, an outcome is yielded before the next item is pulled.
    pub fn read_ahead(mut self, items: NonZeroUsize) -> Self {
        self.stream.window = items.get() as u64;
        self
    }

    /// The next outcome with the position of its item, if one comes within `timeout`. A time-out is an error with
    /// [`is_timeout`](Error::is_timeout) and the number of items yielded so far, after which the iteration can go on.
    ///
    /// # Blocking and death
    /// Waits for any item that is on its way. The input is pulled here, and the time-out does not cut short what it takes.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<(usize, Result<R, Error>)> {
        self.next_until(Some((timeout, Time::now() + timeout)))
    }

    fn next_until(&mut self, limit: Option<(Duration, Time)>) -> Option<(usize, Result<R, Error>)> {
        let yielded = self.stream.yielded;
        Some(match self.stream.next(yielded, limit)? {
            Ok((number, outcome)) => (number as usize, outcome),
            Err(error) => (yielded as usize, Err(error)),
        })
    }
}

impl<I: Iterator, R: DeserializeOwned> Iterator for Imap<'_, I, R> {
    type Item = Result<R, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_until(None)
    }
}

impl<I: Iterator, R: DeserializeOwned> Iterator for ImapUnordered<'_, I, R> {
    type Item = (usize, Result<R, Error>);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_until(None)
    }
}

// A job that has ended stays so, also if the pool ends meanwhile.
impl<I: Iterator, R: DeserializeOwned> FusedIterator for Imap<'_, I, R> {}
impl<I: Iterator, R: DeserializeOwned> FusedIterator for ImapUnordered<'_, I, R> {}

/// An outcome and the number of its item in the input.
type Numbered<R> = (u64, Result<R, Error>);

/// Outcomes in the order in which they come.
struct Stream<'p, I: Iterator, R> {
    shared: &'p Arc<Shared>,
    task: Option<(Slot, &'static Entry)>,
    ticket: Option<Ticket>,
    /// What is to be said once, and then no more.
    refusal: Option<Error>,
    input: Input<I>,
    open: bool,
    window: u64,
    /// How long the input took for its last item, if that was long.
    slow: Option<Duration>,
    /// Items carry descriptors, of which a process has few.
    heavy: bool,
    numbers: Numbers,
    /// How many outcomes were handed on.
    yielded: u64,
    ready: VecDeque<Numbered<R>>,
    results: Results,
}

impl<'p, I: Iterator, R: DeserializeOwned> Stream<'p, I, R> {
    fn new(shared: &'p Arc<Shared>, task: Result<(Slot, &'static Entry), Error>, input: Input<I>) -> Self {
        let (task, refusal) = match task {
            Ok(task) => (Some(task), None),
            Err(error) => (None, Some(error)),
        };
        let workers = shared.config.policy.workers.get();
        Self {
            shared,
            task,
            ticket: None,
            refusal,
            input,
            open: true,
            window: (limits::READ_AHEAD_PER_WORKER * workers) as u64,
            slow: None,
            heavy: false,
            numbers: Numbers::default(),
            yielded: 0,
            ready: VecDeque::new(),
            results: Results::default(),
        }
    }

    /// The next outcome that comes; the caller has no use for items that are `window` or more behind `oldest`.
    fn next(&mut self, oldest: u64, limit: Option<(Duration, Time)>) -> Option<Result<Numbered<R>, Error>> {
        if let Some(error) = self.refusal.take() {
            return Some(Err(error));
        }
        // An error ends the iteration, and so does a panic of the input.
        let task = self.task.take()?;
        if let Err(error) = self.shared.refuse_copy() {
            return Some(Err(error));
        }
        let kind = Kind { itemised: true, each: true, open: true, on_failure: OnFailure::Continue };
        let ticket = self.ticket.take().unwrap_or_else(|| {
            // What was read ahead goes on while the caller is busy with what it has.
            self.shared.help();
            Ticket::submit(self.shared, task, kind, None)
        });
        let giving_up = CancelOnDrop(&ticket);
        let outcome = self.advance(&ticket, oldest, limit, task.1);
        std::mem::forget(giving_up);
        self.ticket = Some(ticket);
        match outcome {
            Ok(outcome) => {
                self.task = Some(task);
                outcome
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Pulls items and waits for an outcome. Of an input that takes its time no more is pulled while there is one to hand on.
    fn advance(
        &mut self,
        ticket: &Ticket,
        oldest: u64,
        limit: Option<(Duration, Time)>,
        task: &'static Entry,
    ) -> Result<Option<Result<Numbered<R>, Error>>, Error> {
        let deadline = limit.map(|(_, deadline)| deadline);
        while self.slow.is_some() || !self.refill(ticket, oldest, task) {
            if self.input.pulled() > self.yielded {
                let pause = Time::now() + self.slow.unwrap_or_default().min(PAUSE_MAX) / 8;
                self.fetch(ticket, Some(deadline.map_or(pause, |deadline| deadline.min(pause))), task)?;
            }
            if let Some(next) = self.hand_on() {
                return Ok(Some(Ok(next)));
            }
            if deadline.is_some_and(|deadline| deadline <= Time::now()) {
                break;
            }
            self.slow = None;
        }
        if !self.fetch(ticket, deadline, task)? {
            let timeout = limit.map_or(Duration::ZERO, |(timeout, _)| timeout);
            let what = format!("no item has ended within {timeout:?}; the iteration can go on");
            return Ok(Some(Err(Error::new(ErrorKind::TimedOut, what).for_task(task.name))));
        }
        Ok(self.hand_on().map(Ok))
    }

    fn hand_on(&mut self) -> Option<Numbered<R>> {
        let next = self.ready.pop_front()?;
        self.yielded += 1;
        Some(next)
    }

    /// Has the outcomes that are there ready; waits for one, or for the end of the job, until `deadline`. False if none came.
    fn fetch(
        &mut self,
        ticket: &Ticket,
        deadline: Option<Time>,
        task: &'static Entry,
    ) -> Result<bool, Error> {
        if !self.ready.is_empty() {
            return Ok(true);
        }
        if !self.wait(ticket, deadline)? {
            return Ok(false);
        }
        let Self { results, numbers, ready, .. } = self;
        results.drain(|item, ending| {
            let number = numbers.of(item);
            let outcome = match ending {
                Ok(encoding) => decode(encoding, task.name, Some(number)),
                Err(error) => Err(error.on_item(number)),
            };
            ready.push_back((number, outcome));
        });
        Ok(true)
    }

    /// Waits for results, or the end of the job; false if the time is over first.
    fn wait(&mut self, ticket: &Ticket, deadline: Option<Time>) -> Result<bool, Error> {
        let Some(id) = ticket.id() else { return Ok(true) };
        let results = &mut self.results;
        let me = Some(thread::current().id());
        let found = self.shared.wait(Some(id), deadline, |core| {
            let job = core.jobs.get(id)?;
            job.feeder = me;
            (!job.arrived().is_empty() || job.finished).then(|| job.swap_results(results))
        })?;
        Ok(found.is_some())
    }

    /// How much of the input waits, or is out at workers.
    fn waiting(&self, ticket: &Ticket) -> usize {
        let Some(id) = ticket.id() else { return 0 };
        self.shared.with(|core| core.jobs.get(id).map_or(0, |job| job.backlog_bytes))
    }

    /// Whether it is time to pull items while there are outcomes to hand on: one by one they would cost more than what they are for.
    fn is_far_behind(&self, oldest: u64) -> bool {
        (oldest + self.window).saturating_sub(self.input.pulled()) > self.window / READ_AHEAD_SHARE
    }

    /// Keeps the workers busy while outcomes are handed on that came before their turn.
    fn keep_up(&mut self, oldest: u64) {
        if self.slow.is_some() || !self.is_far_behind(oldest) {
            return;
        }
        // A panic of the input ends the iteration.
        let Some((task, ticket)) = self.task.take().zip(self.ticket.take()) else { return };
        let giving_up = CancelOnDrop(&ticket);
        self.refill(&ticket, oldest, task.1);
        std::mem::forget(giving_up);
        (self.task, self.ticket) = (Some(task), Some(ticket));
    }

    /// Pulls and offers items while there is room between `oldest` and the last. False if it stops earlier, as the input is slow.
    fn refill(&mut self, ticket: &Ticket, oldest: u64, task: &'static Entry) -> bool {
        if !self.ready.is_empty() && !self.is_far_behind(oldest) {
            return true;
        }
        let mut portions = Portions::new(self.shared);
        // How many bytes have been offered; with descriptors among them, how much waits in all.
        let mut bytes = if self.heavy { self.waiting(ticket) } else { 0 };
        let mut began = Time::now();
        while self.open
            && self.input.pulled() < oldest + self.window
            && bytes + portions.bytes() < limits::BACKLOG_BYTES
        {
            let pulled = self.input.pull(&mut portions, task);
            let now = Time::now();
            let took = now.since(began);
            began = now;
            self.slow = (took > SLOW_INPUT && pulled.is_some()).then_some(took);
            match pulled {
                Some(Ok(Encoded::Gathered)) => {
                    if portions.len() >= OFFER_ITEMS {
                        bytes += portions.bytes();
                        offer(ticket, portions.take());
                    }
                }
                Some(Ok(Encoded::Apart(long))) => {
                    bytes += portions.bytes() + long.weight();
                    self.heavy |= long.weight() > long.bytes();
                    offer(ticket, portions.take());
                    ticket.offer(*long);
                }
                Some(Err(error)) => {
                    let number = self.input.pulled() - 1;
                    self.numbers.skip(number);
                    self.ready.push_back((number, Err(error)));
                }
                None => {
                    self.open = false;
                    offer(ticket, portions.take());
                    ticket.seal();
                }
            }
            if self.slow.is_some() {
                break;
            }
        }
        offer(ticket, portions.take());
        self.slow.is_none()
    }
}

/// Items are pulled when there is room for more than this share of those that may be on their way: the rest keeps workers busy.
const READ_AHEAD_SHARE: u64 = 4;

/// How many items are encoded before they are offered: the input may be slow.
const OFFER_ITEMS: usize = 8;

/// An input that takes longer than this for an item is slow: before the next one is pulled there is a look for outcomes.
const SLOW_INPUT: Duration = Duration::from_millis(5);

/// That look takes an eighth of the time that the item took, and of this at most.
const PAUSE_MAX: Duration = Duration::from_millis(200);

impl<I: Iterator, R> Drop for Stream<'_, I, R> {
    fn drop(&mut self) {
        if let Some(ticket) = &self.ticket {
            ticket.cancel_from(0);
            ticket.seal();
        }
    }
}

impl<I: Iterator, R> fmt::Debug for Imap<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap").field("next", &self.next).finish_non_exhaustive()
    }
}

impl<I: Iterator, R> fmt::Debug for ImapUnordered<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapUnordered").field("yielded", &self.stream.yielded).finish_non_exhaustive()
    }
}
