//! The words of a barrier: the round, who has come, and how the last rounds ended.
//!
//! ```text
//!  state  63    40 39        32 31        24   20   18     17       16      15      0
//!        ┌────────┬────────────┬────────────┬───┬───────┬────────┬────────┬───────┐
//!        │ round  │ 255 - good │ bad rounds │   │ cause │ acting │ broken │ count │
//!        └────────┴────────────┴────────────┴───┴───────┴────────┴────────┴───────┘
//!  turn   changes after each end of a round: what the waiting ones sleep on
//! ```
//! | from | by | to |
//! |---|---|---|
//! | filling | one more comes | count + 1; the last one: the next round, or acting |
//! | acting | the action ends well | the next round |
//! | filling, acting | time-out, death, abort, panic of the action | broken by that cause, the same round |
//! | any | `reset` | the next round, and this one was a bad one |
//!
//! Each step is one exchange of `state`, so a party that is killed has taken it or has not. A waiter remembers its round:
//! when that is over, `bad rounds` says how it ended, for the last eight, and `good` how many there were since the last bad
//! one: 255 of them, or no bad one ever. Who changes `state` and is killed before it wakes the others delays them until they look
//! again.

use super::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use super::linger::Linger;
use super::word::{Deadline, FutexWord};

/// The most parties of a barrier.
pub const PARTIES_MAX: u32 = 0xffff;

const COUNT: u64 = 0xffff;
const BROKEN: u64 = 1 << 16;
const ACTING: u64 = 1 << 17;
const CAUSE_SHIFT: u32 = 18;
const BAD_SHIFT: u32 = 24;
const BAD_ROUNDS: u32 = 8;
const GOOD_SHIFT: u32 = 32;
const GOOD_MAX: u32 = 0xff;
const ROUND_SHIFT: u32 = 40;
const ROUNDS: u32 = 0xff_ffff;

/// A barrier. All-zero bytes are one at which nobody waits.
#[repr(C)]
#[derive(Debug, Default)]
pub struct BarrierWords {
    state: AtomicU64,
    turn: FutexWord,
    linger: Linger,
}

/// The round ended, and not because everybody came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken(pub Cause);

/// Why a round ended before everybody had come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// Somebody's time-out passed.
    TimedOut,
    /// A party died.
    Died,
    /// Somebody said so.
    Aborted,
    /// The action did not end well.
    Action,
    /// The barrier was made as new.
    Reset,
}

/// What a party is after it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// One of those who wait: [`BarrierWords::await_end`].
    Early { round: u32, index: u32 },
    /// The last one. The round is over.
    Last { index: u32 },
    /// The last one, and it has to act: [`BarrierWords::end_action`].
    Acts { round: u32, index: u32 },
}

#[derive(Clone, Copy)]
struct State(u64);

impl State {
    fn count(self) -> u32 {
        (self.0 & COUNT) as u32
    }

    fn round(self) -> u32 {
        (self.0 >> ROUND_SHIFT) as u32
    }

    fn is(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    fn next_round(self, bad: bool) -> Self {
        let round = u64::from(self.round().wrapping_add(1)) << ROUND_SHIFT;
        let bad_rounds = (self.0 >> BAD_SHIFT & 0xff) << 1 | u64::from(bad);
        let good = if bad { 0 } else { GOOD_MAX.min(self.good() + 1) };
        Self(round | u64::from(GOOD_MAX - good) << GOOD_SHIFT | (bad_rounds & 0xff) << BAD_SHIFT)
    }

    /// How many rounds ended well since the last that did not; at the most, all do that anybody may remember.
    fn good(self) -> u32 {
        GOOD_MAX - ((self.0 >> GOOD_SHIFT) as u32 & GOOD_MAX)
    }

    /// The same round, broken. The first cause stays.
    fn broken(self, cause: Cause) -> Self {
        if self.is(BROKEN) { self } else { Self(self.0 | BROKEN | (cause as u64) << CAUSE_SHIFT) }
    }

    /// Why the round is broken, if it is.
    fn damage(self) -> Option<Broken> {
        let causes = [Cause::TimedOut, Cause::Died, Cause::Aborted, Cause::Action];
        let known = causes.into_iter().find(|cause| *cause as u64 == self.0 >> CAUSE_SHIFT & 7);
        self.is(BROKEN).then_some(Broken(known.unwrap_or(Cause::Aborted)))
    }

    /// How a round ended, if it has.
    fn end_of(self, round: u32) -> Option<Result<(), Broken>> {
        let later = self.round().wrapping_sub(round) & ROUNDS;
        let bad = match later {
            0 => return self.damage().map(Err),
            1..=BAD_ROUNDS => self.is(1 << (BAD_SHIFT + later - 1)),
            // Others may go on without a waiter that is not let run. What it slept through may have been its round's end, or not.
            _ => later > self.good() && self.good() < GOOD_MAX,
        };
        Some(if bad { Err(Broken(Cause::Reset)) } else { Ok(()) })
    }
}

impl BarrierWords {
    /// Comes to the barrier. Waits only while an action runs that this party was not a part of, as [`await_end`](Self::await_end)
    /// does.
    pub fn arrive(
        &self,
        parties: u32,
        acts: bool,
        deadline: Deadline,
        somebody_died: impl Fn() -> bool,
    ) -> Result<Arrival, Broken> {
        loop {
            let turn = self.turn.load(Acquire);
            let now = self.look();
            if let Some(broken) = now.damage() {
                return Err(broken);
            }
            if now.is(ACTING) {
                if deadline.has_passed() {
                    self.break_round(now.round(), Cause::TimedOut);
                } else if somebody_died() {
                    self.break_round(now.round(), Cause::Died);
                } else {
                    self.turn.sleep(turn, deadline);
                }
                continue;
            }
            let (round, index) = (now.round(), now.count());
            let last = index + 1 >= parties;
            let next = match (last, acts) {
                (false, _) => State(now.0 + 1),
                (true, true) => State((now.0 + 1) | ACTING),
                (true, false) => now.next_round(false),
            };
            // PAIR: `look` of the others. Each who comes sees what those before it did, so all see what all did.
            if self.state.compare_exchange(now.0, next.0, AcqRel, Relaxed).is_err() {
                continue;
            }
            return Ok(match (last, acts) {
                (false, _) => Arrival::Early { round, index },
                (true, true) => Arrival::Acts { round, index },
                (true, false) => {
                    self.wake();
                    Arrival::Last { index }
                }
            });
        }
    }

    /// Waits until the round is over. `somebody_died` is asked from time to time.
    pub fn await_end(
        &self,
        round: u32,
        deadline: Deadline,
        somebody_died: impl Fn() -> bool,
    ) -> Result<(), Broken> {
        if !deadline.has_passed() {
            self.linger.until(|| self.look().end_of(round).is_some());
        }
        loop {
            // PAIR: `wake`; read before the state, so that a change after our look changes it.
            let turn = self.turn.load(Acquire);
            if let Some(end) = self.look().end_of(round) {
                return end;
            }
            if deadline.has_passed() {
                self.break_round(round, Cause::TimedOut);
            } else if somebody_died() {
                self.break_round(round, Cause::Died);
            } else {
                self.turn.sleep(turn, deadline);
            }
        }
    }

    /// The action has ended well.
    pub fn end_action(&self, round: u32) -> Result<(), Broken> {
        let ended = self.change(|now| {
            (now.round() == round && now.is(ACTING) && !now.is(BROKEN)).then(|| now.next_round(false))
        });
        if ended { Ok(()) } else { Err(self.look().damage().unwrap_or(Broken(Cause::Reset))) }
    }

    /// Breaks a round if it is still going on.
    pub fn break_round(&self, round: u32, cause: Cause) {
        self.change(|now| (now.round() == round && !now.is(BROKEN)).then_some(now.broken(cause)));
    }

    /// Breaks the round that is going on.
    pub fn abort(&self) {
        self.change(|now| Some(now.broken(Cause::Aborted)));
    }

    /// Starts anew; for those who wait the round was a bad one.
    pub fn reset(&self) {
        self.change(|now| Some(now.next_round(true)));
    }

    /// Whether it is broken.
    pub fn is_broken(&self) -> bool {
        self.look().is(BROKEN)
    }

    /// How many wait.
    pub fn waiting(&self) -> u32 {
        let now = self.look();
        if now.is(BROKEN) || now.is(ACTING) { 0 } else { now.count() }
    }

    fn look(&self) -> State {
        // PAIR: each exchange of the state releases.
        State(self.state.load(Acquire))
    }

    fn change(&self, next: impl Fn(State) -> Option<State>) -> bool {
        // PAIR: `look`.
        let changed =
            self.state.fetch_update(AcqRel, Relaxed, |now| next(State(now)).map(|next| next.0)).is_ok();
        if changed {
            self.wake();
        }
        changed
    }

    fn wake(&self) {
        // PAIR: `await_end` and `arrive` read it before they look.
        self.turn.fetch_add(1, Release);
        self.turn.wake_all();
    }
}

#[cfg(test)]
#[path = "barrier_tests.rs"]
mod tests;
