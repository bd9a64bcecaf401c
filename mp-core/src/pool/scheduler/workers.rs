//! The places of a pool: who is there, and which calls are out.

use super::ranges::{len, overlap};
use crate::clock::Time;
use crate::ids::{CallSeq, JobId, WorkerId};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// What a place of the pool looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// Nobody is there.
    Vacant,
    /// A process was started and has not said hello.
    Starting,
    /// The initializer runs.
    Initializing,
    /// It takes calls.
    Ready,
    /// It was asked to leave.
    Quitting,
    /// It was killed and its death has not been seen.
    Killed,
}

/// [`WorkerState`] with what belongs to each.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Vacant { spawn_at: Time },
    Starting { until: Time },
    Initializing,
    Ready,
    Quitting { until: Time },
    Killed { counts: bool },
}

/// Where the taking back of calls stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recall {
    None,
    /// The driver was asked to publish it.
    Asked {
        from: CallSeq,
    },
    /// The driver did; the worker will not run the calls from `from` on, and says so when it gets there.
    Told {
        from: CallSeq,
    },
}

/// Whose rate an outcome measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meter {
    None,
    Singles,
    Job(JobId),
}

/// Calls with consecutive numbers for consecutive items of one job. An attempt number would be here.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) job: JobId,
    pub(super) items: Range<u64>,
    seq: CallSeq,
    /// What one of the items adds to the backlog.
    charge: u64,
}

/// One place and the process in it.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) state: State,
    pub(super) recall: Recall,
    calls: VecDeque<Span>,
    out: u64,
    /// The number of the next call.
    next: CallSeq,
    /// When the front call started, as far as we know: when the one before it ended or it came to an idle worker.
    pub(super) front_since: Time,
    pub(super) meter: Meter,
    /// How many nanoseconds of work are out, as estimated when they were handed over.
    backlog: u64,
    /// It counts among those that have calls.
    busy: bool,
    /// At how many calls out it is worth while to hand over more.
    pub(super) refill_at: u64,
    /// It refused a call while nothing was out: leave it alone until then.
    pub(super) hold_until: Option<Time>,
}

impl Worker {
    fn vacant(spawn_at: Time) -> Self {
        Self {
            state: State::Vacant { spawn_at },
            recall: Recall::None,
            calls: VecDeque::new(),
            out: 0,
            next: CallSeq(1),
            front_since: Time(0),
            meter: Meter::None,
            backlog: 0,
            busy: false,
            refill_at: 0,
            hold_until: None,
        }
    }

    /// How many calls are out.
    pub(super) fn out(&self) -> u64 {
        self.out
    }

    pub(super) fn backlog(&self) -> u64 {
        self.backlog
    }

    /// How many call numbers were used.
    pub(super) fn numbered(&self) -> u64 {
        self.next.0 - 1
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready) && self.recall == Recall::None
    }

    /// The call that runs, or runs next.
    pub(super) fn front(&self) -> Option<(JobId, u64, CallSeq)> {
        self.calls.front().map(|span| (span.job, span.items.start, span.seq))
    }

    /// The calls that were handed over together with the front one; the number of the first.
    pub(super) fn front_run(&self) -> Option<(JobId, Range<u64>, CallSeq)> {
        self.calls.front().map(|span| (span.job, span.items.clone(), span.seq))
    }

    /// Hands over calls and tells the number of the first.
    pub(super) fn push(&mut self, job: JobId, items: Range<u64>, charge: u64, now: Time) -> CallSeq {
        if self.out == 0 {
            self.front_since = now;
            self.meter = Meter::None;
        }
        let seq = self.next;
        self.next = CallSeq(seq.0 + len(&items));
        self.out += len(&items);
        self.backlog += charge.saturating_mul(len(&items));
        self.calls.push_back(Span { job, items, seq, charge });
        seq
    }

    /// The first `calls` calls ended. Tells which they were and how long the worker was busy since the last one ended.
    pub(super) fn pop(&mut self, calls: u64, now: Time) -> Option<(JobId, Range<u64>, Duration)> {
        let span = self.calls.front_mut().filter(|span| calls <= len(&span.items))?;
        let (job, items) = (span.job, span.items.start..span.items.start + calls);
        self.backlog -= span.charge.saturating_mul(calls);
        self.out -= calls;
        span.items.start = items.end;
        span.seq = CallSeq(span.seq.0 + calls);
        if span.items.is_empty() {
            self.calls.pop_front();
        }
        let busy = now.since(self.front_since);
        self.front_since = now;
        Some((job, items, busy))
    }

    /// Takes back every call from `from` on.
    pub(super) fn take_from(&mut self, from: CallSeq) -> Vec<Span> {
        let mut taken = Vec::new();
        while let Some(span) = self.calls.back_mut() {
            let below = from.0.saturating_sub(span.seq.0);
            if below >= len(&span.items) {
                break;
            }
            let items = span.items.start + below..span.items.end;
            self.out -= len(&items);
            self.backlog -= span.charge.saturating_mul(len(&items));
            taken.push(Span { job: span.job, items, seq: CallSeq(span.seq.0 + below), charge: span.charge });
            span.items.end = span.items.start + below;
            if below == 0 {
                self.calls.pop_back();
            }
        }
        taken
    }

    /// Calls from `from` on were never written: their numbers are free.
    pub(super) fn renumber(&mut self, from: CallSeq) {
        self.next = CallSeq(self.next.0.min(from.0).max(1));
    }

    /// Up to which call all are lost with a worker that died, given the last one that it began by what its recorder says. All but
    /// one of them have ended, in ways that nobody could take.
    pub(super) fn lost_through(&self, recorded: Option<CallSeq>) -> Option<CallSeq> {
        let (recorded, (_, _, front)) = (recorded?, self.front()?);
        // Less: it died between publishing the outcome, which counts, and clearing the recorder. More than it was handed: that
        // memory was written over.
        (recorded >= front).then(|| if recorded < self.next { recorded } else { front })
    }

    /// How many items of a job below `end` are out here.
    pub(super) fn count(&self, job: JobId, end: u64) -> u64 {
        self.calls
            .iter()
            .filter(|span| span.job == job)
            .map(|span| len(&overlap(&span.items, &(0..end))))
            .sum()
    }

    /// Whether a call behind the front one is for one of these items.
    pub(super) fn holds_behind_front(&self, job: JobId, items: &Range<u64>) -> bool {
        self.calls.iter().enumerate().any(|(i, span)| {
            let behind = span.items.start + u64::from(i == 0)..span.items.end;
            span.job == job && !overlap(&behind, items).is_empty()
        })
    }

    /// The number of the call for an item, if it is out here.
    pub(super) fn find(&self, job: JobId, item: u64) -> Option<CallSeq> {
        let span = self.calls.iter().find(|span| span.job == job && span.items.contains(&item))?;
        Some(CallSeq(span.seq.0 + (item - span.items.start)))
    }
}

/// All places.
#[derive(Debug)]
pub(super) struct Workers {
    places: Vec<Worker>,
    /// Which workers are ready and have nothing to do: one bit each.
    idle: Vec<u64>,
    live: usize,
    /// How many have calls.
    busy: usize,
}

impl Workers {
    pub(super) fn new(count: usize) -> Self {
        let places = (0..count).map(|_| Worker::vacant(Time(0))).collect();
        Self { places, idle: vec![0; count.div_ceil(64)], live: 0, busy: 0 }
    }

    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    /// How many processes there are.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// How many have calls.
    pub(super) fn busy(&self) -> usize {
        self.busy
    }

    /// Counts a worker that was given calls, or has lost some, among those that have calls or among the others.
    pub(super) fn count_busy(&mut self, id: WorkerId) {
        if let Some(worker) = self.places.get_mut(id.index()) {
            let busy = worker.out > 0;
            match (std::mem::replace(&mut worker.busy, busy), busy) {
                (false, true) => self.busy += 1,
                (true, false) => self.busy -= 1,
                (false, false) | (true, true) => {}
            }
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = WorkerId> + use<> {
        (0..self.places.len() as u32).map(WorkerId)
    }

    pub(super) fn get(&self, id: WorkerId) -> Option<&Worker> {
        self.places.get(id.index())
    }

    pub(super) fn get_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.places.get_mut(id.index())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (WorkerId, &Worker)> {
        self.places.iter().enumerate().map(|(i, worker)| (WorkerId(i as u32), worker))
    }

    /// A process was started in a place.
    pub(super) fn occupy(&mut self, id: WorkerId, until: Time) {
        if let Some(worker) = self.places.get_mut(id.index()) {
            worker.state = State::Starting { until };
            self.live += 1;
        }
    }

    /// The process of a place is gone; a new one may be started at `spawn_at`.
    pub(super) fn vacate(&mut self, id: WorkerId, spawn_at: Time) {
        if let Some(worker) = self.places.get_mut(id.index()) {
            debug_assert!(worker.out == 0, "calls of {id:?} were forgotten");
            self.busy -= usize::from(worker.busy);
            *worker = Worker::vacant(spawn_at);
            self.live -= 1;
            self.set_idle(id, false);
        }
    }

    pub(super) fn set_idle(&mut self, id: WorkerId, idle: bool) {
        let bit = 1 << (id.index() % 64);
        let word = &mut self.idle[id.index() / 64];
        *word = if idle { *word | bit } else { *word & !bit };
    }

    /// The first idle worker.
    pub(super) fn idle(&self) -> Option<WorkerId> {
        let word = self.idle.iter().position(|word| *word != 0)?;
        Some(WorkerId(word as u32 * 64 + self.idle[word].trailing_zeros()))
    }
}
