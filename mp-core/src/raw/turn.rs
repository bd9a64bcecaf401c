//! The word that says which of two copies counts.
//!
//! | word | counts | next |
//! |---|---|---|
//! | 0 | the first copy | 1, when the second is written |
//! | 1 | the second copy | 0, when the first is written |
//!
//! One at a time writes, under a lock: the copy that does not count, then the word. Who gets the lock of a writer that was
//! killed finds all of the change or nothing of it, whichever store was its last.

use super::atomic::{
    AtomicU32,
    Ordering::{Acquire, Release},
};

/// Whose turn it is. All-zero bytes are the first copy's.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct Turn(AtomicU32);

impl Turn {
    /// The copy that counts: 0 or 1. What came from another process is cut down to that.
    pub fn current(&self) -> usize {
        // PAIR: `pass` releases the copy.
        (self.0.load(Acquire) & 1) as usize
    }

    /// The copy to write to.
    pub fn next(&self) -> usize {
        self.current() ^ 1
    }

    /// What was [next](Self::next) counts from now on: it is written.
    pub fn pass(&self) {
        // PAIR: `current` acquires, also in the process that gets the lock of one that was killed here.
        self.0.fetch_xor(1, Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_copies_take_turns() {
        let turn = Turn::default();
        for expected in [0, 1, 0] {
            assert_eq!((turn.current(), turn.next()), (expected, expected ^ 1));
            turn.pass();
        }
    }

    #[test]
    fn what_a_stranger_wrote_means_one_of_the_two() {
        let turn = Turn(AtomicU32::new(0xdead_beef));
        assert_eq!((turn.current(), turn.next()), (1, 0));
        turn.pass();
        assert_eq!((turn.current(), turn.next()), (0, 1));
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    #[derive(Default)]
    struct Copies {
        turn: Turn,
        halves: [[UnsafeCell<u32>; 2]; 2],
    }

    impl Copies {
        fn read(&self) -> [u32; 2] {
            // SAFETY: duty: nobody writes: a writer is at the other copy. loom checks it.
            self.halves[self.turn.current()].each_ref().map(|half| half.with(|half| unsafe { *half }))
        }

        fn write(&self, number: u32) {
            for half in &self.halves[self.turn.next()] {
                // SAFETY: duty: nobody reads or writes: readers are at the copy that counts. loom checks it.
                half.with_mut(|half| unsafe { *half = number });
            }
            self.turn.pass();
        }
    }

    /// Who takes over looks after any number of a writer's stores: this one looks at every moment.
    #[test]
    fn loom_who_takes_over_finds_the_old_value_or_the_new_one() {
        loom::model(|| {
            let copies = Arc::new(Copies::default());
            copies.write(1);
            // The writer is this thread: loom goes back to where a load could have come before a store, not the other
            // way round if the storing thread loads in between.
            let successor = thread::spawn({
                let copies = copies.clone();
                move || {
                    let found = copies.read();
                    assert!(found == [1, 1] || found == [2, 2], "half of a change: {found:?}");
                }
            });
            copies.write(2);
            assert!(successor.join().is_ok());
            assert_eq!(copies.read(), [2, 2]);
        });
    }
}
