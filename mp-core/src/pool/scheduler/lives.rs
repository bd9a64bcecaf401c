//! The lives of workers and of the pool: spawn, ready, idle, quit, death, and the end.

use super::action::Action;
use super::event::Why;
use super::machine::{Phase, Scheduler};
use super::workers::State;
use crate::check::never;
use crate::clock::Time;
use crate::ids::{CallSeq, WorkerId};
use std::time::Duration;

impl Scheduler {
    pub(super) fn greeted(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(id) else {
            never!("unknown {id:?} said hello");
            return;
        };
        match worker.state {
            State::Starting { .. } => worker.state = State::Initializing,
            // It will leave anyway.
            State::Quitting { .. } | State::Killed { .. } => {}
            State::Vacant { .. } | State::Initializing | State::Ready => never!("{id:?} said hello twice"),
        }
    }

    pub(super) fn ready(&mut self, id: WorkerId, now: Time, actions: &mut Vec<Action>) {
        let Some(worker) = self.workers.get_mut(id) else {
            never!("unknown {id:?} is ready");
            return;
        };
        match worker.state {
            State::Starting { .. } | State::Initializing => {
                worker.state = State::Ready;
                self.deaths.one_is_ready();
                self.rest(id, now, actions);
            }
            // It will leave anyway.
            State::Quitting { .. } | State::Killed { .. } => {}
            State::Vacant { .. } | State::Ready => never!("{id:?} became ready twice"),
        }
    }

    pub(super) fn initializer_failed(&mut self, id: WorkerId, now: Time, actions: &mut Vec<Action>) {
        match self.workers.get(id).map(|worker| worker.state) {
            Some(State::Starting { .. } | State::Initializing) => {
                self.stop(Duration::ZERO, Why::InitializerFailed, now, actions);
            }
            // Nobody waits for it any more.
            Some(State::Quitting { .. } | State::Killed { .. }) => {}
            None | Some(State::Vacant { .. } | State::Ready) => never!("{id:?} has no initializer to fail"),
        }
    }

    pub(super) fn died(
        &mut self,
        id: WorkerId,
        recorded: Option<CallSeq>,
        handed_back: bool,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let Some(worker) = self.workers.get_mut(id) else {
            never!("unknown {id:?} died");
            return;
        };
        let was_ready = matches!(worker.state, State::Ready);
        let (counts, killed) = match worker.state {
            State::Starting { .. } | State::Initializing | State::Ready => (!handed_back, false),
            State::Quitting { .. } => (false, false),
            State::Killed { counts } => (counts, true),
            State::Vacant { .. } => {
                never!("{id:?} died twice");
                return;
            }
        };
        // What we killed at the end of the pool was not lost to a crash: it is dropped with the rest.
        let lost_through =
            if killed && self.phase.ended().is_some() { None } else { worker.lost_through(recorded) };
        let back = worker.take_from(lost_through.map_or(CallSeq(0), CallSeq::next));
        let lost = worker.take_from(CallSeq(0));
        self.workers.vacate(id, now);
        self.wake_at(now);
        self.give_back(&back, actions);
        self.lose(lost, id, actions);
        if counts {
            self.count_death(was_ready, now, actions);
        }
    }

    pub(super) fn spawn_failed(&mut self, id: WorkerId, now: Time, actions: &mut Vec<Action>) {
        let counts = match self.workers.get(id).map(|worker| worker.state) {
            Some(State::Starting { .. }) => true,
            Some(State::Quitting { .. }) => false,
            Some(State::Killed { counts }) => counts,
            None | Some(State::Vacant { .. } | State::Initializing | State::Ready) => {
                never!("{id:?} was not being started");
                return;
            }
        };
        let spawn_at = now + self.deaths.spawn_retry();
        self.workers.vacate(id, spawn_at);
        self.wake_at(spawn_at);
        if counts {
            self.count_death(false, now, actions);
        }
    }

    fn count_death(&mut self, was_ready: bool, now: Time, actions: &mut Vec<Action>) {
        let ready = |id| self.workers.get(id).is_some_and(|worker| matches!(worker.state, State::Ready));
        let none_comes = !was_ready && self.deaths.add_stillborn() && !self.workers.ids().any(ready);
        let too_many = self.deaths.add(now) || none_comes;
        match self.phase {
            Phase::Open | Phase::Closing if too_many => {
                self.stop(Duration::ZERO, Why::CrashLoop, now, actions);
            }
            Phase::Open | Phase::Closing | Phase::Leaving | Phase::Ended(_) => {}
        }
    }

    /// A worker may have nothing to do now: it is idle, or its time has come to leave.
    pub(super) fn rest(&mut self, id: WorkerId, now: Time, actions: &mut Vec<Action>) {
        let max_tasks = self.policy.max_tasks_per_worker;
        let Some(worker) = self.workers.get(id) else { return };
        let free = worker.is_ready() && worker.out() == 0;
        let spent = max_tasks.is_some_and(|max| worker.numbered() >= max.get());
        let held = worker.hold_until.is_some();
        let leaving = match self.phase {
            Phase::Open | Phase::Closing => spent,
            Phase::Leaving | Phase::Ended(_) => true,
        };
        self.workers.set_idle(id, free && !leaving && !held);
        if free && leaving {
            self.quit(id, now, actions);
        }
    }

    pub(super) fn closed(&mut self) {
        match self.phase {
            Phase::Open => self.phase = Phase::Closing,
            // It takes no jobs already.
            Phase::Closing | Phase::Leaving | Phase::Ended(_) => {}
        }
    }

    /// Every job of a closed pool is finished.
    pub(super) fn leave(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.phase = Phase::Leaving;
        for id in self.workers.ids() {
            match self.workers.get(id).map(|worker| worker.state) {
                // What still runs there belongs to finished jobs: nobody waits for it longer than the grace.
                Some(State::Starting { .. } | State::Initializing | State::Ready) => {
                    self.quit(id, now, actions);
                }
                None | Some(State::Vacant { .. } | State::Quitting { .. } | State::Killed { .. }) => {}
            }
        }
    }

    /// Ends the pool: drops what has not started, and kills after the grace.
    pub(super) fn stop(&mut self, grace: Duration, why: Why, now: Time, actions: &mut Vec<Action>) {
        self.kill_at = self.kill_at.min(now + grace);
        self.wake_at(self.kill_at);
        match self.phase {
            Phase::Open | Phase::Closing | Phase::Leaving => self.phase = Phase::Ended(why),
            Phase::Ended(_) => return,
        }
        self.drop_all_waiting(why, actions);
        actions.push(Action::Ended { why });
        if self.kill_at <= now {
            return;
        }
        for id in self.workers.ids() {
            let Some(worker) = self.workers.get(id) else { continue };
            match worker.state {
                State::Starting { .. } | State::Initializing => self.quit(id, now, actions),
                State::Ready if worker.is_ready() && worker.out() > 1 => self.recall_all(id, actions),
                State::Ready => self.rest(id, now, actions),
                State::Vacant { .. } | State::Quitting { .. } | State::Killed { .. } => {}
            }
        }
    }

    /// Looks at every deadline, and finds the next.
    pub(super) fn check_deadlines(&mut self, now: Time, actions: &mut Vec<Action>) {
        let (is_end, heard) = (self.kill_at <= now, self.heard_until);
        let spawning = match self.phase {
            Phase::Open | Phase::Closing => true,
            Phase::Leaving | Phase::Ended(_) => false,
        };
        self.alarm = Time(u64::MAX);
        if !is_end && self.workers.live() > 0 {
            self.wake_at(self.kill_at);
        }
        for id in self.workers.ids() {
            let Some(worker) = self.workers.get_mut(id) else { continue };
            match worker.state {
                State::Vacant { spawn_at } if spawning && spawn_at <= now => self.spawn(id, now, actions),
                State::Vacant { spawn_at } if spawning => self.wake_at(spawn_at),
                State::Starting { until } if is_end || until <= heard => self.kill(id, !is_end, actions),
                State::Quitting { until } if is_end || until <= heard => self.kill(id, false, actions),
                State::Starting { until } | State::Quitting { until } => self.wake_at(until),
                State::Initializing | State::Ready if is_end => self.kill(id, false, actions),
                State::Vacant { .. } | State::Initializing | State::Killed { .. } => {}
                State::Ready => match worker.hold_until {
                    None => {}
                    Some(until) if until <= now => {
                        worker.hold_until = None;
                        self.rest(id, now, actions);
                    }
                    Some(until) => self.wake_at(until),
                },
            }
        }
    }

    fn spawn(&mut self, id: WorkerId, now: Time, actions: &mut Vec<Action>) {
        let until = now + self.policy.handshake;
        self.workers.occupy(id, until);
        self.wake_at(until);
        actions.push(Action::Spawn { worker: id });
    }

    fn quit(&mut self, id: WorkerId, now: Time, actions: &mut Vec<Action>) {
        let until = now + self.policy.grace;
        self.wake_at(until);
        self.workers.set_idle(id, false);
        if let Some(worker) = self.workers.get_mut(id) {
            worker.state = State::Quitting { until };
            actions.push(Action::Quit { worker: id });
        }
    }

    fn kill(&mut self, id: WorkerId, counts: bool, actions: &mut Vec<Action>) {
        self.workers.set_idle(id, false);
        if let Some(worker) = self.workers.get_mut(id) {
            worker.state = State::Killed { counts };
            actions.push(Action::Kill { worker: id });
        }
    }
}
