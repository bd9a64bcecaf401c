//! Values that come in runs, put into the order of their items.

use crate::limits;
use crate::sys::memory::in_large_pages;
use std::collections::BTreeMap;

/// How long a run is that is put behind the others although it goes on: short enough to be in the cache.
const RUN_MAX: usize = 4096;

/// Collects values whose items are known by number.
pub struct InOrder<T> {
    /// Those of the first items, up to the first gap.
    values: Vec<T>,
    /// Runs behind the gap.
    later: Vec<Vec<T>>,
    places: Places,
    /// The run that grows.
    run: Vec<T>,
    first: u64,
}

impl<T> InOrder<T> {
    /// No values yet, and room for some: an input may promise more than it will give, and more than there is room for.
    pub fn with_capacity(items: usize) -> Self {
        let most = limits::RESERVED_BYTES_MAX / size_of::<T>().max(1);
        let mut values = Vec::<T>::with_capacity(items.min(most));
        in_large_pages(values.spare_capacity_mut());
        Self { values, later: Vec::new(), places: Places::default(), run: Vec::new(), first: 0 }
    }

    /// The value of an item. Each item has one.
    #[inline]
    pub fn put(&mut self, item: u64, value: T) {
        if item != self.first + self.run.len() as u64 || self.run.len() == RUN_MAX {
            self.turn_to(item);
        }
        self.run.push(value);
    }

    /// All values, if there is no gap between them.
    pub fn whole(mut self) -> Option<Vec<T>> {
        self.file();
        self.places.is_empty().then_some(self.values)
    }

    /// A value for each of `items` items; `missing` makes those that are not there.
    pub fn filled(mut self, items: u64, mut missing: impl FnMut(u64) -> T) -> Vec<T> {
        self.file();
        let Self { mut values, mut later, mut places, .. } = self;
        let mut fill =
            |values: &mut Vec<T>, to: u64| values.extend((values.len() as u64..to).map(&mut missing));
        while let Some((first, place)) = places.take_first() {
            fill(&mut values, first);
            values.append(&mut std::mem::take(&mut later[place]));
        }
        fill(&mut values, items);
        values
    }

    /// Goes on with the run that ends before `item`, if there is one.
    #[cold]
    fn turn_to(&mut self, item: u64) {
        self.file();
        let before = self.places.take_before(item);
        self.first = before.map_or(item, |(first, _)| first);
        if let Some((_, place)) = before {
            self.run = std::mem::take(&mut self.later[place]);
        }
    }

    /// Puts the run that grows where it belongs.
    fn file(&mut self) {
        if self.first == self.values.len() as u64 {
            self.values.append(&mut self.run);
        } else if !self.run.is_empty() {
            let place = self.places.add(self.first, self.run.len());
            if place == self.later.len() {
                self.later.push(Vec::new());
            }
            self.later[place] = std::mem::take(&mut self.run);
        }
        while let Some(place) = self.places.take(self.values.len() as u64) {
            self.values.append(&mut std::mem::take(&mut self.later[place]));
        }
    }
}

/// Where the runs are: the same for values of all types, and compiled once.
#[derive(Default)]
struct Places {
    /// The place and the length of each, by the number of its first item.
    taken: BTreeMap<u64, (usize, usize)>,
    free: Vec<usize>,
}

impl Places {
    fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// A place for a run of `len` values: one that was there, or the one behind all.
    fn add(&mut self, first: u64, len: usize) -> usize {
        let place = self.free.pop().unwrap_or(self.taken.len());
        self.taken.insert(first, (place, len));
        place
    }

    /// Gives up the place of the run that begins with this item, if there is one.
    fn take(&mut self, first: u64) -> Option<usize> {
        let (place, _) = self.taken.remove(&first)?;
        self.free.push(place);
        Some(place)
    }

    /// The same for the run that ends before this item; its first item, too.
    fn take_before(&mut self, item: u64) -> Option<(u64, usize)> {
        let (&first, &(_, len)) = self.taken.range(..item).next_back()?;
        if first + len as u64 == item { self.take(first).map(|place| (first, place)) } else { None }
    }

    /// The same for the run with the lowest items.
    fn take_first(&mut self) -> Option<(u64, usize)> {
        let (&first, _) = self.taken.first_key_value()?;
        self.take(first).map(|place| (first, place))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn of(items: &[u64]) -> InOrder<u64> {
        let mut values = InOrder::with_capacity(0);
        for &item in items {
            values.put(item, 10 * item);
        }
        values
    }

    #[test]
    fn values_come_out_in_the_order_of_their_items() {
        for items in [&[][..], &[0, 1, 2, 3, 4], &[4, 3, 2, 1, 0], &[2, 0, 3, 1, 4], &[3, 4, 0, 1, 2]] {
            let sorted: Vec<u64> = (0..items.len() as u64).map(|item| 10 * item).collect();
            assert_eq!(of(items).whole(), Some(sorted.clone()), "{items:?}");
            assert_eq!(of(items).filled(items.len() as u64, |_| 7), sorted);
        }
    }

    #[test]
    fn room_is_made_for_no_more_than_there_is() {
        let many = InOrder::<[u64; 4096]>::with_capacity(usize::MAX);
        assert!(many.values.capacity() * size_of::<[u64; 4096]>() <= limits::RESERVED_BYTES_MAX);
        assert!(InOrder::<u64>::with_capacity(1000).values.capacity() >= 1000);
        InOrder::<()>::with_capacity(usize::MAX).put(0, ());
    }

    #[test]
    fn many_runs_come_in_any_order_and_their_places_are_used_again() {
        // Runs of three, those of odd number first, each in two pieces; then the same again behind them.
        let mut values = InOrder::with_capacity(0);
        let mut expected = Vec::new();
        for block in 0..4_u64 {
            let runs = (1..100).step_by(2).chain((0..100).step_by(2)).map(|run| 300 * block + 3 * run);
            for items in [0..2, 2..3] {
                for item in runs.clone().flat_map(|first| items.clone().map(move |item| first + item)) {
                    values.put(item, item);
                }
            }
            expected.extend(300 * block..300 * (block + 1));
        }
        assert!(values.later.len() <= 101, "{} places", values.later.len());
        assert_eq!(values.whole(), Some(expected));
    }

    #[test]
    fn a_gap_is_seen_and_filled() {
        for items in [&[1, 2, 5][..], &[5, 1, 2], &[2, 5, 1]] {
            assert_eq!(of(items).whole(), None, "{items:?}");
            assert_eq!(of(items).filled(8, |item| item), [0, 10, 20, 3, 4, 50, 6, 7]);
        }
    }
}
