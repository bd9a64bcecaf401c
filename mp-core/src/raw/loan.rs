//! The word that says whether pieces of a memory are lent, and how many are out.
//!
//! | word | means | next |
//! |---|---|---|
//! | round even, out 0 | nothing is lent | `open`: round odd |
//! | round odd, out n | lent; n borrowers are inside | `enter`: n + 1; `leave`: n - 1; `close`: round even |
//! | round even, out n | over; n borrowers were inside when it ended | as the first line, if the lender knows that they are dead |
//!
//! A borrower of an earlier round gets in no more, and its leaving counts for nothing.

use super::atomic::{AtomicU64, Ordering};

/// Rounds in the upper half, borrowers inside in the lower half. All zero is the first state.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct LoanWord(AtomicU64);

const ROUND: u64 = 1 << 32;
const OUT: u64 = ROUND - 1;

impl LoanWord {
    /// Starts a round of lending and returns its number.
    pub fn open(&self) -> u32 {
        let round = ((self.0.load(Ordering::Relaxed) / ROUND) as u32 | 1).wrapping_add(2);
        // PAIR: `enter` acquires what the lender wrote into the memory before.
        self.0.store(u64::from(round) * ROUND, Ordering::Release);
        round
    }

    /// A borrower comes in; false if the round is over.
    pub fn enter(&self, round: u32) -> bool {
        // PAIR: `open` releases.
        let entered = self.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, |word| {
            (round & 1 == 1 && word / ROUND == u64::from(round)).then(|| word + 1)
        });
        entered.is_ok()
    }

    /// The borrower goes, and touches the memory no more.
    pub fn leave(&self, round: u32) {
        // PAIR: `close` acquires what the borrower wrote. In another round there is nothing to leave.
        let _ = self.0.fetch_update(Ordering::Release, Ordering::Relaxed, |word| {
            (word / ROUND == u64::from(round) && word & OUT > 0).then(|| word - 1)
        });
    }

    /// Whether this round is not over.
    pub fn is_open(&self, round: u32) -> bool {
        self.0.load(Ordering::Relaxed) / ROUND == u64::from(round)
    }

    /// Ends the round: nobody comes in any more. Returns how many are inside.
    pub fn close(&self) -> u32 {
        // PAIR: `leave` releases.
        (self.0.fetch_add(ROUND, Ordering::AcqRel) & OUT) as u32
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_round_counts_who_is_inside_and_lets_nobody_in_when_it_is_over() {
        let word = LoanWord::default();
        let first = word.open();
        assert!(word.enter(first) && word.enter(first));
        word.leave(first);
        assert_eq!(word.close(), 1);
        assert!(!word.enter(first) && !word.enter(first + 1));
        let second = word.open();
        assert!(second != first && !word.enter(first));
        word.leave(first);
        assert!(word.enter(second));
        word.leave(second);
        assert_eq!(word.close(), 0);
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;

    /// Either the borrower is refused, or it is counted, or everything it wrote is seen.
    #[test]
    fn loom_a_borrower_is_refused_counted_or_over() {
        loom::model(|| {
            let shared = Arc::new((LoanWord::default(), UnsafeCell::new(0)));
            let round = shared.0.open();
            let borrower = {
                let shared = shared.clone();
                loom::thread::spawn(move || {
                    if shared.0.enter(round) {
                        // SAFETY: duty: nobody else reaches it: the lender looks only when nobody is inside.
                        shared.1.with_mut(|number| unsafe { *number = 1 });
                        shared.0.leave(round);
                    }
                })
            };
            if shared.0.close() == 0 {
                // SAFETY: duty: nobody else writes: the round is over and nobody is inside.
                shared.1.with(|number| unsafe { assert!(*number < 2) });
            }
            assert!(borrower.join().is_ok());
        });
    }
}
