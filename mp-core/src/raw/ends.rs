//! The two ends of a queue that many share: how far it is written, and how far it is read.
//!
//! ```text
//!  producer  under a lock: look at the head ─► fence ─► write the bytes ─► tail = behind them
//!  consumer  look at both ─► copy the bytes ─► fence ─► head: from what it was to behind them ─► the copy is the message
//! ```
//! Consumers need no lock. One that was slower than another has copied bytes that a producer may have been writing over;
//! then the head is not any more what it was, and the copy is thrown away. The count of messages in the word sees to it that
//! it is never again what it was.
//!
//! | word | by | goes to | when |
//! |---|---|---|---|
//! | `tail` | producer, under the lock | behind the new message | its bytes are written |
//! | `head` | consumer | behind its message | its bytes are copied, and nobody else has taken it |

use super::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

/// The words. All-zero bytes are an empty queue.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Ends {
    tail: Alone,
    head: Alone,
}

/// A word on a line of its own (see `shm::layout` on the size of a line).
#[repr(C, align(128))]
#[derive(Debug, Default)]
struct Alone(AtomicU64);

/// A place in the queue: so many messages lie before it, in so many units of memory. Both counts wrap around.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Messages.
    pub items: u32,
    /// Units of memory.
    pub units: u32,
}

impl Mark {
    fn of(word: u64) -> Self {
        Self { items: (word >> 32) as u32, units: word as u32 }
    }

    fn word(self) -> u64 {
        (u64::from(self.items) << 32) | u64::from(self.units)
    }

    /// Behind a message of `units`.
    pub fn after(self, units: u32) -> Self {
        Self { items: self.items.wrapping_add(1), units: self.units.wrapping_add(units) }
    }

    /// How many messages and units lie between an earlier place and this one.
    pub fn since(self, earlier: Self) -> Self {
        Self { items: self.items.wrapping_sub(earlier.items), units: self.units.wrapping_sub(earlier.units) }
    }
}

impl Ends {
    /// How far it is written.
    #[inline]
    pub fn tail(&self) -> Mark {
        // PAIR: `put` released it after the bytes.
        Mark::of(self.tail.0.load(Acquire))
    }

    /// Head and tail, in this order: the tail may be much further.
    #[inline]
    pub fn look(&self) -> (Mark, Mark) {
        // PAIR: `take`: where this head is, no producer has written since.
        let head = Mark::of(self.head.0.load(Acquire));
        (head, self.tail())
    }

    /// For the producer that has the lock: head and tail. What it writes from now on, it writes where the message of a
    /// consumer was that is still copying only if that consumer will find the head changed.
    #[inline]
    pub fn look_to_write(&self) -> (Mark, Mark) {
        let looked = self.look();
        // PAIR: the fence in `take`: who has copied what we write from now on, sees the head that we have seen.
        fence(Release);
        looked
    }

    /// For the producer that has the lock: all before `tail` is written.
    #[inline]
    pub fn put(&self, tail: Mark) {
        // PAIR: `tail` acquires it before the bytes are read. This store is the message's arrival.
        self.tail.0.store(tail.word(), Release);
    }

    /// Whether the head is still there: then all that was copied since it was looked at is what the producers wrote.
    #[inline]
    pub fn is_at(&self, head: Mark) -> bool {
        // PAIR: the fence in `look_to_write`.
        fence(Acquire);
        self.head.0.load(Relaxed) == head.word()
    }

    /// Takes the message from `head` up to `next`, which was copied: true for one only, and only if the copy is good.
    #[inline]
    pub fn take(&self, head: Mark, next: Mark) -> bool {
        // PAIR: the fence in `look_to_write`.
        fence(Acquire);
        // PAIR: `look` acquires it before a producer writes where this message was. This exchange takes the message.
        self.head.0.compare_exchange(head.word(), next.word(), Release, Relaxed).is_ok()
    }

    /// Head and tail as they were at one instant: the tail did not change around the look at the head.
    pub fn snapshot(&self) -> (Mark, Mark) {
        loop {
            let tail = self.tail();
            let (head, later) = self.look();
            if later == tail {
                return (head, tail);
            }
        }
    }
}

#[cfg(test)]
#[path = "ends_tests.rs"]
mod tests;
