//! What the scheduler decided, done: results filed, items handed over, workers started and ended.

use super::config::Backend;
use super::core::{Core, death_key, socket_key};
use super::hands::{Hands, OwnCall};
use super::jobs::Job;
use super::packing::{give, hand_over};
use super::scheduler::{Action, Event, Phase, Why};
use super::station::{Failed, ProcessStation, Station, ThreadStation};
use super::waiter::Waiter;
use crate::check::never;
use crate::error::{Error, ErrorKind};
use crate::ids::{CallSeq, JobId, WorkerId};
use crate::process::children;
use crate::process::current::WorkerInfo;
use crate::process::launch::Launcher;
use crate::process::start_call::StartCall;
use crate::protocol::control::Role;
use crate::sys::Handle;
use std::ops::Range;
use std::thread;

impl Core {
    /// Does what the scheduler wants done.
    pub(super) fn carry_out(&mut self, action: Action) {
        match action {
            Action::Complete { job, items } => self.release(job, items),
            Action::Dispatch { worker, job, items, seq } => self.dispatch(worker, job, items, seq),
            Action::Finished { job } => self.finished(job),
            Action::Lost { job, item, worker: _ } => self.lost(job, item),
            Action::Dropped { job, items, why } => self.dropped(job, items, why),
            Action::Spawn { worker } => self.starting.push(worker),
            Action::Revoke { worker, from } => self.revoke(worker, from),
            Action::Quit { worker } => {
                if let Some(station) = self.station(worker) {
                    station.quit();
                }
            }
            Action::Kill { worker } => {
                if let Some(station) = self.station(worker) {
                    station.kill();
                }
            }
            Action::Ended { why } => {
                let reason = self.reason(why);
                self.note_end(why, &reason);
                self.ended = Some(reason);
            }
        }
    }

    /// Keeps an outcome whose bytes are in the buffer.
    pub(super) fn file(&mut self, id: JobId, item: u64, outcome: Result<Vec<Handle>, Failed>) {
        let Some(job) = self.jobs.get(id) else { return };
        match outcome {
            Ok(handles) => {
                if let Some(results) = job.results() {
                    results.arrive(item, &mut self.buffer, handles);
                }
            }
            Err(failed) => job.fail(item, failed.into_error(&self.buffer, job.task.1)),
        }
    }

    fn lost(&mut self, id: JobId, item: u64) {
        let report = self.last_death.clone();
        let Some(job) = self.jobs.get(id) else { return };
        let task = job.task.1.name;
        let error = match report {
            Some(report) => Error::lost(report.of_call(task)),
            None => Error::new(ErrorKind::WorkerLost, "the worker died").for_task(task),
        };
        job.fail(item, error);
        self.release(id, item..item + 1);
    }

    fn dropped(&mut self, id: JobId, items: Range<u64>, why: Why) {
        let reason = self.reason(why);
        let Some(job) = self.jobs.get(id) else { return };
        match why {
            // The caller of a `map` hears of the earlier failure only.
            Why::EarlierFailure => {}
            Why::Cancelled
            | Why::Terminated
            | Why::Closed
            | Why::Interrupted
            | Why::CrashLoop
            | Why::InitializerFailed => {
                for item in items.clone() {
                    job.fail(item, reason.clone().for_task(job.task.1.name));
                }
            }
        }
        self.release(id, items);
    }

    /// The bytes of these items are not needed any more; their job has news.
    fn release(&mut self, id: JobId, items: Range<u64>) {
        let mut freed = Vec::new();
        if let Some(job) = self.jobs.get(id) {
            job.release(items, &mut freed);
            if job.each || job.wants_more() {
                wake_threads(job);
            }
            if job.each {
                self.errands.extend(job.take_wakers().filter_map(Waiter::tell));
            }
        }
        if !freed.is_empty() {
            self.recycle(freed);
        }
    }

    fn finished(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        job.finished = true;
        self.errands.extend(std::mem::take(&mut job.waiters).into_iter().filter_map(Waiter::tell));
        if let Some(job) = self.jobs.get(id)
            && !job.wanted
        {
            self.discard(id);
        }
    }

    fn revoke(&mut self, worker: WorkerId, from: CallSeq) {
        let next = self.scheduler.next_call(worker);
        let Some(station) = self.station(worker) else { return };
        let first = station.revoke(from, next);
        self.feed_later(Event::Revoked { worker, from: first });
    }

    /// Puts an event behind those that wait: it is fed when the actions of this step have been carried out.
    fn feed_later(&mut self, event: Event) {
        self.events.push_back(event);
    }

    fn dispatch(&mut self, worker: WorkerId, id: JobId, items: Range<u64>, seq: CallSeq) {
        if self.is_refused(worker) {
            // The scheduler takes these back with those before them.
            return;
        }
        let (now, led) = (self.now, self.led);
        let idle = self.scheduler.front(worker).is_none_or(|(_, _, front)| front == seq);
        let station = self.stations.get_mut(worker.index()).and_then(Option::as_mut);
        let refused = match (self.jobs.get(id), station) {
            // It has been killed: what it says of this call would not count, whatever becomes of its memory.
            (Some(_), Some(Station::Process(station))) if station.is_broken() => Some(seq),
            (Some(job), Some(Station::Process(station))) => {
                if idle {
                    station.since = now;
                    if led {
                        // Who sleeps for us has not asked it for the bell, as it had nothing to do.
                        station.launched.lane.ask_for_bell(1);
                    }
                }
                hand_over(station, job, items, seq)
            }
            (Some(job), Some(Station::Thread(station))) => {
                give(station, job, items, seq);
                None
            }
            (None, _) => {
                never!("{id:?} has waiting items but is gone");
                Some(seq)
            }
            // Its death will be noticed.
            (Some(_), None) => Some(seq),
        };
        if let Some(from) = refused {
            self.feed_later(Event::Refused { worker, from });
        }
    }

    /// Whether a worker had no room for a call of which the scheduler has not heard. What would be handed over behind that call is taken
    /// back with it: it would run here and elsewhere, and under a number that is given to another call.
    fn is_refused(&self, worker: WorkerId) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Refused { worker: of, .. } if *of == worker))
    }

    /// Starts the workers that are to be started.
    pub(super) fn start_workers(&mut self) {
        if self.starting.is_empty() {
            return;
        }
        let workers = std::mem::take(&mut self.starting);
        let started = match self.config.backend {
            Backend::Process => self.start_processes(&workers),
            Backend::Thread | Backend::Inline => {
                workers.iter().map(|worker| self.start_hands(*worker)).collect()
            }
        };
        for (worker, started) in workers.into_iter().zip(started) {
            match started {
                Ok(station) => {
                    self.settling += 1;
                    if let Station::Process(station) = &station {
                        self.note_start(worker, Ok(station.launched.child.pid()));
                    }
                    if let Some(place) = self.stations.get_mut(worker.index()) {
                        *place = Some(station);
                    }
                }
                Err(error) => {
                    self.note_start(worker, Err(&error));
                    self.spawn_error = Some(error);
                    self.feed_later(Event::SpawnFailed { worker });
                }
            }
        }
    }

    pub(super) fn name_of(&self, worker: WorkerId) -> String {
        format!("{}-{}", self.config.name, worker.0)
    }

    fn start_processes(&self, workers: &[WorkerId]) -> Vec<Result<Station, Error>> {
        let config = &*self.config;
        let role = |worker: WorkerId| Role::Pool {
            pool: config.name.clone(),
            index: worker.0,
            initializer: config.initializer.as_ref().map(|call| call.message.clone()),
            finalizer: config.finalizer.as_ref().map(|call| call.message.clone()),
        };
        let first_and_last = [&config.initializer, &config.finalizer].into_iter().flatten();
        let attached: Vec<_> = first_and_last.flat_map(StartCall::attached).collect();
        let launcher = Launcher {
            cpus: config.cpus_each,
            surroundings: &config.surroundings,
            bell: &self.bell,
            attached: &attached,
        };
        let names: Vec<_> = workers.iter().map(|worker| self.name_of(*worker)).collect();
        let who = workers.iter().zip(&names).map(|(worker, name)| (name.as_str(), role(*worker))).collect();
        let launched = launcher.launch_all(who);
        let initializer = config.initializer.as_ref().map(|call| call.entry.name);
        let all = workers.iter().zip(&names).zip(launched);
        all.map(|((worker, name), launched)| {
            let launched = launched?;
            let watched = self.poller.add(launched.child.handle(), death_key(*worker));
            let watched = watched.and_then(|()| self.poller.add(launched.lane.handle(), socket_key(*worker)));
            watched.map_err(|error| Error::os(format!("cannot watch the process \"{name}\""), error))?;
            let listed = children::list_worker(&launched.child, name.clone());
            let station = ProcessStation::new(launched, name.clone(), initializer, listed, self.now);
            Ok(Station::Process(Box::new(station)))
        })
        .collect()
    }

    fn start_hands(&self, worker: WorkerId) -> Result<Station, Error> {
        let (config, name) = (&*self.config, self.name_of(worker));
        let info = WorkerInfo {
            index: worker.0,
            pid: std::process::id(),
            name: name.clone(),
            pool: config.name.clone(),
        };
        let hands = Hands::new(
            info,
            config.id,
            self.bell.clone(),
            config.initializer.as_ref().map(OwnCall::of),
            config.finalizer.as_ref().map(OwnCall::of),
        );
        if config.backend == Backend::Thread {
            let hands = hands.clone();
            thread::Builder::new()
                .name(name.clone())
                .spawn(move || hands.live())
                .map_err(|error| Error::os(format!("cannot start the thread \"{name}\""), error))?;
        }
        Ok(Station::Thread(ThreadStation { hands, name, skipped: None }))
    }

    /// Items are offered to a job that is finished. If the pool ended under it, they fail like those before them; if it
    /// failed by itself, nobody wants to hear of later items.
    pub fn refuse(&mut self, id: JobId, items: u64) {
        let Some(reason) = self.refusal() else { return };
        let Some(job) = self.jobs.get(id) else { return };
        for item in job.number(items) {
            job.fail(item, reason.clone().for_task(job.task.1.name));
        }
    }

    /// Why the pool takes no more items, if it does not.
    pub fn refusal(&self) -> Option<Error> {
        match self.scheduler.phase() {
            Phase::Open => None,
            Phase::Closing | Phase::Leaving => Some(self.reason(Why::Closed)),
            Phase::Ended(why) => Some(self.reason(why)),
        }
    }

    /// The error that an item gets which will never run.
    fn reason(&self, why: Why) -> Error {
        let name = &self.config.name;
        match why {
            Why::Cancelled | Why::EarlierFailure => {
                Error::new(ErrorKind::Cancelled, "it was cancelled before a worker started it")
            }
            Why::Terminated => {
                Error::new(ErrorKind::Closed, format!("the pool \"{name}\" was terminated or dropped"))
            }
            Why::Closed => Error::new(
                ErrorKind::Closed,
                format!("the pool \"{name}\" is closed and takes no more calls"),
            ),
            Why::Interrupted => {
                Error::new(ErrorKind::Interrupted, format!("Ctrl-C stopped the pool \"{name}\""))
            }
            Why::InitializerFailed => self.initializer_error.clone().unwrap_or_else(|| {
                Error::new(
                    ErrorKind::InitializerFailed,
                    format!("the initializer of the pool \"{name}\" failed"),
                )
            }),
            // Deaths after the end are of our making.
            Why::CrashLoop => self.ended.clone().unwrap_or_else(|| self.crash_loop()),
        }
    }

    fn crash_loop(&self) -> Error {
        let restart = self.config.policy.restart;
        let name = &self.config.name;
        let deaths = format!(
            "the pool \"{name}\" gave up: more than {} workers died within {:?}, or before they were ready, and no call ended in \
             between (how many may, says `PoolBuilder::restart`)",
            restart.at_most, restart.per
        );
        let message = match (&self.spawn_error, &self.last_death) {
            (Some(error), _) => format!("{deaths}; the last could not be started: {error}"),
            (None, Some(death)) => format!("{deaths}; the last: {death}"),
            (None, None) => deaths,
        };
        Error::crash_loop(message, self.last_death.clone())
    }
}

/// Tells the threads that wait for a job that it has news.
fn wake_threads(job: &Job) {
    for waiter in &job.waiters {
        if let Waiter::Thread(thread) = waiter {
            thread.unpark();
        }
    }
}
