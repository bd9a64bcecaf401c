//! Handing calls to workers, and taking them back.

use super::action::Action;
use super::credit::{Credit, refill_at};
use super::machine::Scheduler;
use super::work::Ending;
use super::workers::{Meter, Recall, Worker};
use crate::check::never;
use crate::clock::Time;
use crate::ids::{CallSeq, JobId, WorkerId};
use crate::limits::{REFUSED_RETRY, STEAL_AFTER};
use std::ops::Range;

impl Scheduler {
    /// The first `calls` calls of a worker ended.
    pub(super) fn ended(
        &mut self,
        id: WorkerId,
        calls: u64,
        ending: Ending,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let Some(worker) = self.workers.get_mut(id) else {
            never!("outcome from unknown {id:?}");
            return;
        };
        let Some((job_id, items, busy)) = worker.pop(calls, now) else {
            never!("{calls} outcomes from {id:?}, which had less to do");
            return;
        };
        if let Some((meter, rate)) = self.jobs.rate(job_id) {
            // The time goes to the job whose outcome came first; of the others that came with it nobody knows.
            if worker.meter == Meter::None || !busy.is_zero() {
                worker.meter = meter;
                rate.add_busy(busy);
            }
            if worker.meter == meter {
                rate.count(calls);
            }
        }
        let refill = worker.out() > 0 && worker.out() <= worker.refill_at;
        let rests = worker.out() == 0;
        self.workers.count_busy(id);
        self.deaths.forget();
        actions.push(Action::Complete { job: job_id, items: items.clone() });
        self.account(job_id, &items, ending, actions);
        if rests {
            self.rest(id, now, actions);
        } else if refill && self.jobs.waiting() > 0 && self.is_within() {
            self.give(id, false, now, actions);
        }
    }

    pub(super) fn refused(&mut self, id: WorkerId, from: CallSeq, now: Time, actions: &mut Vec<Action>) {
        let Some(worker) = self.workers.get_mut(id) else {
            never!("{from:?} was refused by unknown {id:?}");
            return;
        };
        if from.0 > worker.numbered() {
            // It died meanwhile, and the place knows nothing of these calls.
            return;
        }
        let refused = worker.take_from(from);
        worker.renumber(from);
        worker.refill_at = worker.out() / 2;
        if worker.out() == 0 {
            // Its ring is full of calls whose outcomes we have: it is about to clear them. Or it is about to be found dead.
            worker.hold_until = Some(now + REFUSED_RETRY);
            self.wake_at(now + REFUSED_RETRY);
        }
        self.workers.count_busy(id);
        self.give_back(&refused, actions);
        self.rest(id, now, actions);
    }

    /// Gives idle workers what waits, the first in line to the first of them. Short items for which there is no room let
    /// single calls pass: those may wait for something, and whoever made them does.
    pub(super) fn feed_idle(&mut self, now: Time, actions: &mut Vec<Action>) {
        while self.jobs.waiting() > 0 {
            let Some(id) = self.workers.idle() else { return };
            let passing = !self.is_room();
            if passing {
                self.ask_for_room(now);
                if !self.jobs.is_one_alone() {
                    return;
                }
            }
            self.give(id, passing, now, actions);
            if self.workers.idle() == Some(id) {
                never!("{id:?} is idle and takes nothing");
                return;
            }
        }
    }

    /// Hands a worker as much as its credit allows, if it takes calls; with `passing`, of single calls.
    fn give(&mut self, id: WorkerId, passing: bool, now: Time, actions: &mut Vec<Action>) {
        let credit = Credit::new(self.jobs.waiting(), self.sharers() as u64, &self.policy);
        let Some(worker) = self.workers.get_mut(id).filter(|worker| worker.is_ready()) else { return };
        while let Some(next) = self.jobs.next(passing) {
            let (room, each) = (credit.room(worker, next), next.each);
            if room == 0 {
                break;
            }
            let Some((job, items)) = self.jobs.take(room, passing) else { break };
            let seq = worker.push(job, items.clone(), credit.charge(each), now);
            worker.refill_at = refill_at(each, worker.out());
            actions.push(Action::Dispatch { worker: id, job, items, seq });
            if each.is_none() {
                break;
            }
        }
        if worker.out() > 1 {
            self.steal_at = self.steal_at.min(worker.front_since + STEAL_AFTER);
        }
        if worker.out() > 0 {
            self.workers.set_idle(id, false);
        }
        self.workers.count_busy(id);
    }

    /// The driver has published a revoke: the worker will not run the calls from `from` on.
    pub(super) fn revoked(&mut self, id: WorkerId, from: CallSeq, actions: &mut Vec<Action>) {
        let Some(worker) = self.workers.get_mut(id) else {
            never!("calls of unknown {id:?} were revoked");
            return;
        };
        let Recall::Asked { from: asked } = worker.recall else {
            // It died meanwhile, or has already answered.
            return;
        };
        debug_assert!(from >= asked, "{id:?}: {from:?} was revoked, asked was {asked:?}");
        let from = from.max(asked);
        worker.recall = Recall::Told { from };
        let back = worker.take_from(from);
        self.workers.count_busy(id);
        self.give_back(&back, actions);
    }

    pub(super) fn skipped(&mut self, id: WorkerId, from: CallSeq, now: Time, actions: &mut Vec<Action>) {
        let Some(worker) = self.workers.get_mut(id) else {
            never!("calls of unknown {id:?} were skipped");
            return;
        };
        match worker.recall {
            // It died meanwhile.
            Recall::None => return,
            // The worker goes on while the driver looks how far it has come, so calls that were told to have begun may have
            // been declined: any number of them.
            Recall::Asked { .. } | Recall::Told { .. } => {}
        }
        worker.recall = Recall::None;
        let back = worker.take_from(from);
        if worker.out() > 0 {
            never!("{id:?} skipped calls from {from:?} and has not answered those before");
        }
        self.workers.count_busy(id);
        self.give_back(&back, actions);
        self.rest(id, now, actions);
    }

    /// Asks the workers that have these items behind a running call to give them back.
    pub(super) fn recall_items(&mut self, job: JobId, items: &Range<u64>, actions: &mut Vec<Action>) {
        for id in self.workers.ids() {
            if let Some(worker) = self.workers.get_mut(id)
                && worker.is_ready()
                && worker.holds_behind_front(job, items)
            {
                recall(id, worker, actions);
            }
        }
    }

    /// Asks a worker to give back all that it has not started.
    pub(super) fn recall_all(&mut self, id: WorkerId, actions: &mut Vec<Action>) {
        if let Some(worker) = self.workers.get_mut(id) {
            recall(id, worker, actions);
        }
    }

    /// If somebody is idle and nothing waits, takes back what stands behind calls that run for long.
    pub(super) fn steal(&mut self, actions: &mut Vec<Action>) {
        if self.jobs.waiting() > 0 || self.workers.idle().is_none() {
            return;
        }
        self.steal_at = Time(u64::MAX);
        for id in self.workers.ids() {
            let Some(worker) = self.workers.get_mut(id) else { continue };
            if !worker.is_ready() || worker.out() < 2 {
                continue;
            }
            let due = worker.front_since + STEAL_AFTER;
            if due <= self.heard_until {
                recall(id, worker, actions);
            } else {
                self.steal_at = self.steal_at.min(due);
            }
        }
    }
}

fn recall(id: WorkerId, worker: &mut Worker, actions: &mut Vec<Action>) {
    if let Some((_, _, front)) = worker.front() {
        worker.recall = Recall::Asked { from: front.next() };
        actions.push(Action::Revoke { worker: id, from: front.next() });
    }
}
