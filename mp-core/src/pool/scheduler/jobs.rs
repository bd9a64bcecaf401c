//! The jobs of a pool and the line in which their items wait.

use super::credit::Rate;
use super::event::OnFailure;
use super::ranges::{Ranges, len};
use super::workers::Meter;
use crate::check::never;
use crate::ids::JobId;
use std::collections::BTreeMap;
use std::ops::Range;

/// A job that is not finished.
#[derive(Debug)]
pub(super) struct Job {
    id: JobId,
    /// The place in the line of all jobs ever submitted.
    order: u64,
    pub(super) on_failure: OnFailure,
    /// No more items will be offered.
    pub(super) sealed: bool,
    /// One item and no more: an apply.
    single: bool,
    /// How many items were offered so far.
    pub(super) offered: u64,
    /// The lowest item that failed, of a job that stops then; `u64::MAX` while there is none.
    pub(super) limit: u64,
    /// How many items up to `limit` are out at workers.
    pub(super) out: u64,
    /// Items that no worker has.
    waiting: Ranges,
    /// Items to drop if they come back from a worker.
    pub(super) cancelled: Option<Box<Ranges>>,
    rate: Rate,
}

impl Job {
    /// Whether every item that anybody waits for is accounted for.
    pub(super) fn is_done(&self, pool_ended: bool) -> bool {
        self.out == 0 && self.waiting.is_empty() && (self.sealed || self.limit != u64::MAX || pool_ended)
    }

    pub(super) fn is_waiting(&self, item: u64) -> bool {
        self.waiting.contains(item)
    }
}

/// What is next in line.
#[derive(Clone, Copy)]
pub(super) struct Next {
    /// It belongs to a job of many items.
    pub(super) of_many: bool,
    /// How long one of them takes, in nanoseconds, if anybody knows.
    pub(super) each: Option<u64>,
}

/// All jobs that are not finished, by their place in the driver's job table.
#[derive(Default, Debug)]
pub(super) struct Jobs {
    slots: Vec<Option<Job>>,
    live: usize,
    submitted: u64,
    /// The jobs of many items, and those of one: the latter may pass those of many that have all the workers they need.
    many: Line,
    alone: Line,
    /// How many items wait, over all jobs.
    waiting: u64,
    /// How long the items of all one-item jobs take: each is too short-lived for a rate of its own.
    singles: Rate,
}

impl Jobs {
    /// How many jobs are not finished.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// How many items wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    pub(super) fn get(&self, id: JobId) -> Option<&Job> {
        self.slots.get(id.slot as usize)?.as_ref().filter(|job| job.id == id)
    }

    pub(super) fn get_mut(&mut self, id: JobId) -> Option<&mut Job> {
        self.slots.get_mut(id.slot as usize)?.as_mut().filter(|job| job.id == id)
    }

    /// Whose rate an item of this job measures, and that rate.
    pub(super) fn rate(&mut self, id: JobId) -> Option<(Meter, &mut Rate)> {
        if self.get(id)?.single {
            return Some((Meter::Singles, &mut self.singles));
        }
        Some((Meter::Job(id), &mut self.get_mut(id)?.rate))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.slots.iter().flatten().map(|job| (job.id, job))
    }

    /// Adds a job; its items wait at the end of the line.
    pub(super) fn add(&mut self, id: JobId, items: u64, sealed: bool, on_failure: OnFailure) {
        let slot = id.slot as usize;
        if slot >= self.slots.len() {
            self.slots.resize_with(slot + 1, || None);
        }
        if self.slots[slot].is_some() {
            never!("{id:?} was submitted into a place that is taken");
            return;
        }
        self.submitted += 1;
        self.live += 1;
        self.slots[slot] = Some(Job {
            id,
            order: self.submitted,
            on_failure,
            sealed,
            single: sealed && items == 1,
            offered: items,
            limit: u64::MAX,
            out: 0,
            waiting: Ranges::default(),
            cancelled: None,
            rate: Rate::default(),
        });
        self.wait(id, 0..items);
    }

    /// Forgets a job.
    pub(super) fn remove(&mut self, id: JobId) {
        let Some(slot) = self.slots.get_mut(id.slot as usize) else { return };
        if let Some(job) = slot.take_if(|job| job.id == id) {
            debug_assert!(job.waiting.is_empty(), "{id:?} was finished while items wait");
            self.live -= 1;
        }
    }

    /// Gives up the places of jobs that are gone.
    pub(super) fn give_up_places(&mut self) {
        if self.live == 0 {
            self.slots = Vec::new();
        } else {
            never!("the table of jobs is gone, and {} are not finished", self.live);
        }
    }

    /// Puts items that no worker has into the line: after earlier jobs and earlier items, before all others.
    pub(super) fn wait(&mut self, id: JobId, items: Range<u64>) {
        let job = self.slots.get_mut(id.slot as usize).and_then(Option::as_mut).filter(|job| job.id == id);
        let Some(job) = job else { return };
        if items.is_empty() {
            return;
        }
        if job.waiting.is_empty() {
            let line = if job.single { &mut self.alone } else { &mut self.many };
            line.add(job.order, id.slot);
        }
        self.waiting += len(&items);
        job.waiting.insert(items);
    }

    /// The first job in line, or with `passing` the first of one item.
    fn head(&self, passing: bool) -> Option<&Job> {
        let many = if passing { None } else { self.many.head };
        // By their orders, where both lines have a head.
        let (_, slot) = many.into_iter().chain(self.alone.head).min()?;
        self.slots.get(slot as usize)?.as_ref()
    }

    /// Whether a job of one item waits.
    pub(super) fn is_one_alone(&self) -> bool {
        self.alone.head.is_some()
    }

    /// The items that are next. With `passing`, as if there were only jobs of one item.
    pub(super) fn next(&self, passing: bool) -> Option<Next> {
        let job = self.head(passing)?;
        let rate = if job.single { &self.singles } else { &job.rate };
        Some(Next { of_many: !job.single, each: rate.each() })
    }

    /// How long the items take that are next, if they are many of one job.
    pub(super) fn next_of_many(&self) -> Option<&Rate> {
        self.head(false).filter(|job| !job.single).map(|job| &job.rate)
    }

    /// Takes the next items for a worker: at most `limit`, and of one job. With `passing` as [`next`](Self::next).
    pub(super) fn take(&mut self, limit: u64, passing: bool) -> Option<(JobId, Range<u64>)> {
        let slot = self.head(passing)?.id.slot;
        let job = self.slots.get_mut(slot as usize)?.as_mut()?;
        let items = job.waiting.take(limit);
        job.out += len(&items);
        self.waiting -= len(&items);
        if job.waiting.is_empty() {
            let line = if job.single { &mut self.alone } else { &mut self.many };
            line.remove(job.order);
        }
        Some((job.id, items))
    }

    /// Takes those of these items that wait out of the line, and tells which.
    pub(super) fn drop_waiting(
        &mut self,
        id: JobId,
        items: &Range<u64>,
        mut dropped: impl FnMut(Range<u64>),
    ) {
        let job = self.slots.get_mut(id.slot as usize).and_then(Option::as_mut).filter(|job| job.id == id);
        let Some(job) = job else { return };
        let was_empty = job.waiting.is_empty();
        job.waiting.remove(items, |range| {
            self.waiting -= len(&range);
            dropped(range);
        });
        if job.waiting.is_empty() && !was_empty {
            let line = if job.single { &mut self.alone } else { &mut self.many };
            line.remove(job.order);
        }
    }

    /// The job at the head of the line.
    pub(super) fn first(&self) -> Option<JobId> {
        self.head(false).map(|job| job.id)
    }
}

/// The jobs that have waiting items, in the order in which they were submitted. A priority would go before the order.
#[derive(Default, Debug)]
struct Line {
    /// The head is kept apart, so that one job after the other costs no allocation.
    head: Option<(u64, u32)>,
    others: BTreeMap<u64, u32>,
}

impl Line {
    fn add(&mut self, order: u64, slot: u32) {
        match self.head {
            None => self.head = Some((order, slot)),
            Some((first, _)) if first < order => {
                self.others.insert(order, slot);
            }
            Some((first, other)) => {
                self.others.insert(first, other);
                self.head = Some((order, slot));
            }
        }
    }

    fn remove(&mut self, order: u64) {
        if self.head.is_some_and(|(first, _)| first == order) {
            self.head = self.others.pop_first();
        } else {
            self.others.remove(&order);
        }
    }
}
