//! Outcomes as they come, input pulled as they are taken: what `imap` and its streams have in common.

use super::config::Backend;
use super::jobs::Job;
use super::map::{CancelOnDrop, Input, Numbers, offer};
use super::results::{Results, decode};
use super::scheduler::OnFailure;
use super::shared::Shared;
use super::ticket::{Encoded, Kind, Portions, TaskRef, Ticket};
use super::waiter::Asker;
use crate::clock::Time;
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::task::entry::Entry;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::{Poll, Waker, ready};
use std::thread;
use std::time::Duration;

/// An outcome and the number of its item in the input.
pub type Numbered<R> = (u64, Result<R, Error>);

/// For how long to wait for an outcome.
#[derive(Clone, Copy)]
pub enum Until<'a> {
    /// Until there is one.
    Endless,
    /// Until then.
    Deadline(Time),
    /// Not at all: this one is woken when there may be one.
    Woken(&'a Waker),
}

impl Until<'_> {
    /// Whether there is no time left to wait.
    fn is_over(self) -> bool {
        match self {
            Until::Endless => false,
            Until::Deadline(deadline) => deadline <= Time::now(),
            Until::Woken(_) => true,
        }
    }

    /// Has who polls do so again.
    fn wake(self) {
        if let Until::Woken(waker) = self {
            waker.wake_by_ref();
        }
    }

    /// So long, and no longer than this.
    fn within(self, pause: Duration) -> Self {
        let pause = Time::now() + pause;
        match self {
            Until::Endless => Until::Deadline(pause),
            Until::Deadline(deadline) => Until::Deadline(deadline.min(pause)),
            Until::Woken(_) => self,
        }
    }
}

/// Outcomes in the order in which they come.
pub struct Flow<I: Iterator, R> {
    shared: Arc<Shared>,
    task: Option<TaskRef>,
    ticket: Option<Ticket>,
    /// What is to be said once, and then no more.
    refusal: Option<Error>,
    input: Input<I>,
    open: bool,
    /// The pool has ended under the job.
    over: bool,
    /// What the input panicked with: handed on behind all outcomes.
    panic: Option<Box<dyn Any + Send>>,
    pub window: u64,
    /// How long the input took for its last item, if that was long.
    slow: Option<Duration>,
    /// Items carry descriptors, of which a process has few.
    heavy: bool,
    numbers: Numbers,
    /// How many outcomes were handed on.
    pub yielded: u64,
    ready: VecDeque<Numbered<R>>,
    results: Results,
}

impl<I: Iterator, R: DeserializeOwned> Flow<I, R> {
    pub fn new(shared: &Arc<Shared>, task: Result<TaskRef, Error>, input: Input<I>) -> Self {
        let (task, refusal) = match task {
            Ok(task) => (Some(task), None),
            Err(error) => (None, Some(error)),
        };
        let policy = &shared.config.policy;
        let chunks = policy.chunk.map_or(0, |chunk| 2 * chunk.get());
        let each = chunks.max(limits::READ_AHEAD_PER_WORKER);
        Self {
            shared: shared.clone(),
            task,
            ticket: None,
            refusal,
            input,
            open: true,
            over: false,
            panic: None,
            window: each * policy.workers.get() as u64,
            slow: None,
            heavy: false,
            numbers: Numbers::default(),
            yielded: 0,
            ready: VecDeque::new(),
            results: Results::default(),
        }
    }

    /// The next outcome that comes, pending if none comes `until` then; the caller has no use for items that are `window` or more
    /// behind `oldest`.
    pub fn next(&mut self, oldest: u64, until: Until<'_>) -> Poll<Option<Result<Numbered<R>, Error>>> {
        if let Some(error) = self.refusal.take() {
            return Poll::Ready(Some(Err(error)));
        }
        // An error ends the iteration, and so does a panic of the input.
        let Some(task) = self.task.take() else { return Poll::Ready(None) };
        if let Err(error) = self.shared.refuse_copy() {
            return Poll::Ready(Some(Err(error)));
        }
        let ticket = match self.ticket.take().map_or_else(|| self.submit(task, until), Ok) {
            Ok(ticket) => ticket,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        let giving_up = CancelOnDrop(&ticket);
        let outcome = self.advance(&ticket, oldest, until, task.1);
        std::mem::forget(giving_up);
        self.ticket = Some(ticket);
        match outcome {
            Ok(Poll::Ready(None)) => {
                if let Some(panic) = self.panic.take() {
                    resume_unwind(panic);
                }
                self.task = Some(task);
                Poll::Ready(None)
            }
            Ok(outcome) => {
                self.task = Some(task);
                outcome.map(|next| next.map(Ok))
            }
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    fn submit(&self, task: TaskRef, until: Until<'_>) -> Result<Ticket, Error> {
        match until {
            // What was read ahead goes on while the caller is busy with what it has.
            Until::Endless | Until::Deadline(_) => self.shared.help(),
            Until::Woken(_) => self.shared.start_helper()?,
        }
        let kind = Kind { itemised: true, each: true, open: true, on_failure: OnFailure::Continue };
        Ok(Ticket::submit(&self.shared, task, kind, None))
    }

    /// The same with the position of its item in the input; an error that is not about an item has that of the next one.
    pub fn next_placed(&mut self, until: Until<'_>) -> Poll<Option<(usize, Result<R, Error>)>> {
        let yielded = self.yielded;
        self.next(yielded, until).map(|next| {
            Some(match next? {
                Ok((number, outcome)) => (number as usize, outcome),
                Err(error) => (yielded as usize, Err(error)),
            })
        })
    }

    /// What is said when no outcome came in time.
    pub fn timed_out(&self, timeout: Duration) -> Error {
        let what = format!("no item has ended within {timeout:?}; the iteration can go on");
        let error = Error::new(ErrorKind::TimedOut, what);
        match self.task {
            Some((_, entry)) => error.for_task(entry.name),
            None => error,
        }
    }

    /// Pulls items and waits for an outcome. Of an input that takes its time no more is pulled while there is one to hand on.
    fn advance(
        &mut self,
        ticket: &Ticket,
        oldest: u64,
        until: Until<'_>,
        task: &'static Entry,
    ) -> Result<Poll<Option<Numbered<R>>>, Error> {
        // Each call pulls, however little time there is: otherwise who only looks would see no end of a slow input.
        let mut has_pulled = false;
        loop {
            if self.slow.is_none() {
                if self.refill(ticket, oldest, task) {
                    break;
                }
                has_pulled = true;
            }
            if self.input.pulled() > self.yielded {
                let pause = self.slow.unwrap_or_default().min(PAUSE_MAX) / 8;
                self.fetch(ticket, until.within(pause), task)?;
            }
            if let Some(next) = self.hand_on() {
                return Ok(Poll::Ready(Some(next)));
            }
            if has_pulled && until.is_over() {
                // It goes on pulling when others have had their turn.
                until.wake();
                break;
            }
            self.slow = None;
        }
        if !self.fetch(ticket, until, task)? {
            return Ok(Poll::Pending);
        }
        Ok(Poll::Ready(self.hand_on()))
    }

    fn hand_on(&mut self) -> Option<Numbered<R>> {
        let next = self.ready.pop_front()?;
        self.yielded += 1;
        Some(next)
    }

    /// Has the outcomes that are there ready; waits for one, or for the end of the job, `until` then. False if none came.
    fn fetch(&mut self, ticket: &Ticket, until: Until<'_>, task: &'static Entry) -> Result<bool, Error> {
        if !self.ready.is_empty() {
            return Ok(true);
        }
        if !self.wait(ticket, until)? {
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

    /// Waits for results, or the end of the job; false if there are none `until` then.
    fn wait(&mut self, ticket: &Ticket, until: Until<'_>) -> Result<bool, Error> {
        let Some(id) = ticket.id() else { return Ok(true) };
        let (results, over) = (&mut self.results, &mut self.over);
        let mut ready = |job: Option<&mut Job>| {
            let job = job.filter(|job| !job.arrived().is_empty() || job.finished)?;
            *over = job.finished;
            job.swap_results(results);
            Some(())
        };
        let deadline = match until {
            Until::Endless => None,
            Until::Deadline(deadline) => Some(deadline),
            // Without processes or threads the calls run here.
            Until::Woken(_) if self.shared.config.backend == Backend::Inline => None,
            Until::Woken(waker) => return Ok(ticket.poll_for(Asker::Future, waker, ready).is_some()),
        };
        let me = Some(thread::current().id());
        let found = self.shared.wait(Some(id), deadline, |core| {
            let job = core.jobs.get(id)?;
            job.feeder = me;
            ready(Some(job))
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
        oldest.saturating_add(self.window).saturating_sub(self.input.pulled())
            > self.window / READ_AHEAD_SHARE
    }

    /// Keeps the workers busy while outcomes are handed on that came before their turn.
    pub fn keep_up(&mut self, oldest: u64) {
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

    /// Only the end of the pool finishes a job whose input goes on: that is the outcome of the next item, and the last. Whether there
    /// is a next one only the input knows.
    fn end_early(&mut self, task: &'static Entry) {
        self.open = false;
        match self.input.try_skip() {
            Ok(None) => {}
            Ok(Some(number)) => {
                if let Some(error) = self.shared.with(|core| core.refusal()) {
                    self.ready.push_back((number, Err(error.for_task(task.name).on_item(number))));
                }
            }
            Err(panic) => self.panic = Some(panic),
        }
    }

    /// Pulls and offers items while there is room between `oldest` and the last. False if it stops earlier, as the input is slow.
    fn refill(&mut self, ticket: &Ticket, oldest: u64, task: &'static Entry) -> bool {
        if !self.ready.is_empty() && !self.is_far_behind(oldest) {
            return true;
        }
        if self.open && self.over {
            self.end_early(task);
            return true;
        }
        let mut portions = Portions::new(&self.shared);
        // How many bytes have been offered; with descriptors among them, how much waits in all.
        let mut bytes = if self.heavy { self.waiting(ticket) } else { 0 };
        let mut began = Time::now();
        while self.open
            && self.input.pulled() < oldest.saturating_add(self.window)
            && bytes + portions.bytes() < limits::BACKLOG_BYTES
        {
            let pulled = self.input.try_pull(&mut portions, task).unwrap_or_else(|panic| {
                self.panic = Some(panic);
                None
            });
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

/// Outcomes in the order of their items.
pub struct InTurn<I: Iterator, R> {
    pub flow: Flow<I, R>,
    /// Outcomes that came before their turn; the first is the next one's.
    early: VecDeque<Option<Result<R, Error>>>,
    /// The number of the next item.
    pub next: u64,
}

impl<I: Iterator, R: DeserializeOwned> InTurn<I, R> {
    pub fn new(flow: Flow<I, R>) -> Self {
        Self { flow, early: VecDeque::new(), next: 0 }
    }

    /// The next outcome; pending if it does not come `until` then.
    pub fn next(&mut self, until: Until<'_>) -> Poll<Option<Result<R, Error>>> {
        loop {
            if let Some(Some(_)) = self.early.front() {
                self.flow.keep_up(self.next);
                self.next += 1;
                return Poll::Ready(self.early.pop_front().flatten());
            }
            let (number, outcome) = match ready!(self.flow.next(self.next, until)) {
                None => return Poll::Ready(None),
                Some(Ok(numbered)) => numbered,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            };
            let index = number.saturating_sub(self.next) as usize;
            if self.early.len() <= index {
                self.early.resize_with(index + 1, || None);
            }
            self.early[index] = Some(outcome);
        }
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

impl<I: Iterator, R> Drop for Flow<I, R> {
    fn drop(&mut self) {
        if let Some(ticket) = &self.ticket {
            ticket.cancel_from(0);
            ticket.seal();
        }
    }
}
