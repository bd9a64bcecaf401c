//! Where the outcomes of a `map` go.

use super::in_order::InOrder;
use crate::error::Error;

/// Where outcomes go, by the number of their item in the input.
pub trait Outcomes<R> {
    /// A value.
    fn value(&mut self, number: u64, value: R);

    /// A failure. Says after which item nothing counts any more.
    fn failure(&mut self, number: u64, error: Error) -> Option<u64>;
}

/// Of a `map`.
pub struct All<R> {
    values: InOrder<R>,
    /// The failure of the earliest failing item.
    first: Option<Error>,
}

impl<R> All<R> {
    /// None yet, and room for some values.
    pub fn with_capacity(items: usize) -> Self {
        Self { values: InOrder::with_capacity(items), first: None }
    }

    /// All values, if there is no gap between them, or the first failure.
    pub fn whole(self) -> Result<Option<Vec<R>>, Error> {
        self.first.map_or_else(|| Ok(self.values.whole()), Err)
    }
}

impl<R> Outcomes<R> for All<R> {
    #[inline]
    fn value(&mut self, number: u64, value: R) {
        self.values.put(number, value);
    }

    fn failure(&mut self, _: u64, error: Error) -> Option<u64> {
        if self.first.as_ref().is_none_or(|first| error.item() < first.item()) {
            self.first = Some(error);
        }
        self.first.as_ref().and_then(Error::item)
    }
}

/// Of a `try_map`.
pub struct Each<R>(InOrder<Result<R, Error>>);

impl<R> Default for Each<R> {
    fn default() -> Self {
        Self(InOrder::with_capacity(0))
    }
}

impl<R> Each<R> {
    /// An outcome for each of `items` items; `missing` makes those that are not there.
    pub fn filled(self, items: u64, missing: impl FnMut(u64) -> Result<R, Error>) -> Vec<Result<R, Error>> {
        self.0.filled(items, missing)
    }
}

impl<R> Outcomes<R> for Each<R> {
    fn value(&mut self, number: u64, value: R) {
        self.0.put(number, Ok(value));
    }

    fn failure(&mut self, number: u64, error: Error) -> Option<u64> {
        self.0.put(number, Err(error));
        None
    }
}
