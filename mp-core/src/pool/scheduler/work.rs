//! What happens to jobs: submitted, offered, sealed, cancelled, accounted for.

use super::action::Action;
use super::event::{OnFailure, Why};
use super::machine::{Phase, Scheduler};
use super::ranges::{Ranges, len, overlap};
use super::workers::Span;
use crate::ids::{JobId, WorkerId};
use std::ops::Range;

/// How an item that was out at a worker ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Returned,
    Failed,
}

impl Scheduler {
    pub(super) fn submitted(
        &mut self,
        job: JobId,
        items: u64,
        (sealed, on_failure): (bool, OnFailure),
        actions: &mut Vec<Action>,
    ) {
        let refused = match self.phase {
            Phase::Open => None,
            Phase::Closing | Phase::Leaving => Some(Why::Closed),
            Phase::Ended(why) => Some(why),
        };
        if let Some(why) = refused {
            push_dropped(job, 0..items, why, actions);
            actions.push(Action::Finished { job });
            return;
        }
        if self.workers.busy() == 0 {
            self.narrow();
        }
        self.jobs.add(job, items, sealed, on_failure);
        self.finish_if_done(job, actions);
    }

    pub(super) fn offered(&mut self, id: JobId, items: u64, actions: &mut Vec<Action>) {
        let ended = self.phase.ended();
        // The driver hears of the end of a job only after it carried out the actions of that step.
        let Some(job) = self.jobs.get_mut(id) else { return };
        debug_assert!(!job.sealed, "{id:?} is sealed and got more items");
        let items = job.offered..job.offered.saturating_add(items);
        job.offered = items.end;
        if let Some(why) = ended.or((job.limit != u64::MAX).then_some(Why::EarlierFailure)) {
            push_dropped(id, items, why, actions);
        } else {
            self.jobs.wait(id, items);
        }
    }

    pub(super) fn sealed(&mut self, id: JobId, actions: &mut Vec<Action>) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.sealed = true;
            self.finish_if_done(id, actions);
        }
    }

    pub(super) fn cancelled(&mut self, id: JobId, items: &Range<u64>, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let items = overlap(&(0..job.offered), items);
        if job.out > 0 {
            job.cancelled.get_or_insert_default().unite(items.clone());
        }
        let any_out = job.out > 0;
        self.jobs.drop_waiting(id, &items, |range| push_dropped(id, range, Why::Cancelled, actions));
        if any_out {
            self.recall_items(id, &items, actions);
        }
        self.finish_if_done(id, actions);
    }

    /// Takes back the cancelling of items that are out: their owner was told that it came too late. One that its worker
    /// was about to start may come back all the same, and then runs after all.
    pub fn keep(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.cancelled = None;
        }
    }

    /// Items that were out will not come back.
    pub(super) fn account(
        &mut self,
        id: JobId,
        items: &Range<u64>,
        ending: Ending,
        actions: &mut Vec<Action>,
    ) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let wanted = overlap(items, &(0..job.limit.saturating_add(1)));
        if wanted.is_empty() {
            return;
        }
        job.out -= len(&wanted);
        match (ending, job.on_failure) {
            (Ending::Failed, OnFailure::StopLater) => self.stop_later(id, wanted.start, actions),
            (Ending::Failed, OnFailure::CancelLater) => {
                self.cancelled(id, &(wanted.start + 1..u64::MAX), actions);
            }
            (Ending::Failed, OnFailure::Continue) | (Ending::Returned, _) => {}
        }
        self.finish_if_done(id, actions);
    }

    /// The worker that ran these items is gone.
    pub(super) fn lose(&mut self, mut lost: Vec<Span>, worker: WorkerId, actions: &mut Vec<Action>) {
        // The first failure of a job makes those behind it unwanted, and not those before.
        lost.sort_unstable_by_key(|span| span.items.start);
        for Span { job, items, .. } in &lost {
            if self.jobs.get(*job).is_some() {
                actions.extend(items.clone().map(|item| Action::Lost { job: *job, item, worker }));
            }
        }
        // Only now has every job heard of all its items.
        for span in &lost {
            self.account(span.job, &span.items, Ending::Failed, actions);
        }
    }

    /// Items that were out come back unstarted: they go where they were, or are dropped if nobody wants them any more.
    pub(super) fn give_back(&mut self, spans: &[Span], actions: &mut Vec<Action>) {
        let ended = self.phase.ended();
        for Span { job: id, items, .. } in spans {
            let Some(job) = self.jobs.get_mut(*id) else { continue };
            let wanted = overlap(items, &(0..job.limit.saturating_add(1)));
            push_dropped(*id, wanted.end..items.end, Why::EarlierFailure, actions);
            job.out -= len(&wanted);
            let mut back = Ranges::default();
            back.insert(wanted);
            if let Some(why) = ended {
                back.remove(items, |range| push_dropped(*id, range, why, actions));
            } else if let Some(cancelled) = &mut job.cancelled {
                cancelled.remove(items, |gone| {
                    back.remove(&gone, |range| push_dropped(*id, range, Why::Cancelled, actions));
                });
            }
            while !back.is_empty() {
                self.jobs.wait(*id, back.take(u64::MAX));
            }
        }
        // Only now has every job heard of all its items.
        for span in spans {
            self.finish_if_done(span.job, actions);
        }
    }

    /// Drops everything that waits, and finishes the jobs of which nothing is out.
    pub(super) fn drop_all_waiting(&mut self, why: Why, actions: &mut Vec<Action>) {
        while let Some(job) = self.jobs.first() {
            self.jobs.drop_waiting(job, &(0..u64::MAX), |range| push_dropped(job, range, why, actions));
        }
        let done: Vec<JobId> =
            self.jobs.iter().filter(|(_, job)| job.is_done(true)).map(|(id, _)| id).collect();
        for job in done {
            self.finish_if_done(job, actions);
        }
    }

    /// Nothing after this item is wanted any more.
    fn stop_later(&mut self, id: JobId, item: u64, actions: &mut Vec<Action>) {
        let later = item + 1..u64::MAX;
        self.jobs.drop_waiting(id, &later, |range| push_dropped(id, range, Why::EarlierFailure, actions));
        let out = self.workers.iter().map(|(_, worker)| worker.count(id, item)).sum();
        if let Some(job) = self.jobs.get_mut(id) {
            job.limit = item;
            job.out = out;
        }
        self.recall_items(id, &later, actions);
    }

    fn finish_if_done(&mut self, id: JobId, actions: &mut Vec<Action>) {
        let ended = self.phase.ended().is_some();
        if self.jobs.get(id).is_some_and(|job| job.is_done(ended)) {
            self.jobs.remove(id);
            actions.push(Action::Finished { job: id });
        }
    }
}

fn push_dropped(job: JobId, items: Range<u64>, why: Why, actions: &mut Vec<Action>) {
    if !items.is_empty() {
        actions.push(Action::Dropped { job, items, why });
    }
}
