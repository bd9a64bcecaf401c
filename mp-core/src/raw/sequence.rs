//! The words of a condition variable: who waits, and how many of them have been told to go on.
//!
//! ```text
//!  wait    (lock held) waiters + 1 ─► unlock ─► told since? one less of both │ sleep while times is the same ─► lock
//!  notify  told + n, no more than there are waiters ─► times + 1 ─► wake n
//! ```
//! | `state` | by | goes to |
//! |---|---|---|
//! | `era, seq, told, waiters` | who begins to wait | `era, seq, told, waiters + 1` |
//! | `told + n < waiters` | who notifies `n` | `era, seq + 1, told + n, waiters` |
//! | `told + n = waiters` | who notifies `n` | `era + 1, 0, 0, 0`: whoever was counted is told |
//! | `told > 0`, `seq` is not what it was | one who waits | `era, seq, told - 1, waiters - 1`: it goes on |
//! | any | one whose time has run out | `era, seq, told, waiters - 1`; `era + 1, 0, 0, 0` if that makes them as many as are told |
//!
//! So one notification lets one waiter go on who waited before it, however often the others look, and another one if that one is
//! killed on the way. One that is killed while it waits stays counted until all have been told; meanwhile what it is told may be
//! heard by another, who then goes on without a reason.

use super::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use super::linger::Linger;
use super::word::{Deadline, FutexWord};

/// A condition variable.
#[repr(C)]
#[derive(Debug, Default)]
pub struct SequenceWords {
    state: AtomicU64,
    /// What is slept on: another number whenever somebody has been told.
    times: FutexWord,
    linger: Linger,
}

/// Somebody who waits.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    since: State,
    /// If there was no room to count one more, any notification is for it, too.
    is_counted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct State {
    /// How often all were told, as far as it fits. A waiter looks before it comes round.
    era: u64,
    /// How often some were told since then.
    seq: u64,
    told: u64,
    waiters: u64,
}

const COUNT_BITS: u32 = 16;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const SEQ_BITS: u32 = 14;
const SEQ_MAX: u64 = (1 << SEQ_BITS) - 1;
const ERA_MAX: u64 = u64::MAX >> (SEQ_BITS + 2 * COUNT_BITS);

impl State {
    fn of(word: u64) -> Self {
        Self {
            era: word >> (SEQ_BITS + 2 * COUNT_BITS),
            seq: word >> (2 * COUNT_BITS) & SEQ_MAX,
            told: word >> COUNT_BITS & COUNT_MAX,
            waiters: word & COUNT_MAX,
        }
    }

    fn word(self) -> u64 {
        let times = (self.era & ERA_MAX) << SEQ_BITS | self.seq & SEQ_MAX;
        times << (2 * COUNT_BITS) | self.told << COUNT_BITS | self.waiters
    }

    /// The same; if all have been told, nobody is counted any more.
    fn settled(self) -> Self {
        if self.told < self.waiters || self.waiters == 0 {
            return self;
        }
        Self { era: self.era + 1, seq: 0, told: 0, waiters: 0 }
    }

    /// Whether one who waits may go on, without a word if all may.
    fn tells(self, waiter: Waiter) -> bool {
        let is_new = self.seq != waiter.since.seq;
        self.era != waiter.since.era || is_new && (self.told > 0 || !waiter.is_counted)
    }
}

impl SequenceWords {
    /// From here on this one waits. Under the lock, after the condition was tested.
    pub fn enter(&self) -> Waiter {
        let count =
            |state: State| (state.waiters < COUNT_MAX).then(|| State { waiters: state.waiters + 1, ..state });
        match self.change(count) {
            Ok(since) => Waiter { since, is_counted: true },
            Err(since) => Waiter { since, is_counted: false },
        }
    }

    /// Waits for a notification after [`enter`](Self::enter); false if the deadline passed first.
    pub fn wait(&self, waiter: Waiter, deadline: Deadline) -> bool {
        if !deadline.has_passed() {
            // PAIR: none, a hint.
            self.linger.until(|| State::of(self.state.load(Relaxed)).tells(waiter));
        }
        loop {
            // PAIR: `notify`: with the new number we see who has been told.
            let times = self.times.load(Acquire);
            let has_passed = deadline.has_passed();
            if let Some(is_told) = self.leave(waiter, has_passed) {
                return is_told;
            }
            self.times.sleep(times, deadline);
        }
    }

    /// Wakes up to `count` waiters.
    pub fn notify(&self, count: u32) {
        let notified = self.change(|state| {
            let more = u64::from(count).min(state.waiters - state.told);
            let told = State { seq: state.seq + 1, told: state.told + more, ..state };
            (more > 0).then(|| told.settled())
        });
        if let Ok(before) = notified {
            // PAIR: `wait`.
            self.times.fetch_add(1, Release);
            // Beside those who are counted there may be others.
            self.times.wake(if before.waiters == COUNT_MAX { u32::MAX } else { count });
        }
    }

    /// Ends a wait that has been told to, or whose time has run out: which of them.
    fn leave(&self, waiter: Waiter, has_passed: bool) -> Option<bool> {
        let step = |state: State| {
            let counted = waiter.is_counted && state.era == waiter.since.era;
            let less = State { waiters: state.waiters.saturating_sub(1), ..state };
            if state.tells(waiter) {
                counted.then(|| State { told: state.told - 1, ..less })
            } else {
                (has_passed && counted).then(|| less.settled())
            }
        };
        let (Ok(state) | Err(state)) = self.change(step);
        if state.tells(waiter) { Some(true) } else { has_passed.then_some(false) }
    }

    /// Changes the state as `to` says; what it was before, or is if that says nothing.
    fn change(&self, to: impl Fn(State) -> Option<State>) -> Result<State, State> {
        // PAIR: each change with those before it.
        let changed = self.state.fetch_update(AcqRel, Acquire, |word| to(State::of(word)).map(State::word));
        changed.map(State::of).map_err(State::of)
    }
}

#[cfg(test)]
#[path = "sequence_tests.rs"]
mod tests;
