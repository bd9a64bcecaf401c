//! A worker that keeps its own caller from running steps aside.
//!
//! A `map` of short items gives its caller as much to do as it gives the workers. A worker that is woken on the caller's
//! processor runs before the caller does, a dozen times in a millisecond, while another processor may have nothing to do.
//! The system leaves it there: of three who share two processors two share one, wherever each of them is. So who has met
//! its caller awake on its own processor several times in a row asks for another one
//! (`docs/decisions/0017-out-of-the-callers-way.md`).

use crate::clock::Time;
use crate::limits::{ASIDE_AGAIN_AFTER, IN_THE_WAY_MAX};
use crate::raw::sleep::SleepWord;

/// How often a worker was in its caller's way, and when it may step aside.
#[derive(Debug)]
pub struct Aside {
    step: fn(),
    in_the_way: u32,
    not_before: Time,
}

impl Aside {
    /// Who steps aside by `step`.
    pub fn new(step: fn()) -> Self {
        Self { step, in_the_way: 0, not_before: Time(0) }
    }

    /// This worker has something to do, and may have been woken for it; `caller` is the word of who handed it over.
    #[inline]
    pub fn has_work(&mut self, caller: &SleepWord) {
        if self.is_due(caller.is_awake_here(), Time::now) {
            (self.step)();
        }
    }

    #[inline]
    fn is_due(&mut self, in_the_way: bool, now: impl FnOnce() -> Time) -> bool {
        self.in_the_way = if in_the_way { self.in_the_way + 1 } else { 0 };
        if self.in_the_way < IN_THE_WAY_MAX {
            return false;
        }
        self.in_the_way = 0;
        let now = now();
        let is_due = now >= self.not_before;
        if is_due {
            self.not_before = now + ASIDE_AGAIN_AFTER;
        }
        is_due
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// After which of these waits it steps aside, if it was in the way at those for which `is_in_the_way`.
    fn steps(aside: &mut Aside, now: Time, waits: u32, is_in_the_way: impl Fn(u32) -> bool) -> Vec<u32> {
        (1..=waits).filter(|&wait| aside.is_due(is_in_the_way(wait), || now)).collect()
    }

    #[test]
    fn who_is_in_the_way_again_and_again_steps_aside_and_then_not_for_a_while() {
        let (mut aside, start) = (Aside::new(|| ()), Time(1));
        assert_eq!(steps(&mut aside, start, 3 * IN_THE_WAY_MAX, |_| true), [IN_THE_WAY_MAX]);
        let again = start + ASIDE_AGAIN_AFTER;
        assert_eq!(steps(&mut aside, Time(again.0 - 1), 3 * IN_THE_WAY_MAX, |_| true), []);
        assert_eq!(steps(&mut aside, again, 3 * IN_THE_WAY_MAX, |_| true), [IN_THE_WAY_MAX]);
    }

    #[test]
    fn who_is_in_the_way_now_and_then_stays() {
        let mut aside = Aside::new(|| ());
        assert_eq!(steps(&mut aside, Time(1), 100, |wait| wait % IN_THE_WAY_MAX != 0), []);
    }
}
