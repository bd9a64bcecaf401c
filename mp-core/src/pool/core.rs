//! Carries out what the scheduler decides, and tells it what happened: everything that is done under the pool's lock.
//! No code of a user runs here: callbacks and wakers are put aside until the lock is free.

use super::config::Config;
use super::jobs::{Job, Jobs};
use super::scheduler::{Action, Event, Scheduler};
use super::station::{Failed, Said, Station};
use super::waiter::Errand;
use crate::check::never;
use crate::clock::Time;
use crate::error::{Error, WorkerLost};
use crate::ids::{CallSeq, JobId, WorkerId};
use crate::limits;
use crate::raw::sleep::Patience;
use crate::shm::slab::{Slab, SlabPool};
use crate::sys::Handle;
use crate::sys::bell::Bell;
use crate::sys::poller::Poller;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The state of a pool that its lock protects.
pub struct Core {
    pub config: Arc<Config>,
    pub scheduler: Scheduler,
    pub jobs: Jobs,
    pub stations: Vec<Option<Station>>,
    /// Somebody feeds this pool right now, or sleeps for it.
    pub led: bool,
    /// What is to be run without the lock.
    pub errands: Vec<Errand>,
    pub slabs: Arc<SlabPool>,
    /// What became of the pool, once it ended before its time.
    pub ended: Option<Error>,
    /// Why the last worker could not be started.
    pub spawn_error: Option<Error>,
    /// Threads that wait while somebody else leads.
    pub followers: Vec<thread::Thread>,
    /// What the leader remembers of its waits.
    pub patience: Patience,
    /// How many Ctrl-C this pool has seen.
    pub interrupts: u64,
    /// What the helper thread is at.
    pub helper: Helper,
    /// When somebody last waited for this pool, and so led it.
    pub attended: Time,
    /// The pool is being dropped: its helper thread leaves.
    pub stopping: bool,
    /// How many processes have been started and are not ready yet.
    pub(super) settling: usize,
    /// When those were last asked.
    caught_up: Time,
    /// A long result has been read in part.
    pub(super) receiving: bool,
    /// When what happens now happens.
    pub(super) now: Time,
    pub(super) poller: Arc<Poller>,
    pub(super) bell: Arc<Bell>,
    pub(super) events: VecDeque<Event>,
    actions: Vec<Action>,
    /// Workers that are to be started.
    pub(super) starting: Vec<WorkerId>,
    pub(super) buffer: Vec<u8>,
    pub(super) initializer_error: Option<Error>,
    pub(super) last_death: Option<WorkerLost>,
}

/// What the helper thread is at, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// Asleep until there is something to do.
    Idle,
    /// Looking from time to time whether anybody leads.
    Watching,
    /// Asleep until whoever leads lets go of it.
    Dozing,
    /// Leading, as nobody else does.
    Leading,
    /// Leading, and somebody waits who could do so without a detour.
    Relieved,
}

impl Helper {
    /// Whether it has to be woken when nobody leads.
    pub fn sleeps_long(self) -> bool {
        match self {
            Self::Idle | Self::Dozing => true,
            Self::Watching | Self::Leading | Self::Relieved => false,
        }
    }
}

/// How long workers that settle are not asked for, for each that there is: about ten times what asking one takes.
const CATCH_UP_EACH: Duration = Duration::from_micros(10);

/// The poller's keys: the bell, then two for each place.
pub const BELL: u64 = 0;

pub(super) fn death_key(worker: WorkerId) -> u64 {
    1 + 2 * u64::from(worker.0)
}

pub(super) fn socket_key(worker: WorkerId) -> u64 {
    2 + 2 * u64::from(worker.0)
}

impl Core {
    /// A pool whose workers have not been started.
    pub fn new(config: Arc<Config>, poller: Arc<Poller>, bell: Arc<Bell>, slabs: Arc<SlabPool>) -> Self {
        let stations = (0..config.policy.workers.get()).map(|_| None).collect();
        Self {
            scheduler: Scheduler::new(config.policy.clone()),
            config,
            jobs: Jobs::default(),
            stations,
            led: false,
            errands: Vec::new(),
            slabs,
            ended: None,
            spawn_error: None,
            followers: Vec::new(),
            patience: Patience::default(),
            interrupts: crate::sys::at_work::count(),
            helper: Helper::Watching,
            attended: Time(0),
            stopping: false,
            settling: 0,
            caught_up: Time(0),
            receiving: false,
            now: Time::now(),
            poller,
            bell,
            events: VecDeque::new(),
            actions: Vec::new(),
            starting: Vec::new(),
            buffer: Vec::new(),
            initializer_error: None,
            last_death: None,
        }
    }

    /// Tells the scheduler something and does everything that follows from it.
    pub fn feed(&mut self, event: Event) {
        let mut actions = std::mem::take(&mut self.actions);
        let mut next = Some(event);
        while let Some(event) = next {
            self.scheduler.step(event, self.now, &mut actions);
            for action in actions.drain(..) {
                // Workers are started together, before anything else becomes of them.
                if !matches!(action, Action::Spawn { .. }) {
                    self.start_workers();
                }
                self.carry_out(action);
            }
            self.start_workers();
            next = self.events.pop_front();
        }
        self.actions = actions;
    }

    /// When what happens now happens.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Looks at the clock: once for everything that is done in one go.
    pub fn tell_time(&mut self) {
        self.now = Time::now();
    }

    /// Hears everything that the workers have said in their rings and boxes.
    pub fn collect(&mut self) {
        self.tell_time();
        self.collect_now();
    }

    /// The same, at the time that was told last.
    pub fn collect_now(&mut self) {
        self.receiving = false;
        for index in 0..self.stations.len() {
            let worker = WorkerId(index as u32);
            if !self.is_silent(worker) {
                self.collect_from(worker, limits::PIECE_BYTES);
            }
        }
        if self.scheduler.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            self.feed(Event::Tick);
        }
    }

    /// The same, unless somebody else does so anyhow.
    pub fn collect_if_free(&mut self) {
        if !self.led {
            self.collect();
        }
    }

    /// Something of a worker's is readable.
    pub fn on_key(&mut self, key: u64) {
        if key == BELL {
            self.bell.clear();
            return;
        }
        let worker = WorkerId(((key - 1) / 2) as u32);
        self.hear_messages(worker);
        if key == death_key(worker) {
            // If somebody else has buried it meanwhile, its place may have been given to another.
            self.bury_if_dead(worker);
        } else if let Some(Station::Process(station)) = self.station(worker)
            && station.is_hung_up()
        {
            let poller = self.poller.clone();
            if let Some(Station::Process(station)) = self.station(worker) {
                station.hung_up(&poller);
            }
        }
    }

    /// Hears what workers said while nobody was listening, before time is looked at: a pool may have been left alone for
    /// longer than its workers had to say hello. Not each time when it is called again at once: they are asked one by one.
    pub fn catch_up(&mut self) {
        if self.settling == 0 {
            return;
        }
        self.tell_time();
        if self.now.since(self.caught_up) >= CATCH_UP_EACH * self.stations.len() as u32 {
            self.caught_up = self.now;
            self.look_for_deaths();
        }
    }

    /// Looks after workers that died while nobody was looking.
    pub fn look_for_deaths(&mut self) {
        let mut news = false;
        for index in 0..self.stations.len() {
            let worker = WorkerId(index as u32);
            news |= self.hear_messages(worker);
            news |= self.bury_if_dead(worker);
        }
        if news && self.led {
            // The leader sleeps until it hears of what we have taken away from it.
            self.bell.ring();
        }
    }

    /// Gives bytes of ended items back, and tells workers of slabs that are gone.
    pub(super) fn recycle(&mut self, freed: Vec<Arc<Slab>>) {
        for slab in freed {
            let id = slab.id();
            match Arc::into_inner(slab) {
                Some(slab) => self.slabs.give_back(slab).iter().for_each(|gone| self.forget(gone.id())),
                // Somebody still copies arguments into it that are not needed any more.
                None => self.forget(id),
            }
        }
    }

    /// Tells all workers that a slab is gone.
    fn forget(&mut self, slab: u64) {
        for station in self.stations.iter_mut().flatten() {
            if let Station::Process(station) = station {
                station.launched.lane.forget(slab);
            }
        }
    }

    /// Long arguments have been copied: whoever waits for them sleeps.
    pub fn poured(&mut self) {
        for (station, index) in self.stations.iter().zip(0..) {
            if let Some(Station::Process(station)) = station
                && !self.is_silent(WorkerId(index))
            {
                station.launched.lane.wake();
            }
        }
    }

    /// No more items are taken for a job.
    pub fn seal(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get(id) {
            job.open = false;
        }
        self.feed(Event::Sealed { job: id });
    }

    /// Whether all that keeps this pool is input that `thread` has not offered.
    pub fn waits_for(&self, thread: thread::ThreadId) -> bool {
        let mut unfinished = self.jobs.unfinished().peekable();
        unfinished.peek().is_some()
            && unfinished.all(|job| job.open && job.live == 0 && job.feeder == Some(thread))
    }

    /// Forgets a job whose results nobody will take. Slabs of items that may still run are not used again.
    pub fn discard(&mut self, id: JobId) {
        if let Some(job) = self.jobs.remove(id) {
            job.into_slabs().for_each(|slab| self.forget(slab.id()));
            if self.jobs.gave_up_places() {
                self.scheduler.give_up_places();
            }
        }
    }

    pub(super) fn station(&mut self, worker: WorkerId) -> Option<&mut Station> {
        self.stations.get_mut(worker.index())?.as_mut()
    }

    /// Whether a worker has nothing to say in its ring: of many, most are idle.
    pub(super) fn is_silent(&self, worker: WorkerId) -> bool {
        match self.stations.get(worker.index()) {
            Some(Some(Station::Process(_))) => self.scheduler.is_silent(worker),
            Some(Some(Station::Thread(_))) => false,
            Some(None) | None => true,
        }
    }

    /// Hears what a worker has said so far. What it says meanwhile is left for the next time: a worker that is as fast as we are
    /// would have us take its results one by one. Of a long result at most `most` bytes are read.
    fn collect_from(&mut self, worker: WorkerId, most: usize) {
        // Of one that is dead, too, everything counts: an earlier look may have seen less.
        if !self.station(worker).is_some_and(Station::look) {
            return;
        }
        let mut heard = false;
        loop {
            if !self.hear_run(worker) {
                let mut buffer = std::mem::take(&mut self.buffer);
                let said = self.station(worker).and_then(|station| station.next(most, &mut buffer));
                self.buffer = buffer;
                let Some(said) = said else { break };
                self.heard(worker, said);
            }
            heard = true;
            if !self.station(worker).is_some_and(|station| station.is_behind()) {
                break;
            }
        }
        if let Some(Station::Process(station)) = self.station(worker) {
            if heard {
                station.launched.lane.made_room();
            }
            let receiving = station.launched.lane.is_receiving();
            self.receiving |= receiving;
        }
    }

    /// Whether there was one.
    fn hear_messages(&mut self, worker: WorkerId) -> bool {
        let mut any = false;
        while let Some(Station::Process(station)) = self.station(worker)
            && let Some(said) = station.next_message()
        {
            any = true;
            self.heard(worker, said);
        }
        any
    }

    fn heard(&mut self, worker: WorkerId, said: Said) {
        match said {
            Said::Greeted => self.feed(Event::Greeted { worker }),
            Said::Ready => {
                self.settling = self.settling.saturating_sub(1);
                self.note_ready(worker);
                self.feed(Event::Ready { worker });
            }
            Said::InitializerFailed(error) => {
                let task = self.config.initializer.as_ref().map_or("of nobody", |call| call.entry.name);
                self.initializer_error = Some(error.into_initializer_failure(task));
                self.feed(Event::InitializerFailed { worker });
            }
            Said::Done(seq, handles) => self.ended(worker, seq, Ok(handles)),
            Said::Failed(seq, failed) => self.ended(worker, seq, Err(failed)),
            Said::Skipped(from) => self.skipped(worker, from),
            Said::Gone => {
                if let Some(place) = self.stations.get_mut(worker.index()) {
                    *place = None;
                }
                self.feed(Event::Died { worker, running: None, handed_back: false });
            }
        }
    }

    /// Files results of a worker's oldest calls all at once, if they are items of one job and nothing special; whether
    /// there were any.
    fn hear_run(&mut self, worker: WorkerId) -> bool {
        let Some((id, items, first)) = self.scheduler.front_run(worker) else { return false };
        let limit = items.end - items.start;
        let Some(Station::Process(station)) = self.stations.get_mut(worker.index()).and_then(Option::as_mut)
        else {
            return false;
        };
        let Some(results) = self.jobs.get(id).and_then(Job::results) else { return false };
        if limit < 2 || station.is_broken() {
            return false;
        }
        let lane = &mut station.launched.lane;
        let calls = results.arrive_in_frames(items.start, |out| lane.take_returned(first, limit, out));
        if calls == 0 {
            return false;
        }
        self.feed(Event::Returned { worker, calls });
        self.answered(worker, CallSeq(first.0 + calls));
        true
    }

    /// A call of a worker ended.
    fn ended(&mut self, worker: WorkerId, seq: CallSeq, outcome: Result<Vec<Handle>, Failed>) {
        let front = self.scheduler.front(worker);
        let Some((job, item, _)) = front.filter(|(_, _, front)| *front == seq) else {
            let expected = front.map(|(_, _, seq)| seq);
            self.violated(worker, &format!("it answered {seq:?}, but its oldest call is {expected:?}"));
            return;
        };
        let event = match outcome {
            Ok(_) => Event::Returned { worker, calls: 1 },
            Err(_) => Event::Failed { worker },
        };
        self.file(job, item, outcome);
        self.feed(event);
        self.answered(worker, seq.next());
    }

    /// A worker has answered all calls before `next`.
    fn answered(&mut self, worker: WorkerId, next: CallSeq) {
        let now = self.now;
        if let Some(Station::Process(station)) = self.station(worker) {
            station.since = now;
            if station.revoked_to == Some(next) {
                self.skipped(worker, next);
            }
        }
    }

    /// A worker has passed the calls that were taken back.
    fn skipped(&mut self, worker: WorkerId, from: CallSeq) {
        if let Some(Station::Process(station)) = self.station(worker) {
            if station.revoked_to.take().is_none() {
                self.violated(worker, "it skipped calls that nobody took back");
                return;
            }
            station.launched.lane.clear_revoke();
        }
        self.feed(Event::Skipped { worker, from });
    }

    fn violated(&mut self, worker: WorkerId, why: &str) {
        if let Some(Station::Process(station)) = self.station(worker) {
            station.give_up(format!("its parent killed it because it broke the protocol: {why}"));
        } else {
            never!("a thread broke the protocol: {why}");
        }
    }

    fn bury_if_dead(&mut self, worker: WorkerId) -> bool {
        let dead = match self.station(worker) {
            Some(Station::Process(station)) => station.is_dead(),
            Some(Station::Thread(_)) | None => false,
        };
        if dead {
            self.bury(worker);
        }
        dead
    }

    /// A worker process has died: what it published counts, what it was running is lost.
    fn bury(&mut self, worker: WorkerId) {
        self.collect_from(worker, usize::MAX);
        let front = self.scheduler.front(worker);
        let task = front.and_then(|(job, _, seq)| Some((seq, self.jobs.get(job)?.task.1)));
        let Some(Station::Process(mut station)) =
            self.stations.get_mut(worker.index()).and_then(Option::take)
        else {
            return;
        };
        let recorder = station.launched.lane.recorder();
        let recorded = match front {
            // What it has answered in a way that we could not take is not run again.
            Some((_, _, seq)) if station.is_broken() && recorder.last_begun() >= seq.0 => {
                Some(CallSeq(recorder.last_begun()))
            }
            Some(_) | None => station.launched.lane.running(),
        };
        let running = task.filter(|(front, _)| recorded.is_some_and(|recorded| recorded >= *front));
        let handed_back = recorded.is_none() && station.has_handed_back();
        let _ = self.poller.remove(station.launched.child.handle());
        let _ = self.poller.remove(station.launched.lane.handle());
        if !station.is_ready() {
            self.settling = self.settling.saturating_sub(1);
        }
        let report = station.bury(running, worker.0, self.now);
        self.note_death(worker, &report);
        self.last_death = Some(report);
        self.spawn_error = None;
        drop(station);
        self.feed(Event::Died { worker, running: recorded, handed_back });
    }
}
