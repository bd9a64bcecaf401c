//! Who sleeps on which word of a memory.
//!
//! | slot | by | goes to | when |
//! |---|---|---|---|
//! | 0 | sleeper | (word, thread) | it is about to sleep |
//! | (word, thread) | waker | 0 | it wakes this sleeper |
//! | (word, thread) | sleeper | 0 | it is up again for another reason |
//!
//! All-zero bytes are a valid lot. A sleeper that is killed leaves its slot behind; the next waker of that word takes it
//! out, in vain.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// What fits a page with some words before it.
const SLOTS: usize = 500;

/// The slots of one memory.
#[repr(C)]
pub struct Lot {
    /// One more than the highest slot that was ever used, so that wakers look at few.
    used: AtomicU32,
    slots: [AtomicU64; SLOTS],
}

/// A sleeper's place.
pub struct Place<'a> {
    slot: &'a AtomicU64,
    mark: u64,
}

impl Lot {
    /// Writes down that `thread` sleeps on `word`; `None` if there is no slot. The caller looks at the word after this.
    pub fn enter(&self, word: u32, thread: u32) -> Option<Place<'_>> {
        let mark = u64::from(word + 1) << 32 | u64::from(thread);
        for (index, slot) in self.slots.iter().enumerate() {
            // PAIR: `take_out` looks after the word was changed: it sees the mark, or the sleeper sees the change.
            if slot.load(Relaxed) == 0 && slot.compare_exchange(0, mark, SeqCst, Relaxed).is_ok() {
                self.used.fetch_max(index as u32 + 1, SeqCst);
                return Some(Place { slot, mark });
            }
        }
        None
    }

    /// Takes out a sleeper of `word`, after the word was changed: its thread.
    pub fn take_out(&self, word: u32) -> Option<u32> {
        let used = (self.used.load(SeqCst) as usize).min(SLOTS);
        for slot in &self.slots[..used] {
            // PAIR: `enter`.
            let mark = slot.load(SeqCst);
            if mark >> 32 == u64::from(word + 1) && slot.compare_exchange(mark, 0, SeqCst, Relaxed).is_ok() {
                return Some(mark as u32);
            }
        }
        None
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // A waker may have been faster.
        let _ = self.slot.compare_exchange(self.mark, 0, SeqCst, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakers_find_the_sleepers_of_their_word_once() {
        let lot = Lot { used: AtomicU32::new(0), slots: [const { AtomicU64::new(0) }; SLOTS] };
        let one = lot.enter(7, 1).unwrap();
        let _other = lot.enter(7, 2).unwrap();
        let _elsewhere = lot.enter(8, 3).unwrap();
        assert_eq!(lot.take_out(7), Some(1));
        drop(one);
        assert_eq!(lot.take_out(7), Some(2));
        assert_eq!(lot.take_out(7), None);
        assert_eq!(lot.take_out(8), Some(3));
        drop(lot.enter(9, 4));
        assert_eq!(lot.take_out(9), None);
    }

    #[test]
    fn a_full_lot_says_so() {
        let lot = Lot { used: AtomicU32::new(0), slots: [const { AtomicU64::new(0) }; SLOTS] };
        let places: Vec<_> = (0..SLOTS as u32).map(|thread| lot.enter(0, thread + 1).unwrap()).collect();
        assert!(lot.enter(0, 1).is_none());
        drop(places);
        assert!(lot.enter(0, 1).is_some());
    }
}
