//! Who drives a pool: one of the threads that wait for it leads, the others follow.
//!
//! ```text
//!   wait:  ready? ─► return, and hand the lead on
//!            │ no
//!          somebody leads? ─ yes ─► park until my job has news or I am to lead
//!            │ no
//!          lead: spin a little ─► ask for the bell ─► sleep on all workers at once ─► hear them ─► again
//! ```
//! A [helper](super::helping) thread leads for handles that nobody waits for; it starts with the first of them.

use super::callbacks::Callbacks;
use super::config::{Backend, Config};
use super::core::{Core, Helper};
use super::hands;
use super::scheduler::{Event, Phase, Why};
use super::ticket::Pour;
use super::waiter::Waiter;
use crate::clock::Time;
use crate::error::{Error, ErrorKind};
use crate::ids::JobId;
use crate::limits;
use crate::raw::sleep::Found;
use crate::shm::slab::SlabPool;
use crate::sys;
use crate::sys::at_work;
use crate::sys::bell::Bell;
use crate::sys::interrupt::{self, WatchGuard};
use crate::sys::poller::Poller;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// A pool, as its handles, its helper thread and its `Pool` share it.
pub struct Shared {
    pub config: Arc<Config>,
    pub slabs: Arc<SlabPool>,
    core: Mutex<Core>,
    poller: Arc<Poller>,
    bell: Arc<Bell>,
    /// Threads that want the lock: a leader that spins lets go of it for them.
    contenders: AtomicUsize,
    pub(super) helper: Mutex<Option<thread::JoinHandle<()>>>,
    pub callbacks: Callbacks,
    /// With `core`: there is something to lead, and nobody does.
    pub(super) lead_is_free: Condvar,
    /// Which copy of the process made it.
    born: u32,
    /// Ctrl-C rings our bell.
    interrupts: Option<WatchGuard>,
}

impl Shared {
    /// A pool whose workers have not been started.
    pub fn new(config: Config) -> Result<Self, Error> {
        let failed = |error| Error::os(format!("cannot make the pool \"{}\"", config.name), error);
        let poller = Arc::new(Poller::new().map_err(failed)?);
        let bell = Arc::new(Bell::new().map_err(failed)?);
        poller.add(bell.handle(), super::core::BELL).map_err(failed)?;
        // A program with a handler of its own keeps it; it stops pools by itself. With very many pools some do without.
        let interrupts =
            if interrupt::arm().unwrap_or(false) { interrupt::watch(bell.clone()).ok() } else { None };
        let config = Arc::new(config);
        let slabs = Arc::new(SlabPool::new());
        let core = Core::new(config.clone(), poller.clone(), bell.clone(), slabs.clone());
        Ok(Self {
            config,
            slabs,
            core: Mutex::new(core),
            poller,
            bell,
            contenders: AtomicUsize::new(0),
            helper: Mutex::default(),
            callbacks: Callbacks::default(),
            lead_is_free: Condvar::new(),
            born: sys::copies::count(),
            interrupts,
        })
    }

    /// Does something under the lock, and what follows from it.
    pub fn with<T>(&self, f: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.lock();
        core.tell_time();
        core.catch_up();
        let result = f(&mut core);
        self.release(core);
        result
    }

    /// Waits until `ready`, at most until `deadline`. `job` is whose news are to be heard.
    ///
    /// # Errors
    /// When the calling thread runs a call of this very pool: it would wait for itself.
    pub fn wait<T>(
        &self,
        job: Option<JobId>,
        deadline: Option<Time>,
        ready: impl FnMut(&mut Core) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.refuse_inside()?;
        let mut core = self.lock();
        // Of a job that is finished nothing more is to be heard.
        if job.is_none_or(|job| !core.is_finished(job)) {
            core.catch_up();
            core.collect_if_free();
        }
        Ok(self.wait_on(core, job, deadline, ready))
    }

    /// Starts a job and waits until `ready`, all under one lock if nobody is in the way.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn start_and_wait<T>(
        &self,
        start: impl FnOnce(&mut Core) -> JobId,
        mut ready: impl FnMut(&mut Core, JobId) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.refuse_inside()?;
        let mut core = self.lock();
        core.tell_time();
        core.catch_up();
        self.note_busy(&mut core, true);
        let job = start(&mut core);
        Ok(self.wait_on(core, Some(job), None, |core| ready(core, job)))
    }

    /// As [`with`](Self::with), where what is done starts a job, with arguments that may still have to be poured.
    pub fn start<T>(&self, pour: Option<Pour<'_>>, f: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.lock();
        core.tell_time();
        core.catch_up();
        self.note_busy(&mut core, true);
        let result = f(&mut core);
        if let Some(pour) = pour {
            core = self.pour(core, &pour);
        }
        self.release(core);
        result
    }

    /// Copies the arguments of a call that has been handed in. Its worker waits for them and for nothing else, so nothing of a
    /// user's runs before, which might wait for that worker.
    fn pour<'a>(&'a self, core: MutexGuard<'a, Core>, pour: &Pour<'_>) -> MutexGuard<'a, Core> {
        drop(core);
        pour.all();
        let mut core = self.lock();
        core.tell_time();
        core.poured();
        core
    }

    /// Waits, having heard all that there is to hear.
    fn wait_on<'a, T>(
        &'a self,
        mut core: MutexGuard<'a, Core>,
        job: Option<JobId>,
        deadline: Option<Time>,
        mut ready: impl FnMut(&mut Core) -> Option<T>,
    ) -> Option<T> {
        let mut keys = Vec::new();
        let mut waited = false;
        loop {
            core = self.give_way(core);
            self.note_interrupt(&mut core);
            if !core.errands.is_empty() {
                self.release(core);
                core = self.lock();
                core.collect_if_free();
                continue;
            }
            if let Some(result) = ready(&mut core) {
                if waited {
                    core.attended = core.now();
                }
                self.release(core);
                return Some(result);
            }
            if deadline.is_some_and(|deadline| deadline <= Time::now()) {
                self.release(core);
                return None;
            }
            if core.led {
                core = self.follow(core, job, deadline);
                core.collect_if_free();
            } else {
                if waited {
                    core.tell_time();
                }
                core = self.lead(core, deadline, &mut keys);
            }
            waited = true;
        }
    }

    /// Whether this process made it. A copy finds its memory as it was in the middle of anything: nobody there may touch it, and the
    /// workers are the original's.
    pub fn is_ours(&self) -> bool {
        self.born == sys::copies::count()
    }

    /// Says that this process is a copy of the one whose pool this is.
    pub fn refuse_copy(&self) -> Result<(), Error> {
        if self.is_ours() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "the pool \"{}\" belongs to the process that this one was forked from: make a pool here",
                self.config.name
            ),
        ))
    }

    /// Says that this thread runs a call of this pool and must not wait for it, or that this process is a copy.
    pub fn refuse_inside(&self) -> Result<(), Error> {
        self.refuse_copy()?;
        if hands::is_inside(self.config.id) {
            return Err(Error::new(
                ErrorKind::Deadlock,
                format!(
                    "a task of the pool \"{}\" waits for the same pool and would take the worker that it waits for: \
                     use a pool of its own",
                    self.config.name
                ),
            ));
        }
        Ok(())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.contenders.fetch_add(1, Ordering::Relaxed);
        // No user code runs under the lock; a panic of ours must not make every handle useless.
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        self.contenders.fetch_sub(1, Ordering::Relaxed);
        core
    }

    /// Lets others have the lock in the middle of a long result: whoever only lets go of it has it again before they are awake.
    pub(super) fn give_way<'a>(&'a self, core: MutexGuard<'a, Core>) -> MutexGuard<'a, Core> {
        let contenders = self.contenders.load(Ordering::Relaxed);
        if contenders == 0 || !core.receiving {
            return core;
        }
        drop(core);
        for _ in 0..LOOKS_FOR_OTHERS {
            if self.contenders.load(Ordering::Relaxed) < contenders {
                break;
            }
            thread::yield_now();
        }
        self.lock()
    }

    /// Lets go of the lock: hands the lead on if it is free, and runs what was put aside.
    pub(super) fn release(&self, mut core: MutexGuard<'_, Core>) {
        let pending = core.scheduler.pending() > 0;
        self.note_busy(&mut core, pending);
        let mut errands = std::mem::take(&mut core.errands);
        // Under the lock: who sees that a job is over finds its callbacks there. Without threads they run where the calls do.
        let any_calls = self.config.backend != Backend::Inline && self.callbacks.take_from(&mut errands);
        // Without pending calls they wait for the end of the pool, and for that, too, somebody must lead.
        let heir = if core.led { None } else { core.followers.pop() };
        let free = pending && !core.led && heir.is_none() && core.helper.sleeps_long();
        if free {
            // It is told once: it may take a while to wake up.
            core.helper = Helper::Watching;
        }
        drop(core);
        if let Some(heir) = heir {
            heir.unpark();
        } else if free {
            self.lead_is_free.notify_one();
        }
        if any_calls {
            self.callbacks.go_on();
        }
        for errand in errands {
            errand.run();
        }
    }

    /// A first Ctrl-C interrupts those who wait for work; when there is none any more, the next one is a first again. This is said
    /// before work begins: a worker may be at it before we are through.
    fn note_busy(&self, core: &mut Core, pending: bool) {
        let Some(guard) = &self.interrupts else { return };
        if pending && !guard.work.is_busy() {
            // What came before has nothing to do with this work.
            core.interrupts = at_work::count();
        }
        if guard.work.busy(pending) && !pending && core.interrupts != at_work::count() {
            core.interrupts = at_work::count();
            interrupt::missed();
        }
    }

    /// Sleeps until the job has news or the lead is free.
    fn follow<'a>(
        &'a self,
        mut core: MutexGuard<'a, Core>,
        job: Option<JobId>,
        deadline: Option<Time>,
    ) -> MutexGuard<'a, Core> {
        let me = thread::current();
        if core.helper == Helper::Leading {
            core.helper = Helper::Relieved;
            self.bell.ring();
        }
        core.followers.push(me.clone());
        if let Some(job) = job.and_then(|job| core.jobs.get(job)) {
            job.waiters.push(Waiter::Thread(me.clone()));
        }
        drop(core);
        match deadline {
            Some(deadline) => thread::park_timeout(deadline.since(Time::now()).min(FOLLOW_AGAIN)),
            None => thread::park_timeout(FOLLOW_AGAIN),
        }
        let mut core = self.lock();
        let mine = |thread: &Thread| thread.id() == me.id();
        core.followers.retain(|thread| !mine(thread));
        if let Some(job) = job.and_then(|job| core.jobs.get(job)) {
            job.waiters.retain(|waiter| !matches!(waiter, Waiter::Thread(thread) if mine(thread)));
        }
        core
    }

    /// Sleeps for everybody until some worker has news. The clock has just been looked at.
    pub(super) fn lead<'a>(
        &'a self,
        mut core: MutexGuard<'a, Core>,
        deadline: Option<Time>,
        keys: &mut Vec<u64>,
    ) -> MutexGuard<'a, Core> {
        let begun = core.now();
        if let Some(hands) = core.hands_to_lend() {
            core.led = true;
            drop(core);
            hands.turn();
            let mut core = self.lock();
            core.led = false;
            core.collect();
            return core;
        }
        if let Some(when) = core.spin(|| self.contenders.load(Ordering::Relaxed) > 0) {
            if when == Found::Later {
                core.tell_time();
            }
            core.collect_now();
            return core;
        }
        let timeout = core.prepare_sleep(begun, deadline);
        let pending = core.scheduler.pending() > 0;
        self.note_busy(&mut core, pending);
        core.led = true;
        drop(core);
        let slept = self.poller.wait(timeout, keys);
        if slept.is_err() {
            thread::sleep(timeout.map_or(limits::LOOK_EVERY, |timeout| timeout.min(limits::LOOK_EVERY)));
        }
        let mut core = self.lock();
        core.woke(begun, &slept, keys);
        core
    }

    /// Stops what a Ctrl-C finds at work. Nobody hears of it where all has ended, or is being stopped already.
    pub(super) fn note_interrupt(&self, core: &mut Core) {
        if let Some(guard) = &self.interrupts
            && core.interrupts != at_work::count()
            && guard.work.is_busy()
            && core.scheduler.pending() > 0
            && !matches!(core.scheduler.phase(), Phase::Ended(_))
        {
            core.interrupts = at_work::count();
            guard.work.serve();
            let grace = self.config.policy.grace;
            core.feed(Event::Stopped { grace, why: Why::Interrupted });
        }
    }

    /// Rings for whoever sleeps for this pool.
    pub fn rouse(&self) {
        self.bell.ring();
    }
}

/// How often who gives way looks whether others have the lock: about as long as it takes to wake them.
const LOOKS_FOR_OTHERS: u32 = 100;

/// A follower looks again after this long: if a leader ended badly, somebody must take the lead.
const FOLLOW_AGAIN: Duration = Duration::from_millis(500);
