//! The books of a simulated world: what became of every item, and what is out at every worker, kept from the events
//! and actions alone.

use super::super::{Action, OnFailure, Why};
use crate::ids::{CallSeq, JobId, WorkerId};
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Open,
    Complete { failed: bool },
    Lost,
    Dropped(Why),
}

/// What is known of a job.
#[derive(Debug)]
pub(super) struct JobBook {
    pub(super) items: Vec<Item>,
    pub(super) sealed: bool,
    pub(super) on_failure: OnFailure,
    pub(super) finished: bool,
    pub(super) serial: u64,
}

/// What the driver knows of a worker.
#[derive(Default, Debug)]
pub(super) struct WorkerBook {
    pub(super) out: VecDeque<(CallSeq, JobId, u64)>,
    pub(super) next: u64,
    pub(super) ready: bool,
    pub(super) leaving: bool,
    pub(super) revoking: bool,
}

#[derive(Default)]
pub(super) struct Books {
    pub(super) jobs: HashMap<JobId, JobBook>,
    pub(super) workers: Vec<WorkerBook>,
    pub(super) ended: Option<Why>,
    /// The actions of this step say so, or those of one before.
    pub(super) ending: bool,
    /// The items that the outcome of this step belongs to, and whether it is a failure.
    pub(super) expected: Option<(JobId, Range<u64>, bool)>,
    /// The items that the worker whose death is told in this step was running, or ran and could not tell of.
    pub(super) was_running: Vec<(JobId, u64)>,
}

impl Books {
    /// Enters an action; panics if it breaks a promise.
    pub(super) fn enter(&mut self, action: &Action, max_tasks: u64) {
        match action {
            Action::Spawn { worker } => {
                self.workers[worker.index()] = WorkerBook { next: 1, ..WorkerBook::default() };
            }
            Action::Dispatch { worker, job, items, seq } => {
                let book = &mut self.workers[worker.index()];
                assert!(book.ready && !book.leaving && !book.revoking, "dispatch to {worker:?}: {book:?}");
                assert_eq!(seq.0, book.next, "a gap in the calls of {worker:?}");
                assert!(!items.is_empty());
                for (item, seq) in items.clone().zip(seq.0..) {
                    book.out.push_back((CallSeq(seq), *job, item));
                }
                book.next += items.end - items.start;
                assert!(book.next - 1 <= max_tasks, "{worker:?} got more than its life allows");
                assert!(book.out.len() as u64 <= crate::limits::CALLS_OUT_MAX);
                let out_twice = |item| {
                    self.workers.iter().flat_map(|w| &w.out).filter(|o| (o.1, o.2) == (*job, item)).count()
                };
                for item in items.clone() {
                    assert_eq!(out_twice(item), 1, "{job:?} item {item} is out twice");
                    assert_eq!(
                        self.jobs[job].items[item as usize],
                        Item::Open,
                        "{job:?} item {item} is over"
                    );
                }
                assert!(!self.jobs[job].finished, "{job:?} is finished");
            }
            Action::Revoke { worker, from } => {
                let book = &mut self.workers[worker.index()];
                assert!(book.ready && !book.leaving && !book.revoking, "revoke at {worker:?}: {book:?}");
                assert_eq!(from.0, book.out[0].0.0 + 1);
                book.revoking = true;
            }
            Action::Quit { worker } | Action::Kill { worker } => self.workers[worker.index()].leaving = true,
            Action::Complete { job, items } => {
                let (expected, numbers, failed) = self.expected.take().expect("an outcome");
                assert_eq!((*job, items), (expected, &numbers), "the outcome was put down to other items");
                for item in numbers {
                    self.account(*job, item, Item::Complete { failed }, true);
                }
            }
            Action::Lost { job, item, .. } => {
                let running = self.was_running.iter().position(|running| *running == (*job, *item));
                let running = running.unwrap_or_else(|| panic!("{job:?} item {item} was not running"));
                self.was_running.swap_remove(running);
                self.account(*job, *item, Item::Lost, false);
            }
            Action::Dropped { job, items, why } => {
                assert!(!items.is_empty());
                for item in items.clone() {
                    self.account(*job, item, Item::Dropped(*why), false);
                    assert!(!self.is_out(*job, item), "{job:?} item {item} was dropped and is out");
                }
            }
            Action::Finished { job } => self.finish(*job),
            Action::Ended { why } => assert_eq!(self.ended.replace(*why), None, "the pool ended twice"),
        }
    }

    pub(super) fn is_out(&self, job: JobId, item: u64) -> bool {
        self.workers.iter().flat_map(|worker| &worker.out).any(|out| (out.1, out.2) == (job, item))
    }

    /// Calls of a worker from `from` on are not out any more.
    pub(super) fn cut(&mut self, worker: WorkerId, from: CallSeq) {
        self.workers[worker.index()].out.retain(|call| call.0 < from);
    }

    fn account(&mut self, job: JobId, item: u64, what: Item, late_is_fine: bool) {
        let book = self.jobs.get_mut(&job).expect("a known job");
        if book.finished {
            assert!(late_is_fine, "{job:?} is finished, and then item {item}: {what:?}");
            return;
        }
        let entry = &mut book.items[item as usize];
        assert_eq!(*entry, Item::Open, "{job:?} item {item} twice: {what:?}");
        *entry = what;
    }

    fn finish(&mut self, job: JobId) {
        let book = &self.jobs[&job];
        assert!(!book.finished, "{job:?} was finished twice");
        let bad = |item: &Item| matches!(item, Item::Complete { failed: true } | Item::Lost);
        let first = book.items.iter().position(bad).filter(|_| book.on_failure == OnFailure::StopLater);
        let needed = first.map_or(book.items.len(), |first| first + 1);
        let refused = book.items.iter().all(|item| matches!(item, Item::Dropped(Why::Closed)));
        assert!(book.sealed || first.is_some() || self.ending || refused, "{job:?} was not sealed");
        for (item, what) in book.items.iter().enumerate() {
            let unheard = *what == Item::Open;
            assert!(!unheard || item >= needed, "{job:?} was finished before item {item}");
            assert!(!unheard || self.is_out(job, item as u64), "{job:?}: nobody heard of item {item}");
            let early = first.is_none_or(|first| item < first);
            assert!(
                !early || *what != Item::Dropped(Why::EarlierFailure),
                "{job:?} item {item}: nothing failed before"
            );
        }
        self.jobs.entry(job).and_modify(|book| book.finished = true);
    }
}
