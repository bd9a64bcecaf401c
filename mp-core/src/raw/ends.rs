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
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};

/// The words. All-zero bytes are an empty queue.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Ends {
    /// How far it is written, and how far producers have seen it read.
    tail: End,
    /// How far it is read, and how far consumers have seen it written.
    head: End,
}

/// The words of one side, on a line of their own (see `line` on its size). A side looks at the line of the other
/// one only when what it has seen last does not do.
#[repr(C, align(128))]
#[derive(Debug, Default)]
struct End {
    reached: AtomicU64,
    seen: AtomicU64,
}

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
        Mark::of(self.tail.reached.load(Acquire))
    }

    #[inline]
    fn head(&self) -> Mark {
        // PAIR: `take`: before this head, all that counts is copied.
        Mark::of(self.head.reached.load(Acquire))
    }

    /// Head and tail, in this order: the tail may be much further.
    #[inline]
    pub fn look(&self) -> (Mark, Mark) {
        (self.head(), self.tail())
    }

    /// For a consumer: the head, and a place up to which it is written; the head itself only if nothing is.
    #[inline]
    pub fn look_to_read(&self) -> (Mark, Mark) {
        let head = self.head();
        // PAIR: the exchange below, of a consumer that acquired the tail.
        let word = self.head.seen.load(Acquire);
        let seen = Mark::of(word);
        if (1..1 << 31).contains(&seen.since(head).items) {
            return (head, seen);
        }
        let tail = self.tail();
        // PAIR: the load above. Not by a store: who was stopped in between would write what was true long ago.
        let _ = self.head.seen.compare_exchange(word, tail.word(), Release, Relaxed);
        (head, tail)
    }

    /// For the producer that has the lock: a place up to which it is read, and the tail.
    #[inline]
    pub fn last_look(&self) -> (Mark, Mark) {
        // PAIR: `look_to_write`, under the lock.
        let seen = Mark::of(self.tail.seen.load(Relaxed));
        // PAIR: the fence in `take`: a consumer that has copied what we write from now on sees the head that we have seen, or a
        // later one, and not its own.
        fence(Release);
        (seen, Mark::of(self.tail.reached.load(Relaxed)))
    }

    /// The same, with the head as it is now.
    #[inline]
    pub fn look_to_write(&self) -> (Mark, Mark) {
        // PAIR: `last_look`, under the lock.
        self.tail.seen.store(self.head().word(), Relaxed);
        self.last_look()
    }

    /// For the producer that has the lock: all before `tail` is written. Who looks for sleepers gives the lock back before.
    #[inline]
    pub fn put(&self, tail: Mark) {
        // PAIR: `tail` acquires it before the bytes are read. This is the message's arrival. The exchange that gives the lock
        // back comes before the producer looks for sleepers.
        self.tail.reached.store(tail.word(), Release);
    }

    /// Whether the head is still there: then all that was copied since it was looked at is what the producers wrote.
    #[inline]
    pub fn is_at(&self, head: Mark) -> bool {
        // PAIR: the fence in `last_look`.
        fence(Acquire);
        self.head.reached.load(Relaxed) == head.word()
    }

    /// Takes the message from `head` up to `next`, which was copied: true for one only, and only if the copy is good.
    #[inline]
    pub fn take(&self, head: Mark, next: Mark) -> bool {
        // PAIR: the fence in `last_look`.
        fence(Acquire);
        // PAIR: `head` acquires it before a producer writes where this message was. This exchange takes the message; then the
        // consumer may look for sleepers.
        self.head.reached.compare_exchange(head.word(), next.word(), SeqCst, Relaxed).is_ok()
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
