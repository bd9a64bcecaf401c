//! Looking for a moment before sleeping, where that has paid.
//!
//! To wake somebody who sleeps on another processor takes 25 to 50 µs, and an answer that is seen by who still looks less than
//! one. But a look is in vain where the answer takes longer, and keeps the other side from its work where both run on one
//! processor. Nobody says which it will be: so who looked in vain does not look at the next wait, after the second time in
//! vain not at the next three, and so on up to 255; some successes in a row, and everybody looks again. (Karlin, Li, Manasse, Owicki,
//! "Empirical studies of competitive spinning for a shared-memory multiprocessor", 1991: to look for as long as a sleep costs
//! costs at most twice what knowing would.)
//!
//! | word: to be left out, after the next one in vain | by | goes to |
//! |---|---|---|
//! | 0, n | who looked more than once and found | 0, n / 2 |
//! | 0, n | who looked in vain | 2n + 1, 2n + 1, at most 255 |
//! | k, n | who does not look | k - 1, n |

use super::atomic::{AtomicU32, Ordering::Relaxed};
use std::hint::spin_loop;
use std::time::{Duration, Instant};

/// As long as it takes to wake a sleeper.
const LOOK: Duration = Duration::from_micros(50);

/// The most waits without a look.
const LEFT_OUT_MAX: u32 = 255;

/// Whether those who wait for something look before they sleep. All-zero bytes: they do. It may be shared: a guess that is out
/// of date costs time, never correctness.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct Linger(AtomicU32);

impl Linger {
    /// Looks at memory for a moment, if that promises something; whether it found it.
    #[inline]
    pub fn until(&self, is_ready: impl FnMut() -> bool) -> bool {
        self.look(64, is_ready)
    }

    /// The same, for a look that is a system call.
    pub fn until_called(&self, is_ready: impl FnMut() -> bool) -> bool {
        self.look(1, is_ready)
    }

    /// So many looks between two at the clock.
    fn look(&self, looks: u32, mut is_ready: impl FnMut() -> bool) -> bool {
        // A model sleeps at once: it shows that nobody sleeps for ever.
        if cfg!(loom) {
            return false;
        }
        // PAIR: none, in all of this: it says nothing about anything else.
        let word = self.0.load(Relaxed);
        let (left_out, in_vain) = (word & 0xffff, word >> 16);
        if left_out > 0 {
            self.0.store(word - 1, Relaxed);
            return false;
        }
        if is_ready() {
            return true; // by itself, and not because we stayed
        }
        let start = Instant::now();
        loop {
            for _ in 0..looks {
                spin_loop();
                if is_ready() {
                    if in_vain != 0 {
                        self.0.store((in_vain / 2) << 16, Relaxed);
                    }
                    return true;
                }
            }
            if start.elapsed() >= LOOK {
                let more = (2 * in_vain + 1).min(LEFT_OUT_MAX);
                self.0.store(more << 16 | more, Relaxed);
                return false;
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// How many of so many waits look, if all of them look in vain.
    fn looks_in_vain(linger: &Linger, waits: u32) -> u32 {
        let mut looked = 0;
        for _ in 0..waits {
            let mut is_first = true;
            assert!(!linger.until(|| {
                looked += u32::from(std::mem::take(&mut is_first));
                false
            }));
        }
        looked
    }

    #[test]
    fn who_looks_in_vain_looks_less_and_less_often() {
        let linger = Linger::default();
        assert_eq!(looks_in_vain(&linger, 1 + 1 + 1 + 3 + 1 + 7), 3, "one left out, then three, then seven");
        assert_eq!(looks_in_vain(&linger, 1 + 15 + 1 + 31 + 1 + 63 + 1 + 127 + 1 + 255), 5);
        assert_eq!(looks_in_vain(&linger, 256 * 3), 3, "and no less often than that");
    }

    #[test]
    fn successes_in_a_row_make_all_look_again() {
        let linger = Linger::default();
        looks_in_vain(&linger, 1 + 1 + 1 + 3);
        assert!(linger.until_called(comes_at_look(2)));
        assert_eq!(looks_in_vain(&linger, 1 + 3 + 1), 2, "one alone counts for the next wait");
        let linger = Linger::default();
        looks_in_vain(&linger, 1 + 1 + 1 + 3);
        assert!((0..2).all(|_| linger.until(comes_at_look(10))));
        assert_eq!(looks_in_vain(&linger, 1 + 1 + 1), 2, "it begins anew");
    }

    #[test]
    fn what_was_there_before_says_nothing_about_looking() {
        let linger = Linger::default();
        looks_in_vain(&linger, 1 + 1 + 1 + 3);
        assert!((0..10).all(|_| linger.until(comes_at_look(1))));
        assert_eq!(looks_in_vain(&linger, 1 + 7 + 1), 2, "as before");
    }

    fn comes_at_look(number: u32) -> impl FnMut() -> bool {
        let mut looks = 0;
        move || {
            looks += 1;
            looks == number
        }
    }
}
