//! Sets of item numbers that are mostly one range.

use std::mem;
use std::ops::Range;

/// Sorted, disjoint ranges that do not touch. One range, the common case, costs no allocation.
#[derive(Default, Debug)]
pub(super) struct Ranges {
    /// The lowest range; empty only if all are.
    first: Range<u64>,
    /// The others, the highest first, so that the next one is taken off the end.
    rest: Vec<Range<u64>>,
}

impl Ranges {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Adds numbers that are not in the set.
    pub(super) fn insert(&mut self, new: Range<u64>) {
        if new.is_empty() {
        } else if self.is_empty() {
            self.first = new;
        } else if new.end == self.first.start {
            self.first.start = new.start;
        } else if new.start == self.first.end && self.rest.is_empty() {
            self.first.end = new.end;
        } else {
            self.insert_between(new);
        }
    }

    /// Adds numbers whether or not they are in the set.
    pub(super) fn unite(&mut self, new: Range<u64>) {
        self.remove(&new, |_| ());
        self.insert(new);
    }

    /// Takes the lowest numbers, at most `limit` of them, and no more than one range.
    pub(super) fn take(&mut self, limit: u64) -> Range<u64> {
        let from = self.first.start;
        if self.first.end - from > limit {
            self.first.start += limit;
            return from..from + limit;
        }
        let next = self.rest.pop().unwrap_or_default();
        mem::replace(&mut self.first, next)
    }

    /// Removes what lies in `cut`, and tells the removed ranges in order.
    pub(super) fn remove(&mut self, cut: &Range<u64>, mut removed: impl FnMut(Range<u64>)) {
        let end = self.rest.first().unwrap_or(&self.first).end;
        if cut.is_empty() || cut.start >= end || cut.end <= self.first.start {
            return;
        }
        let mut all = mem::take(&mut self.rest);
        all.push(mem::take(&mut self.first));
        for range in all.into_iter().rev() {
            let gone = overlap(&range, cut);
            if gone.is_empty() {
                self.rest.push(range);
                continue;
            }
            self.rest
                .extend([range.start..gone.start, gone.end..range.end].into_iter().filter(|r| !r.is_empty()));
            removed(gone);
        }
        self.rest.reverse();
        self.first = self.rest.pop().unwrap_or_default();
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.first.contains(&number) || self.rest.iter().any(|range| range.contains(&number))
    }

    fn insert_between(&mut self, new: Range<u64>) {
        let all = &mut self.rest;
        all.push(mem::take(&mut self.first));
        let mut at = all.partition_point(|range| range.start > new.start);
        debug_assert!(at == 0 || all[at - 1].start >= new.end, "{new:?} is there twice");
        debug_assert!(at == all.len() || all[at].end <= new.start, "{new:?} is there twice");
        all.insert(at, new);
        if at > 0 && all[at - 1].start == all[at].end {
            all[at - 1].start = all[at].start;
            all.remove(at);
            at -= 1;
        }
        if at + 1 < all.len() && all[at + 1].end == all[at].start {
            all[at + 1].end = all[at].end;
            all.remove(at);
        }
        self.first = self.rest.pop().unwrap_or_default();
    }
}

/// What two ranges share; empty, but within `a`, if nothing.
pub(super) fn overlap(a: &Range<u64>, b: &Range<u64>) -> Range<u64> {
    let start = a.start.max(b.start).min(a.end);
    start..a.end.min(b.end).max(start)
}

/// How many numbers a range holds.
pub(super) fn len(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}
