//! The helper thread of a pool: it leads while there are calls and nobody waits for them.
//!
//! | state | the thread | goes to | when |
//! |---|---|---|---|
//! | `Idle` | sleeps for as long as it takes | `Watching` | there are calls, and nobody leads |
//! | `Watching` | sleeps for a moment: whoever submitted is likely to wait, and then leads without a detour | `Leading` | nobody has led for a moment |
//! | `Watching` | | `Dozing` | somebody has led at [`LOOKS`] looks in a row |
//! | `Watching` | | `Idle` | there are no calls |
//! | `Dozing` | sleeps long | `Watching` | who leads lets go of it and no follower takes it, or for no reason |
//! | `Leading` | leads | `Relieved` | somebody waits who can |
//! | `Relieved` | is about to stop | `Watching` | that one has been woken |
//!
//! No call is left alone: all that counts here is under the pool's lock. Who leads lets go of the lead and of the lock in one of two
//! ways. In the middle of its wait it has the lock only put aside ([`give_way`](Shared::give_way)) or
//! [releases](Shared::release) it to run what was put aside, and leads again if nobody does: it is still there. Else it leaves by
//! [`release`](Shared::release), whatever ended its wait: its result, its time-out, its failure. There it finds, under the lock, one
//! of these:
//!
//! - A follower: that one is taken out of the list and woken. It leads, or leaves by `release` itself, and finds the same.
//! - The helper `Idle` or `Dozing`, and calls: it is set to `Watching`, and woken. It went to sleep in the step in which it let go of
//!   the lock, after it had said what it does, so it is woken, or is up already and finds that it is to look.
//! - The helper `Watching`: it looks within [`HELPER_DELAY`](limits::HELPER_DELAY), as it does where nobody wakes it.
//! - The helper `Leading` or `Relieved`: then somebody leads, or it is about to look.
//!
//! So nobody dozes while there are calls and nobody leads, wherever the lock is free and nobody is on the way to it. That the doze
//! ends by itself ([`LOOK_AGAIN`](limits::LOOK_AGAIN)) is for a leader that ended badly.

use super::config::Backend;
use super::core::{Core, Helper};
use super::shared::Shared;
use crate::clock::Time;
use crate::error::Error;
use crate::limits;
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::{self, Thread};

/// How often in a row the helper finds that somebody leads before it dozes: a few short calls in between are no reason to.
const LOOKS: u32 = 5;

impl Shared {
    /// Starts the helper thread if there is none yet.
    ///
    /// # Errors
    /// If the system gives none: then nothing may be started that nobody waits for, as it might never go on.
    pub fn start_helper(self: &Arc<Self>) -> Result<(), Error> {
        if !self.is_ours() || self.config.backend == Backend::Inline {
            return Ok(());
        }
        let mut helper = self.helper.lock().unwrap_or_else(PoisonError::into_inner);
        if helper.is_none() {
            let shared = self.clone();
            let started = thread::Builder::new().name("mp-io".into()).spawn(move || shared.be_helper());
            *helper = Some(started.map_err(|error| self.no_helper(error))?);
        }
        Ok(())
    }

    fn no_helper(&self, error: io::Error) -> Error {
        let name = &self.config.name;
        Error::os(
            format!(
                "cannot start the thread that drives the pool \"{name}\" while nobody waits for it; `apply`, `map` and \
                 `imap` do without"
            ),
            error,
        )
    }

    /// Sees to it that jobs go on while nobody waits for them: one that idles has been told when they were handed in. Without the
    /// helper thread they go on whenever somebody does.
    pub fn help(self: &Arc<Self>) {
        let _ = self.start_helper();
    }

    /// Ends the helper thread.
    pub fn dismiss_helper(&self) {
        self.lock().stopping = true;
        self.lead_is_free.notify_all();
        let helper = self.helper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(helper) = helper
            && helper.thread().id() != thread::current().id()
        {
            // It woke tasks of the user's, whose panics were caught.
            let _ = helper.join();
        }
    }

    /// The helper thread: leads whenever there is something to do and nobody else does.
    fn be_helper(&self) {
        let mut keys = Vec::new();
        let mut looks = 0;
        let mut core = self.lock();
        while !core.stopping {
            if core.scheduler.pending() == 0 {
                if !core.led {
                    // Whoever still waits, for the end of the pool, leads from here.
                    core.followers.pop().inspect(Thread::unpark);
                }
                core.helper = Helper::Idle;
                core = self.lead_is_free.wait(core).unwrap_or_else(PoisonError::into_inner);
                core.helper = Helper::Watching;
            } else if core.led
                || core.helper == Helper::Watching && Time::now().since(core.attended) < limits::HELPER_DELAY
            {
                // Whoever submitted or took a result may be about to wait, and then leads without a detour.
                looks = if core.led { looks + 1 } else { 0 };
                let (state, pause) = if looks >= LOOKS {
                    (Helper::Dozing, limits::LOOK_AGAIN)
                } else {
                    (Helper::Watching, limits::HELPER_DELAY)
                };
                core.helper = state;
                let waited = self.lead_is_free.wait_timeout(core, pause);
                core = waited.unwrap_or_else(PoisonError::into_inner).0;
                if core.helper != state {
                    // Told to look: whoever led has let go of it.
                    looks = 0;
                }
                core.helper = Helper::Watching;
            } else {
                looks = 0;
                core.helper = Helper::Leading;
                core = self.help_once(core, &mut keys);
            }
            // Last, as the pool may be dropped meanwhile: who sleeps after that sleeps for ever.
            core = self.give_way(core);
        }
        core.followers.pop().inspect(Thread::unpark);
    }

    /// Leads for one round; then whoever came meanwhile takes over.
    fn help_once<'a>(&'a self, mut core: MutexGuard<'a, Core>, keys: &mut Vec<u64>) -> MutexGuard<'a, Core> {
        core.catch_up();
        core.collect();
        if core.scheduler.pending() > 0 && core.helper == Helper::Leading {
            core = self.lead(core, None, keys);
            self.note_interrupt(&mut core);
        }
        if core.helper == Helper::Relieved {
            core.helper = Helper::Watching;
            core.attended = Time::now();
            core.followers.pop().inspect(Thread::unpark);
        }
        if !core.errands.is_empty() {
            self.release(core);
            core = self.lock();
        }
        core
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::Pool;
    use super::super::scheduler::OnFailure;
    use super::super::ticket::{Kind, Ticket};
    use super::*;
    use crate::task::registry::{Slot, registry};
    use std::time::Duration;

    /// Far longer than anything here takes.
    const WATCHDOG: Duration = Duration::from_secs(60);

    #[test]
    fn who_leaves_wakes_a_helper_that_dozes() {
        let pool = Pool::builder().workers(1).backend(Backend::Thread).build().expect("a pool");
        let shared = &pool.shared;
        // It waits for items that do not come.
        let kind = Kind { itemised: false, each: false, open: true, on_failure: OnFailure::Continue };
        let entry = registry().get(Slot(0)).expect("one is there at all times");
        let ticket = Ticket::submit(shared, (Slot(0), entry), kind, None);
        shared.start_helper().expect("a thread");
        for _ in 0..3 {
            // This thread leads until it dozes, and leaves in the same step.
            let dozes = |core: &mut Core| (core.helper == Helper::Dozing).then_some(());
            let dozed = shared.wait(None, Some(Time::now() + WATCHDOG), dozes).expect("no task");
            assert!(dozed.is_some(), "it looks time and again");
            assert_ne!(shared.lock().helper, Helper::Dozing, "nobody leads, and it sleeps on");
        }
        ticket.seal();
    }
}
