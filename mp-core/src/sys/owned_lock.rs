//! A lock between processes that survives its holder: a word that names the thread that holds it.
//!
//! ```text
//!  owner:  what tells a thread from all others (62) │ contended │ died
//! ```
//! | `owner` | by | goes to | when |
//! |---|---|---|---|
//! | 0 | anybody | me | it takes the lock |
//! | a living thread | anybody | contended | it is about to sleep |
//! | a dead thread | anybody | me, died | it takes the lock from the dead |
//! | me, died | me | me | it says that all is in order again |
//! | me | me | 0 | it gives the lock back |
//! | me, died | me | [`BROKEN`] | it gives the lock back, in disorder |
//!
//! Who waits sleeps on `turn`, which changes when a contended lock is given back, and looks whether the holder lives. `holder`
//! is what the system knows of threads: it tells one from the next that gets its number.

#![allow(unsafe_code)] // the contracts of `init`, `mark_consistent` and `unlock`

#[cfg(not(loom))]
use super::{futex, robust::holder};
use Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(loom)]
use model::{futex, holder};
use std::io;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

const FREE: u64 = 0;
const CONTENDED: u64 = 1 << 62;
const DIED: u64 = 1 << 63;
/// What names the holder.
pub const WHO: u64 = CONTENDED - 1;

/// Nobody gets it any more: its holder died, and the next one gave it back without a word.
const BROKEN: u64 = u64::MAX;

/// A mutex without a value. Lies in shared memory; every process may map it at another address.
#[repr(C)]
#[derive(Debug)]
pub struct Robust {
    owner: AtomicU64,
    turn: AtomicU32,
}

/// How a lock was got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// As it should be.
    Clean,
    /// The thread that held it ended. Until [`Robust::mark_consistent`] is called, an unlock makes it unusable for ever.
    OwnerDied,
}

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// It is held by this thread now.
    Taken(Taken),
    /// Another thread holds it.
    Busy,
    /// This thread holds it already.
    Mine,
}

impl Robust {
    /// Makes a mutex out of the bytes at `place`.
    ///
    /// # Safety
    /// `place` is valid for writes and aligned, and nobody uses it yet.
    #[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
    pub unsafe fn init(place: *mut Self) -> io::Result<()> {
        // SAFETY: duty: valid, aligned, unused: the caller by the contract.
        unsafe { place.write(Self { owner: AtomicU64::new(FREE), turn: AtomicU32::new(0) }) };
        Ok(())
    }

    /// Waits for the lock. Never [`Attempt::Busy`].
    ///
    /// # Blocking and death
    /// A holder that dies is noticed within [`holder::LOOK_AGAIN`], at once where the system wakes us.
    #[inline]
    pub fn lock(&self) -> io::Result<Attempt> {
        self.lock_before(None)
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> io::Result<Attempt> {
        self.try_lock_as(holder::me()?)
    }

    /// Waits for the lock until `deadline`; then says [`Attempt::Busy`].
    ///
    /// # Blocking and death
    /// As [`lock`](Self::lock).
    pub fn lock_until(&self, deadline: Instant) -> io::Result<Attempt> {
        self.lock_before(Some(deadline))
    }

    /// Says that what the lock protects is in order again, after [`Taken::OwnerDied`].
    ///
    /// # Safety
    /// This thread holds the lock.
    #[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
    pub unsafe fn mark_consistent(&self) -> io::Result<()> {
        self.owner.fetch_and(!DIED, Relaxed);
        Ok(())
    }

    /// Gives the lock back.
    ///
    /// # Safety
    /// This thread holds the lock.
    #[inline]
    pub unsafe fn unlock(&self) {
        // Only the holder changes this bit.
        let next = if self.owner.load(Relaxed) & DIED == 0 { FREE } else { BROKEN };
        // PAIR: `try_lock_as` acquires it.
        if self.owner.swap(next, SeqCst) & CONTENDED != 0 {
            // PAIR: `lock_before` reads the turn before it looks at the owner.
            self.turn.fetch_add(1, SeqCst);
            // The word is memory of ours: there is no way to fail.
            let _ = futex::wake(&self.turn, if next == BROKEN { u32::MAX } else { 1 });
        }
    }

    fn try_lock_as(&self, me: u64) -> io::Result<Attempt> {
        loop {
            // PAIR: `unlock`, or the death of the holder.
            let seen = self.owner.load(Acquire);
            let (next, taken) = match seen {
                FREE => (me, Taken::Clean),
                BROKEN => {
                    return Err(io::Error::other(
                        "what the lock protects was left in disorder by its holders",
                    ));
                }
                seen if seen & WHO == me & WHO => return Ok(Attempt::Mine),
                seen if holder::is_dead(seen & WHO) => (me | DIED | seen & CONTENDED, Taken::OwnerDied),
                _ => return Ok(Attempt::Busy),
            };
            if self.owner.compare_exchange(seen, next, AcqRel, Relaxed).is_ok() {
                return Ok(Attempt::Taken(taken));
            }
        }
    }

    fn lock_before(&self, deadline: Option<Instant>) -> io::Result<Attempt> {
        let mut me = holder::me()?;
        loop {
            let attempt = self.try_lock_as(me)?;
            if attempt != Attempt::Busy {
                return Ok(attempt);
            }
            let left =
                deadline.map_or(holder::LOOK_AGAIN, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(Attempt::Busy);
            }
            // Others may sleep beside us: whoever has slept leaves the lock contended.
            me |= CONTENDED;
            // PAIR: `unlock` changes the owner before the turn.
            let turn = self.turn.load(SeqCst);
            let seen = self.owner.load(SeqCst);
            let is_held = seen != FREE && seen != BROKEN;
            if is_held
                && (seen & CONTENDED != 0
                    || self.owner.compare_exchange(seen, seen | CONTENDED, SeqCst, Relaxed).is_ok())
            {
                holder::sleep(&self.turn, turn, left.min(holder::LOOK_AGAIN), seen & WHO);
            }
        }
    }
}

#[cfg(loom)]
mod model {
    //! The system's side, without its time-outs: a lost wake-up is a hang here.

    use super::{
        AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    };
    use loom::sync::{Condvar, Mutex};

    loom::lazy_static! {
        static ref SYSTEM: System = System { dead: AtomicU64::new(0), queue: Mutex::new(()), sleepers: Condvar::new() };
    }

    struct System {
        /// The one thread that has died.
        dead: AtomicU64,
        queue: Mutex<()>,
        sleepers: Condvar,
    }

    loom::thread_local! {
        static ME: std::cell::Cell<u64> = std::cell::Cell::new(0);
    }

    /// Who the calling thread is.
    pub fn call_me(me: u64) {
        ME.with(|cell| cell.set(me));
    }

    /// The calling thread has come to its end; who sleeps looks again, which the time-out sees to elsewhere.
    pub fn die() {
        // PAIR: `is_dead`. A system knows a thread for dead after it has done its last.
        SYSTEM.dead.store(ME.with(std::cell::Cell::get), Release);
        drop(SYSTEM.queue.lock().expect("models do not panic under it"));
        SYSTEM.sleepers.notify_all();
    }

    pub mod futex {
        use super::{AtomicU32, SYSTEM};

        pub fn wake(_: &AtomicU32, count: u32) -> std::io::Result<()> {
            drop(SYSTEM.queue.lock().expect("models do not panic under it"));
            if count == 1 {
                SYSTEM.sleepers.notify_one()
            } else {
                SYSTEM.sleepers.notify_all()
            }
            Ok(())
        }
    }

    pub mod holder {
        use super::{Acquire, AtomicU32, ME, Relaxed, SYSTEM};
        use std::time::Duration;

        pub const LOOK_AGAIN: Duration = Duration::MAX;

        #[allow(clippy::unnecessary_wraps)] // as where there is a system
        pub fn me() -> std::io::Result<u64> {
            Ok(ME.with(std::cell::Cell::get))
        }

        pub fn is_dead(who: u64) -> bool {
            // PAIR: `die`.
            SYSTEM.dead.load(Acquire) == who
        }

        pub fn sleep(turn: &AtomicU32, seen: u32, _: Duration, who: u64) {
            let queue = SYSTEM.queue.lock().expect("models do not panic under it");
            if turn.load(Relaxed) == seen && !is_dead(who) {
                drop(SYSTEM.sleepers.wait(queue));
            }
        }
    }
}

#[cfg(test)]
#[path = "owned_lock_tests.rs"]
mod tests;
