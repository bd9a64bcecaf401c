//! A lock between processes that is held for a moment and survives its holder: a word that names the thread that holds it.
//!
//! ```text
//!  take       announce the word to the kernel ─► 0 to me
//!  give back  me to 0 ─► wake who wants it ─► withdraw the word
//! ```
//! | `word` | by | goes to | when |
//! |---|---|---|---|
//! | nobody, `DIED` or not | anybody | me | it takes the lock |
//! | somebody | who wants it | somebody, `WANTED` | it is about to sleep |
//! | somebody | the kernel | nobody, `DIED`; `WANTED` stays | that thread ended; the kernel wakes one |
//! | me | me | 0 | it gives the lock back, and wakes one if it was `WANTED` |
//!
//! The lock of pthreads does the same in the middle of what allows to hold any number of locks for any time. This one is for
//! sections that take no other lock that the kernel looks after: it has one place for each thread. Where the kernel has none, or
//! libc does not say where, the lock of pthreads takes its place: whoever makes the lock decides, and writes it beside the
//! word.
//!
//! Who has woken somebody may be killed before that one has the lock, and so may the one who was woken: then the kernel wakes the
//! next, unless another one has the lock already, who does not know that somebody sleeps. So a sleep ends after [`LOOK_AGAIN`]
//! by itself.

use super::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, SeqCst},
};
use crate::limits::LOOK_AGAIN;
use crate::sys::holder::{DIED, HOLDER, WANTED, me};
use crate::sys::robust::{Attempt, Robust, Taken};
use std::io;
use std::time::{Duration, Instant};

/// The lock. Bytes that are zero are none yet: see [`init`](Self::init).
#[repr(C)]
pub struct Brief {
    word: Word,
    /// Whether the word is the lock; else it is what lies beside it.
    is_word: AtomicU32,
    beside: Robust,
}

/// The word alone.
#[repr(C)]
#[derive(Debug, Default)]
struct Word {
    word: AtomicU32,
    #[cfg(loom)]
    kernel: model::Kernel,
}

impl Brief {
    /// Makes a lock out of the bytes at `place`.
    ///
    /// # Safety
    /// `place` is valid for writes and aligned, its bytes are zero, and nobody uses it yet.
    pub unsafe fn init(place: *mut Self) -> io::Result<()> {
        // SAFETY: duty: the place is ours, and zeros are valid atomics: the caller by the contract.
        unsafe {
            Robust::init(&raw mut (*place).beside)?;
            // PAIR: everybody who has the memory, which is given away later.
            (*place).is_word.store(me().is_some().into(), Relaxed);
        }
        Ok(())
    }

    /// Takes the lock if it is free. [`Attempt::Mine`] if this thread holds one of its kind, this one or another.
    #[inline]
    pub fn try_lock(&self) -> io::Result<Attempt> {
        if self.is_beside() {
            return self.beside.try_lock();
        }
        let me = me().ok_or_else(unknown)?;
        if self.word.is_held() {
            return Ok(Attempt::Busy);
        }
        if !me.announce(self.word.place()) {
            return Ok(Attempt::Mine);
        }
        let taken = self.word.take(me.number(), 0);
        if taken.is_none() {
            me.withdraw();
        }
        Ok(taken.map_or(Attempt::Busy, Attempt::Taken))
    }

    /// Waits for the lock; at most until `deadline` if there is one, and then says [`Attempt::Busy`].
    ///
    /// # Blocking and death
    /// The kernel wakes a waiter when the holder dies.
    pub fn lock(&self, deadline: Option<Instant>) -> io::Result<Attempt> {
        if self.is_beside() {
            return deadline.map_or_else(|| self.beside.lock(), |deadline| self.beside.lock_until(deadline));
        }
        let me = me().ok_or_else(unknown)?;
        if !me.announce(self.word.place()) {
            return Ok(Attempt::Mine);
        }
        loop {
            let left =
                deadline.map_or(LOOK_AGAIN, |deadline| deadline.saturating_duration_since(Instant::now()));
            if let Some(taken) = self.word.take_or_sleep(me.number(), left.min(LOOK_AGAIN)) {
                return Ok(Attempt::Taken(taken));
            }
            if left.is_zero() {
                me.withdraw();
                return Ok(Attempt::Busy);
            }
        }
    }

    /// Says that what the lock protects is in order again, after [`Taken::OwnerDied`].
    ///
    /// # Safety
    /// This thread holds the lock.
    pub unsafe fn mark_consistent(&self) -> io::Result<()> {
        if self.is_beside() {
            // SAFETY: duty: held by this thread: the caller by the contract.
            return unsafe { self.beside.mark_consistent() };
        }
        Ok(())
    }

    /// Gives the lock back. What was written before it is there for all, before this thread looks at anything after it.
    ///
    /// # Safety
    /// This thread holds the lock.
    #[inline]
    pub unsafe fn unlock(&self) {
        if self.is_beside() {
            // SAFETY: duty: held by this thread: the caller by the contract.
            unsafe { self.beside.unlock() };
            // PAIR: who sets a word and looks for what we wrote, with a fence in between, such as `Crowd`.
            super::atomic::fence(SeqCst);
            return;
        }
        self.word.give_back();
        if let Some(me) = me() {
            me.withdraw();
        }
    }

    #[inline]
    fn is_beside(&self) -> bool {
        // PAIR: `init`, before the memory was known to anybody else.
        self.is_word.load(Relaxed) == 0
    }
}

impl Word {
    #[inline]
    fn is_held(&self) -> bool {
        // PAIR: none, a hint.
        self.word.load(Relaxed) & HOLDER != 0
    }

    /// Takes it if nobody holds it; `wanted` if others may sleep on it.
    #[inline]
    fn take(&self, me: u32, wanted: u32) -> Option<Taken> {
        let mut seen = self.word.load(Relaxed);
        while seen & HOLDER == 0 {
            // PAIR: `give_back`, or the death of the last holder, whose writes the kernel has seen all.
            match self.word.compare_exchange(seen, me | seen & WANTED | wanted, Acquire, Relaxed) {
                Ok(_) => return Some(if seen & DIED == 0 { Taken::Clean } else { Taken::OwnerDied }),
                Err(now) => seen = now,
            }
        }
        None
    }

    /// Takes it, or says that it is wanted and sleeps once. Who has slept takes it as one that others want, too.
    fn take_or_sleep(&self, me: u32, nap: Duration) -> Option<Taken> {
        loop {
            let taken = self.take(me, WANTED);
            if taken.is_some() {
                return taken;
            }
            // PAIR: the exchange in `give_back` and the kernel's, which find the bit or come first.
            let seen = self.word.load(Relaxed);
            if seen & HOLDER == 0 {
                continue;
            }
            if seen & WANTED == 0
                && self.word.compare_exchange(seen, seen | WANTED, Relaxed, Relaxed).is_err()
            {
                continue;
            }
            self.sleep(seen | WANTED, nap);
            return None;
        }
    }

    #[inline]
    fn give_back(&self) {
        // PAIR: `take` acquires it. Sequentially consistent, so that who gives it back may look for sleepers elsewhere next.
        if self.word.swap(0, SeqCst) & WANTED != 0 {
            self.wake();
        }
    }

    #[cfg(not(loom))]
    #[inline]
    fn place(&self) -> &AtomicU32 {
        &self.word
    }

    #[cfg(not(loom))]
    fn sleep(&self, seen: u32, nap: Duration) {
        crate::sys::futex::wait(&self.word, seen, Some(nap));
    }

    #[cfg(not(loom))]
    #[cold]
    fn wake(&self) {
        // The word is memory of ours: there is no other way to fail.
        let _ = crate::sys::futex::wake(&self.word, 1);
    }
}

#[cold]
fn unknown() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the C library does not say which locks this thread holds")
}

#[cfg(loom)]
mod model {
    //! The kernel's side, without its time-outs: a lost wake-up is a hang here.

    use super::{DIED, Duration, HOLDER, Relaxed, SeqCst, WANTED, Word};
    use loom::sync::{Condvar, Mutex};

    #[derive(Debug, Default)]
    pub(super) struct Kernel {
        queue: Mutex<()>,
        sleepers: Condvar,
    }

    impl Word {
        /// Models do not die by themselves.
        pub(super) fn place(&self) -> &std::sync::atomic::AtomicU32 {
            static NOWHERE: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
            &NOWHERE
        }

        pub(super) fn sleep(&self, seen: u32, _: Duration) {
            let queue = self.kernel.queue.lock().expect("models do not panic under it");
            if self.word.load(Relaxed) == seen {
                drop(self.kernel.sleepers.wait(queue));
            }
        }

        pub(super) fn wake(&self) {
            drop(self.kernel.queue.lock().expect("models do not panic under it"));
            self.kernel.sleepers.notify_one();
        }

        /// What the kernel does with the word of a thread that ended.
        pub(super) fn died(&self, me: u32) {
            let mut seen = self.word.load(Relaxed);
            while seen & HOLDER == me {
                match self.word.compare_exchange(seen, seen & WANTED | DIED, SeqCst, Relaxed) {
                    Ok(_) if seen & WANTED != 0 => return self.wake(),
                    Ok(_) => return,
                    Err(now) => seen = now,
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "brief_tests.rs"]
mod tests;
