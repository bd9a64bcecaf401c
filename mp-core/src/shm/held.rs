//! A lock between processes that is held for a copy, over what is in order at every instant: one store commits a change. So
//! when its holder is killed, the next one goes on as if nothing had happened.

#![allow(unsafe_code)] // the contracts of the robust lock

use crate::raw::brief::Brief;
use crate::sys::robust::{Attempt, Taken};
use std::io;
use std::time::Instant;

/// Looks at a lock before the first sleep: half of them closely, half of them with others let in.
const LOOKS: u32 = 40;

fn relax(look: u32) {
    if look >= LOOKS / 2 {
        return std::thread::yield_now();
    }
    for _ in 0..20 {
        std::hint::spin_loop();
    }
}

/// A lock, held by this thread.
pub struct Held<'a>(&'a Brief);

impl<'a> Held<'a> {
    /// Waits for the lock; `None` if somebody holds it until after the deadline.
    #[inline]
    pub fn take(lock: &'a Brief, deadline: impl FnOnce() -> Option<Instant>) -> io::Result<Option<Self>> {
        let attempt = lock.try_lock()?;
        if attempt == Attempt::Taken(Taken::Clean) {
            return Ok(Some(Self(lock)));
        }
        Self::take_slowly(lock, attempt, deadline)
    }

    #[cold]
    fn take_slowly(
        lock: &'a Brief,
        mut attempt: Attempt,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> io::Result<Option<Self>> {
        // It is held for a copy: to sleep takes longer, and whoever gives it back would have to wake us.
        for look in 0..LOOKS {
            if attempt != Attempt::Busy {
                break;
            }
            relax(look);
            attempt = lock.try_lock()?;
        }
        if attempt == Attempt::Busy {
            attempt = lock.lock(deadline())?;
        }
        match attempt {
            Attempt::Busy => Ok(None),
            Attempt::Mine => Err(io::Error::other("a signal handler used a queue that it interrupted")),
            Attempt::Taken(Taken::Clean) => Ok(Some(Self(lock))),
            Attempt::Taken(Taken::OwnerDied) => {
                let held = Self(lock);
                // SAFETY: duty: held by this thread: the line above.
                unsafe { lock.mark_consistent()? };
                Ok(Some(held))
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: duty: held by this thread: `take` got it, and a `Held` stays in the function that took it.
        unsafe { self.0.unlock() };
    }
}
