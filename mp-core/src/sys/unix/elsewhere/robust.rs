//! A lock between processes that survives its holder: macOS has none, and FreeBSD's finds its state by the address that a
//! process has it at, which is one thing more that a test here could not see.

pub use crate::sys::owned_lock::{Attempt, Robust, Taken};

/// Who holds a lock.
pub mod holder {
    use super::super::{futex, leaf};
    use crate::sys::owned_lock::WHO;
    use std::cell::Cell;
    use std::io;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    /// How long a sleep lasts at most: nobody wakes us when the holder ends, and who is killed between being woken and taking
    /// the lock takes the wake-up along. Promised is [`OwnerDied`](crate::sync) within 10 ms.
    pub const LOOK_AGAIN: Duration = Duration::from_millis(5);

    thread_local! {
        /// This thread in an owner word; zero until it is known.
        static ME: Cell<u64> = const { Cell::new(0) };
    }

    /// This thread in an owner word.
    pub fn me() -> io::Result<u64> {
        let known = ME.get();
        if known != 0 {
            return Ok(known);
        }
        let me = leaf::holder::this_thread()? & WHO;
        ME.set(me);
        Ok(me)
    }

    /// Whether a thread is gone. One that the system tells us nothing of is not.
    pub fn is_dead(who: u64) -> bool {
        leaf::holder::is_gone(who)
    }

    /// Sleeps while `turn` is as it was seen, at most so long.
    pub fn sleep(turn: &AtomicU32, seen: u32, timeout: Duration, _: u64) {
        futex::wait(turn, seen, Some(timeout));
    }
}
