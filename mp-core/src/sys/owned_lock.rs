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

use super::futex;
use super::robust::holder;
use std::io;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64};
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::time::Duration;

    fn lock() -> Robust {
        Robust { owner: AtomicU64::new(FREE), turn: AtomicU32::new(0) }
    }

    #[test]
    fn one_thread_holds_it_at_a_time() {
        let (robust, inside) = (lock(), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        assert_eq!(robust.lock().unwrap(), Attempt::Taken(Taken::Clean));
                        assert_eq!(inside.fetch_add(1, SeqCst), 0);
                        inside.fetch_sub(1, SeqCst);
                        // SAFETY: duty: held: the line above.
                        unsafe { robust.unlock() };
                    }
                });
            }
        });
    }

    #[test]
    fn the_lock_of_a_dead_thread_is_handed_on_once() {
        let robust = lock();
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(robust.try_lock().unwrap(), Attempt::Taken(Taken::Clean)));
        });
        assert_eq!(robust.lock().unwrap(), Attempt::Taken(Taken::OwnerDied));
        assert_eq!(robust.lock().unwrap(), Attempt::Mine);
        // SAFETY: duty: held: the lines above.
        unsafe {
            robust.mark_consistent().unwrap();
            robust.unlock();
        }
        assert_eq!(robust.try_lock().unwrap(), Attempt::Taken(Taken::Clean));
    }

    #[test]
    fn who_waits_is_told_of_the_death_and_a_lock_in_disorder_is_no_lock_any_more() {
        let (robust, held) = (lock(), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(robust.lock().unwrap(), Attempt::Taken(Taken::Clean));
                held.wait();
            });
            held.wait();
            assert_eq!(robust.lock().unwrap(), Attempt::Taken(Taken::OwnerDied));
            // SAFETY: duty: held: the line above.
            unsafe { robust.unlock() };
        });
        assert!(robust.try_lock().is_err());
    }

    #[test]
    fn a_deadline_ends_the_wait() {
        let robust = lock();
        assert_eq!(robust.lock().unwrap(), Attempt::Taken(Taken::Clean));
        let soon = Instant::now() + Duration::from_millis(5);
        std::thread::scope(|scope| {
            let late = scope.spawn(|| robust.lock_until(soon).unwrap());
            assert_eq!(late.join().unwrap(), Attempt::Busy);
        });
    }
}
