//! Carries out what the scheduler decides, and tells it what happened: everything that is done under the pool's lock.
//! No code of a user runs here: callbacks and wakers are put aside for whoever holds the lock to run after it.

use super::config::{Backend, Config};
use super::hands::{Hands, OwnCall};
use super::jobs::{ItemBytes, Job, Jobs, Waiter};
use super::scheduler::{Action, Event, Scheduler, Why};
use super::station::{ProcessStation, Said, Station, ThreadStation};
use crate::check::never;
use crate::clock::Time;
use crate::error::{Error, ErrorKind, WorkerLost};
use crate::ids::{CallSeq, JobId, WorkerId};
use crate::limits;
use crate::process::children;
use crate::process::current::WorkerInfo;
use crate::process::launch::launch;
use crate::raw::sleep::Patience;
use crate::protocol::control::Role;
use crate::shm::slab::{Slab, SlabPool};
use crate::sys::bell::Bell;
use crate::sys::poller::Poller;
use crate::task::entry::Entry;
use crate::task::registry::Slot;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::thread;

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
    /// The pool is being dropped: its helper thread leaves.
    pub stopping: bool,
    /// How many processes have been started and are not ready yet.
    settling: usize,
    /// When what happens now happens.
    now: Time,
    poller: Arc<Poller>,
    bell: Arc<Bell>,
    events: VecDeque<Event>,
    actions: Vec<Action>,
    buffer: Vec<u8>,
    pack: Vec<u8>,
    initializer_error: Option<Error>,
    last_death: Option<WorkerLost>,
    /// The failure that came with the outcome that is being fed in.
    failure: Option<super::station::Failed>,
}

/// Something of a user's that is run when the lock is free.
pub enum Errand {
    /// Wake an executor's task.
    Wake(std::task::Waker),
    /// Run a callback.
    Call(Box<dyn FnOnce() + Send>),
}

/// The poller's keys: the bell, then two for each place.
pub const BELL: u64 = 0;

fn death_key(worker: WorkerId) -> u64 {
    1 + 2 * u64::from(worker.0)
}

fn socket_key(worker: WorkerId) -> u64 {
    2 + 2 * u64::from(worker.0)
}

/// How many items go into one frame at most.
const PACK_ITEMS: u64 = 256;

/// How many bytes go into one frame of several items, roughly.
const PACK_BYTES: usize = 16 << 10;

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
            interrupts: crate::sys::interrupt::count(),
            stopping: false,
            settling: 0,
            now: Time::now(),
            poller,
            bell,
            events: VecDeque::new(),
            actions: Vec::new(),
            buffer: Vec::new(),
            pack: Vec::new(),
            initializer_error: None,
            last_death: None,
            failure: None,
        }
    }

    /// Tells the scheduler something and does everything that follows from it.
    pub fn feed(&mut self, event: Event) {
        let mut actions = std::mem::take(&mut self.actions);
        let mut next = Some(event);
        while let Some(event) = next {
            self.scheduler.step(event, self.now, &mut actions);
            for action in actions.drain(..) {
                self.carry_out(action);
            }
            next = self.events.pop_front();
        }
        self.actions = actions;
    }

    /// Looks at the clock: once for everything that is done in one go.
    pub fn tell_time(&mut self) {
        self.now = Time::now();
    }

    /// Hears everything that the workers have said in their rings and boxes.
    pub fn collect(&mut self) {
        self.tell_time();
        for index in 0..self.stations.len() {
            self.collect_from(WorkerId(index as u32));
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
            self.bury(worker);
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
    /// longer than its workers had to say hello.
    pub fn catch_up(&mut self) {
        if self.settling > 0 {
            self.look_for_deaths();
        }
    }

    /// Looks after workers that died while nobody was looking.
    pub fn look_for_deaths(&mut self) {
        for index in 0..self.stations.len() {
            let worker = WorkerId(index as u32);
            self.hear_messages(worker);
            if let Some(Station::Process(station)) = self.station(worker)
                && station.is_dead()
            {
                self.bury(worker);
            }
        }
    }

    /// Gives bytes of ended items back, and tells workers of slabs that are gone.
    fn recycle(&mut self, freed: Vec<Slab>) {
        for slab in freed {
            for gone in self.slabs.give_back(slab) {
                for station in self.stations.iter_mut().flatten() {
                    if let Station::Process(station) = station {
                        station.launched.lane.forget(gone.id());
                    }
                }
            }
        }
    }

    /// Forgets a job whose results nobody will take. Slabs of items that may still run are not used again.
    pub fn discard(&mut self, id: JobId) {
        if let Some(job) = self.jobs.remove(id) {
            for slab in job.into_slabs() {
                for station in self.stations.iter_mut().flatten() {
                    if let Station::Process(station) = station {
                        station.launched.lane.forget(slab.id());
                    }
                }
            }
        }
    }

    fn station(&mut self, worker: WorkerId) -> Option<&mut Station> {
        self.stations.get_mut(worker.index())?.as_mut()
    }

    fn collect_from(&mut self, worker: WorkerId) {
        let mut heard = false;
        loop {
            let mut buffer = std::mem::take(&mut self.buffer);
            let said = self.station(worker).and_then(|station| station.next(&mut buffer));
            self.buffer = buffer;
            let Some(said) = said else { break };
            heard = true;
            self.heard(worker, said);
        }
        if heard
            && let Some(Station::Process(station)) = self.station(worker)
        {
            station.launched.lane.made_room();
        }
    }

    fn hear_messages(&mut self, worker: WorkerId) {
        while let Some(Station::Process(station)) = self.station(worker)
            && let Some(said) = station.next_message()
        {
            self.heard(worker, said);
        }
    }

    fn heard(&mut self, worker: WorkerId, said: Said) {
        match said {
            Said::Greeted => self.feed(Event::Greeted { worker }),
            Said::Ready => {
                self.settling = self.settling.saturating_sub(1);
                self.feed(Event::Ready { worker });
            }
            Said::InitializerFailed(error) => {
                self.initializer_error = Some(error.as_initializer_failure());
                self.feed(Event::InitializerFailed { worker });
            }
            Said::Done(seq) => self.ended(worker, seq, None),
            Said::Failed(seq, failed) => self.ended(worker, seq, Some(failed)),
            Said::Skipped(from) => self.skipped(worker, from),
            Said::Gone => {
                if let Some(place) = self.stations.get_mut(worker.index()) {
                    *place = None;
                }
                self.feed(Event::Died { worker, running: None });
            }
        }
    }

    /// A call of a worker ended.
    fn ended(&mut self, worker: WorkerId, seq: CallSeq, failed: Option<super::station::Failed>) {
        let expected = self.scheduler.front(worker).map(|(_, _, seq)| seq);
        if expected != Some(seq) {
            self.violated(worker, format!("it answered {seq:?}, but its oldest call is {expected:?}"));
            return;
        }
        let event = Event::Outcome { worker, failed: failed.is_some() };
        self.failure = failed;
        self.feed(event);
        self.failure = None;
        let now = self.now;
        if let Some(Station::Process(station)) = self.station(worker) {
            station.since = now;
            if station.revoked_to.is_some_and(|to| to == seq.next()) {
                self.skipped(worker, seq.next());
            }
        }
    }

    /// A worker has passed the calls that were taken back.
    fn skipped(&mut self, worker: WorkerId, from: CallSeq) {
        if let Some(Station::Process(station)) = self.station(worker) {
            if station.revoked_to.take().is_none() {
                self.violated(worker, "it skipped calls that nobody took back".into());
                return;
            }
            station.launched.lane.clear_revoke();
        }
        self.feed(Event::Skipped { worker, from });
    }

    fn violated(&mut self, worker: WorkerId, why: String) {
        if let Some(Station::Process(station)) = self.station(worker) {
            station.give_up(format!("its parent killed it because it broke the protocol: {why}"));
        } else {
            never!("a thread broke the protocol: {why}");
        }
    }

    /// A worker process has died: what it published counts, what it was running is lost.
    fn bury(&mut self, worker: WorkerId) {
        self.collect_from(worker);
        let front = self.scheduler.front(worker);
        let task = front.and_then(|(job, _, seq)| Some((seq, self.jobs.get(job)?.task.1)));
        let Some(Station::Process(mut station)) =
            self.stations.get_mut(worker.index()).and_then(Option::take)
        else {
            return;
        };
        let recorded = station.launched.lane.running();
        let running = task.filter(|_| recorded.is_some());
        let _ = self.poller.remove(station.launched.child.handle());
        let _ = self.poller.remove(station.launched.lane.handle());
        if !station.is_ready() {
            self.settling = self.settling.saturating_sub(1);
        }
        let report = station.bury(running, worker.0, self.now);
        self.last_death = Some(report);
        drop(station);
        self.feed(Event::Died { worker, running: recorded });
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Complete { job, item } => self.complete(job, item),
            Action::Dispatch { worker, job, items, seq } => self.dispatch(worker, job, items, seq),
            Action::Finished { job } => self.finished(job),
            Action::Lost { job, item, worker: _ } => self.lost(job, item),
            Action::Dropped { job, items, why } => self.dropped(job, items, why),
            Action::Spawn { worker } => self.spawn(worker),
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
            Action::Ended { why } => self.ended = Some(self.reason(why)),
        }
    }

    fn complete(&mut self, id: JobId, item: u64) {
        let Some(job) = self.jobs.get(id) else { return };
        match self.failure.take() {
            None => job.arrive(item, Ok(&self.buffer)),
            Some(failed) => {
                let mut error = failed.into_error(&self.buffer, job.task.1);
                if job.itemised {
                    error = error.on_item(item);
                }
                job.arrive(item, Err(Box::new(error)));
            }
        }
        self.release(id, item..item + 1);
    }

    fn lost(&mut self, id: JobId, item: u64) {
        let report = self.last_death.clone();
        let Some(job) = self.jobs.get(id) else { return };
        let mut error = match report {
            Some(report) => Error::lost(report).for_task(job.task.1.name),
            None => Error::new(ErrorKind::WorkerLost, "the worker died").for_task(job.task.1.name),
        };
        if job.itemised {
            error = error.on_item(item);
        }
        job.arrive(item, Err(Box::new(error)));
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
                    let mut error = reason.clone().for_task(job.task.1.name);
                    if job.itemised {
                        error = error.on_item(item);
                    }
                    job.arrive(item, Err(Box::new(error)));
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
        }
        if !freed.is_empty() {
            self.recycle(freed);
        }
    }

    fn finished(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        job.finished = true;
        for waiter in std::mem::take(&mut job.waiters) {
            match waiter {
                Waiter::Thread(thread) => thread.unpark(),
                Waiter::Waker(waker) => self.errands.push(Errand::Wake(waker)),
                Waiter::Callback(callback) => self.errands.push(Errand::Call(callback)),
            }
        }
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
        let mut pack = std::mem::take(&mut self.pack);
        let now = self.now;
        let idle = self.scheduler.front(worker).is_none_or(|(_, _, front)| front == seq);
        let station = self.stations.get_mut(worker.index()).and_then(Option::as_mut);
        let refused = match (self.jobs.get(id), station) {
            (Some(job), Some(Station::Process(station))) => {
                if idle {
                    station.since = now;
                }
                hand_over(station, job, items, seq, &mut pack)
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
        self.pack = pack;
        if let Some(from) = refused {
            self.feed_later(Event::Refused { worker, from });
        }
    }

    fn spawn(&mut self, worker: WorkerId) {
        match self.start(worker) {
            Ok(station) => {
                if let Some(place) = self.stations.get_mut(worker.index()) {
                    *place = Some(station);
                }
            }
            Err(error) => {
                self.spawn_error = Some(error);
                self.feed_later(Event::SpawnFailed { worker });
            }
        }
    }

    fn start(&mut self, worker: WorkerId) -> Result<Station, Error> {
        let config = self.config.clone();
        let name = format!("{}-{}", config.name, worker.0);
        match config.backend {
            Backend::Process => {
                let role = Role::Pool {
                    pool: config.name.clone(),
                    index: worker.0,
                    initializer: config.initializer.as_ref().map(|call| call.message.clone()),
                    finalizer: config.finalizer.as_ref().map(|call| call.message.clone()),
                };
                let attached: Vec<&Slab> = [&config.initializer, &config.finalizer]
                    .into_iter()
                    .flatten()
                    .filter_map(|call| call.slab.as_ref())
                    .collect();
                let launched = launch(&name, role, config.cpus_each, &config.surroundings, &self.bell, &attached)?;
                let watched = self.poller.add(launched.child.handle(), death_key(worker));
                let watched = watched.and_then(|()| self.poller.add(launched.lane.handle(), socket_key(worker)));
                watched.map_err(|error| Error::os(format!("cannot watch the process \"{name}\""), error))?;
                let listed = children::list_worker(launched.child.pid(), name.clone());
                self.settling += 1;
                Ok(Station::Process(Box::new(ProcessStation::new(launched, name, listed, Time::now()))))
            }
            Backend::Thread | Backend::Inline => {
                let info = WorkerInfo {
                    index: worker.0,
                    pid: std::process::id(),
                    name: name.clone(),
                    pool: config.name.clone(),
                };
                let own = |call: &super::config::PoolCall| OwnCall { entry: call.entry, arguments: call.bytes.clone() };
                let hands = Hands::new(
                    info,
                    config.id,
                    self.bell.clone(),
                    config.initializer.as_ref().map(own),
                    config.finalizer.as_ref().map(own),
                );
                self.settling += 1;
                if config.backend == Backend::Thread {
                    let hands = hands.clone();
                    thread::Builder::new()
                        .name(name.clone())
                        .spawn(move || hands.live())
                        .map_err(|error| Error::os(format!("cannot start the thread \"{name}\""), error))?;
                }
                Ok(Station::Thread(ThreadStation { hands, name, skipped: None }))
            }
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
            Why::Closed => Error::new(ErrorKind::Closed, format!("the pool \"{name}\" is closed and takes no more calls")),
            Why::Interrupted => Error::new(ErrorKind::Interrupted, format!("Ctrl-C stopped the pool \"{name}\"")),
            Why::InitializerFailed => self.initializer_error.clone().unwrap_or_else(|| {
                Error::new(ErrorKind::InitializerFailed, format!("the initializer of the pool \"{name}\" failed"))
            }),
            Why::CrashLoop => self.crash_loop(),
        }
    }

    fn crash_loop(&self) -> Error {
        let restart = self.config.policy.restart;
        let name = &self.config.name;
        let deaths = format!(
            "the pool \"{name}\" gave up: more than {} workers died within {:?} and no call ended in between",
            restart.at_most, restart.per
        );
        match (&self.last_death, &self.spawn_error) {
            (Some(death), _) => Error::crash_loop(format!("{deaths}; the last: {death}"), Some(death.clone())),
            (None, Some(error)) => Error::crash_loop(format!("{deaths}; the last could not be started: {error}"), None),
            (None, None) => Error::crash_loop(deaths, None),
        }
    }
}

/// Puts items into the ring of a process, several to a frame. Returns the first call that did not fit.
fn hand_over(
    station: &mut ProcessStation,
    job: &Job,
    items: Range<u64>,
    first: CallSeq,
    pack: &mut Vec<u8>,
) -> Option<CallSeq> {
    let (Slot(slot), _) = job.task;
    let seq_of = |item: u64| CallSeq(first.0 + (item - items.start));
    let lane = &mut station.launched.lane;
    let mut item = items.start;
    while item < items.end {
        let seq = seq_of(item);
        match job.item(item) {
            Some(ItemBytes::Spilled(slab, len)) => match lane.spilled_call(seq, slot, slab, len) {
                Ok(true) => item += 1,
                Ok(false) => return Some(seq),
                Err(error) => {
                    station.give_up(format!("its parent killed it because it cannot be sent a slab: {error}"));
                    return Some(seq);
                }
            },
            Some(ItemBytes::Inline(bytes)) => {
                let end = items.end.min(item + PACK_ITEMS);
                let count = pack_items(job, item..end, bytes, pack);
                let pushed = match count {
                    0 | 1 => lane.call(seq, 1, &[&slot.to_le_bytes(), bytes]),
                    _ => lane.call(seq, count, &[&slot.to_le_bytes(), pack]),
                };
                if !pushed {
                    return Some(seq);
                }
                item += u64::from(count.max(1));
            }
            None => {
                never!("item {item} of a job has no bytes");
                return Some(seq);
            }
        }
    }
    None
}

/// Packs as many items as go into one frame; says how many.
fn pack_items(job: &Job, items: Range<u64>, first: &[u8], pack: &mut Vec<u8>) -> u16 {
    pack.clear();
    let mut count = 0;
    let mut next = Some(ItemBytes::Inline(first));
    let mut item = items.start;
    while let Some(ItemBytes::Inline(bytes)) = next
        && (count == 0 || pack.len() + bytes.len() <= PACK_BYTES)
    {
        // One long item goes by itself, without being copied here.
        if count == 0 && bytes.len() > PACK_BYTES {
            return 1;
        }
        pack.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        pack.extend_from_slice(bytes);
        count += 1;
        item += 1;
        next = if item < items.end { job.item(item) } else { None };
    }
    count
}

/// Puts items into the box of a thread.
fn give(station: &ThreadStation, job: &Job, items: Range<u64>, first: CallSeq) {
    for (seq, item) in (first.0..).zip(items) {
        let arguments = match job.item(item) {
            Some(ItemBytes::Inline(bytes)) => bytes.to_vec(),
            Some(ItemBytes::Spilled(slab, len)) => {
                let mut bytes = Vec::new();
                if slab.read(0, len as usize, &mut bytes).is_err() {
                    never!("a slab of ours cannot be read");
                }
                bytes
            }
            None => {
                never!("item {item} of a job has no bytes");
                Vec::new()
            }
        };
        station.hands.call(CallSeq(seq), OwnCall { entry: task_of(job), arguments });
    }
}

fn task_of(job: &Job) -> &'static Entry {
    job.task.1
}

/// Tells the threads that wait for a job that it has news.
fn wake_threads(job: &mut Job) {
    for waiter in &job.waiters {
        if let Waiter::Thread(thread) = waiter {
            thread.unpark();
        }
    }
}

/// Whether an item is too long for a ring.
pub fn is_long(bytes: usize) -> bool {
    bytes > limits::INLINE_BYTES_MAX - 64
}
