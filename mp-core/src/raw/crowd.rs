//! The crowd word: any number of sleepers of any number of processes, woken one by one.
//!
//! ```text
//!  sleeper  look ─► word |= 1 ─► fence ─► look again ─► futex wait on the word as it was seen ─► from the start
//!  waker    change, exchanging ─► word & 1? clear it, count up ─► wake one
//! ```
//! The change and the look after it are sequentially consistent, so that the waker sees the sleeper, or the sleeper the change.
//! A woken sleeper sets the bit again before it looks: others may sleep beside it. So the bit may stand with nobody
//! asleep, which costs one wake-up too many, but nobody sleeps for long without it: who is killed between being woken and
//! setting the bit takes it along, and the others look again by themselves after [`LOOK_AGAIN`].
//!
//! | word | by | goes to | when |
//! |---|---|---|---|
//! | n | sleeper | n with bit 0 | it is about to sleep |
//! | n with bit 0 | waker | n + 2 without bit 0 | it owes a wake-up |

use super::atomic::{
    AtomicU32,
    Ordering::{Relaxed, SeqCst},
    exchanged, fence,
};
use crate::limits::LOOK_AGAIN;
use std::time::{Duration, Instant};

/// Looks before the first sleep. Each pause is twice as long as the one before it: who looks takes the words from the processor
/// that is about to change them, and what comes in a burst is better found at once than one by one.
const LOOKS: u32 = 6;

/// The first pause.
const FIRST_PAUSE: u32 = 4;

/// More looks, with others let onto the processor.
const YIELDS: u32 = 10;

/// How long the first sleep of the impatient lasts.
const SOON: Duration = Duration::from_micros(200);

const ASLEEP: u32 = 1;

/// The word. All-zero bytes are a valid one.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Crowd {
    word: AtomicU32,
    #[cfg(loom)]
    kernel: model::Kernel,
}

impl Crowd {
    /// Waits until `is_ready`, at most `timeout` (`None`: for ever); whether it is.
    ///
    /// # Blocking and death
    /// Whoever makes it ready and is killed before it wakes anybody delays this by [`LOOK_AGAIN`].
    pub fn wait(&self, timeout: Option<Duration>, is_ready: impl FnMut() -> bool) -> bool {
        self.wait_looking(timeout, LOOK_AGAIN, is_ready)
    }

    /// As [`wait`](Self::wait), for those whom [`wake_one_if`](Self::wake_one_if) may let sleep: looks again by itself,
    /// first after [`SOON`], then each time after as long as it has slept so far.
    ///
    /// # Blocking and death
    /// As [`wait`](Self::wait).
    pub fn wait_impatiently(&self, timeout: Option<Duration>, is_ready: impl FnMut() -> bool) -> bool {
        self.wait_looking(timeout, SOON, is_ready)
    }

    fn wait_looking(
        &self,
        timeout: Option<Duration>,
        mut nap: Duration,
        mut is_ready: impl FnMut() -> bool,
    ) -> bool {
        if is_ready() {
            return true;
        }
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return false;
        }
        let began = Instant::now();
        for look in 0..if cfg!(loom) { 0 } else { LOOKS + YIELDS } {
            if is_ready() {
                return true;
            }
            if look >= LOOKS {
                std::thread::yield_now();
            } else {
                (0..FIRST_PAUSE << look).for_each(|_| std::hint::spin_loop());
            }
        }
        loop {
            // PAIR: `take_sleeper` looks at the bit after its fence: it sees the bit, or we see what it changed.
            let seen = self.word.fetch_or(ASLEEP, Relaxed) | ASLEEP;
            fence(SeqCst);
            if is_ready() {
                return true;
            }
            let left = timeout.map_or(LOOK_AGAIN, |timeout| timeout.saturating_sub(began.elapsed()));
            if left.is_zero() {
                return false;
            }
            self.sleep(seen, left.min(nap));
            nap = (2 * nap).min(LOOK_AGAIN);
        }
    }

    /// After a change by a sequentially consistent exchange: wakes one sleeper if there may be one.
    #[inline]
    pub fn wake_one(&self) {
        if self.take_sleeper() {
            self.wake(1);
        }
    }

    /// As [`wake_one`](Self::wake_one), if it is worth it. Who is let sleep must be one of those that
    /// [wait impatiently](Self::wait_impatiently).
    #[inline]
    pub fn wake_one_if(&self, is_worth_it: impl FnOnce() -> bool) {
        exchanged();
        // PAIR: the fence in `wait_looking`.
        if self.word.load(SeqCst) & ASLEEP != 0 && is_worth_it() {
            self.wake_one();
        }
    }

    /// Whether somebody may be asleep. Who has been asleep sees at least itself: it set the bit after it was woken.
    #[inline]
    pub fn seems_asleep(&self) -> bool {
        // PAIR: none; who goes to sleep now without being seen looks again before, and whoever makes a change wakes it.
        self.word.load(Relaxed) & ASLEEP != 0
    }

    /// After any change: wakes everybody.
    pub fn wake_all(&self) {
        fence(SeqCst);
        if self.take_sleeper() {
            self.wake(u32::MAX);
        }
    }

    #[inline]
    fn take_sleeper(&self) -> bool {
        exchanged();
        // PAIR: the fence in `wait_looking`.
        let mut seen = self.word.load(SeqCst);
        while seen & ASLEEP != 0 {
            match self.word.compare_exchange(seen, seen.wrapping_add(1), Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    #[cfg(not(loom))]
    fn sleep(&self, seen: u32, timeout: Duration) {
        crate::sys::futex::wait(&self.word, seen, Some(timeout));
    }

    #[cfg(not(loom))]
    fn wake(&self, count: u32) {
        // The word is memory of ours: there is no other way to fail.
        let _ = crate::sys::futex::wake(&self.word, count);
    }
}

#[cfg(loom)]
mod model {
    //! The kernel's side of a futex, without its time-outs: a lost wake-up is a hang here.

    use super::{Crowd, Duration, Relaxed};
    use loom::sync::{Condvar, Mutex};

    #[derive(Debug, Default)]
    pub(super) struct Kernel {
        queue: Mutex<()>,
        sleepers: Condvar,
    }

    impl Crowd {
        pub(super) fn sleep(&self, seen: u32, _: Duration) {
            let queue = self.kernel.queue.lock().expect("models do not panic under it");
            if self.word.load(Relaxed) == seen {
                drop(self.kernel.sleepers.wait(queue));
            }
        }

        pub(super) fn wake(&self, count: u32) {
            drop(self.kernel.queue.lock().expect("models do not panic under it"));
            if count == 1 {
                self.kernel.sleepers.notify_one();
            } else {
                self.kernel.sleepers.notify_all();
            }
        }
    }
}

#[cfg(test)]
#[path = "crowd_tests.rs"]
mod tests;
