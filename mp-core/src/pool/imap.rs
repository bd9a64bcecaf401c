//! `imap` and `imap_unordered`: iterators of outcomes.

use super::Pool;
use super::flow::{Flow, InTurn, Until};
use super::map::Input;
use super::shared::Shared;
use super::stream::{ImapStream, ImapUnorderedStream};
use super::ticket::TaskRef;
use crate::check::never;
use crate::clock::Time;
use crate::error::Error;
use serde::de::DeserializeOwned;
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// The iterator of [`Pool::imap`](crate::Pool::imap).
#[must_use = "nothing runs until the first `next`"]
pub struct Imap<'p, I: Iterator, R> {
    outcomes: InTurn<I, R>,
    pool: PhantomData<&'p Pool>,
}

/// The iterator of [`Pool::imap_unordered`](crate::Pool::imap_unordered).
#[must_use = "nothing runs until the first `next`"]
pub struct ImapUnordered<'p, I: Iterator, R> {
    outcomes: Flow<I, R>,
    pool: PhantomData<&'p Pool>,
}

impl<I: Iterator, R: DeserializeOwned> Imap<'_, I, R> {
    pub(super) fn new(shared: &Arc<Shared>, task: Result<TaskRef, Error>, input: Input<I>) -> Self {
        Self { outcomes: InTurn::new(Flow::new(shared, task, input)), pool: PhantomData }
    }

    /// How many items may be on their way at once, counted from the oldest that was not yielded. It should be more than
    /// the pool has workers; without this, 64 for each of them. With one, an outcome is yielded before the next item is pulled: for an
    /// input that waits for what was yielded.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::num::NonZeroUsize;
    ///
    /// #[mp::task]
    /// fn double(x: u32) -> u32 {
    ///     2 * x
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     let pool = mp::Pool::new(2)?;
    ///     let last = Cell::new(1);
    ///     let input = std::iter::repeat_with(|| last.get()); // each item is the result of the one before
    ///     for result in pool.imap(double, input).read_ahead(NonZeroUsize::MIN).take(5) {
    ///         last.set(result?);
    ///     }
    ///     assert_eq!(last.get(), 32);
    ///     Ok(())
    /// }
    /// ```
    pub fn read_ahead(mut self, items: NonZeroUsize) -> Self {
        self.outcomes.flow.window = items.get() as u64;
        self
    }

    /// The next outcome, if it comes within `timeout`. A time-out is an error with
    /// [`is_timeout`](Error::is_timeout), after which the iteration can go on.
    ///
    /// # Blocking and death
    /// Waits for the next item in order, whatever has come of later ones. The input is pulled here, and the time-out does not cut
    /// short what it takes: see [`Pool::imap`](crate::Pool::imap).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// #[mp::task]
    /// fn wait_for(event: mp::sync::Event) -> bool {
    ///     event.wait_timeout(Duration::from_secs(60))
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     let (pool, event) = (mp::Pool::new(1)?, mp::sync::Event::new()?);
    ///     let mut waits = pool.imap(wait_for, [&event]);
    ///     assert!(waits.next_timeout(Duration::from_millis(1)).unwrap().unwrap_err().is_timeout());
    ///     event.set();
    ///     assert!(waits.next_timeout(Duration::from_secs(60)).unwrap()?);
    ///     assert!(waits.next().is_none());
    ///     Ok(())
    /// }
    /// ```
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Result<R, Error>> {
        match self.outcomes.next(Until::Deadline(Time::now() + timeout)) {
            Poll::Ready(next) => next,
            Poll::Pending => Some(Err(self.outcomes.flow.timed_out(timeout))),
        }
    }

    /// The same outcomes for an executor: to be awaited, and with the feature `stream` a `futures_core::Stream`.
    pub fn into_stream(self) -> ImapStream<I, R> {
        ImapStream::new(self.outcomes)
    }
}

impl<I: Iterator, R: DeserializeOwned> ImapUnordered<'_, I, R> {
    pub(super) fn new(shared: &Arc<Shared>, task: Result<TaskRef, Error>, input: Input<I>) -> Self {
        Self { outcomes: Flow::new(shared, task, input), pool: PhantomData }
    }

    /// How many items may be on their way at once. It should be more than the pool has workers; without this, 64 for each
    /// of them. With 1, an outcome is yielded before the next item is pulled.
    pub fn read_ahead(mut self, items: NonZeroUsize) -> Self {
        self.outcomes.window = items.get() as u64;
        self
    }

    /// The next outcome with the position of its item, if one comes within `timeout`. A time-out is an error with
    /// [`is_timeout`](Error::is_timeout) and the number of items yielded so far, after which the iteration can go on.
    ///
    /// # Blocking and death
    /// Waits for any item that is on its way. The input is pulled here, and the time-out does not cut short what it takes.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<(usize, Result<R, Error>)> {
        match self.outcomes.next_placed(Until::Deadline(Time::now() + timeout)) {
            Poll::Ready(next) => next,
            Poll::Pending => Some((self.outcomes.yielded as usize, Err(self.outcomes.timed_out(timeout)))),
        }
    }

    /// The same outcomes for an executor: to be awaited, and with the feature `stream` a `futures_core::Stream`.
    pub fn into_stream(self) -> ImapUnorderedStream<I, R> {
        ImapUnorderedStream::new(self.outcomes)
    }
}

impl<I: Iterator, R: DeserializeOwned> Iterator for Imap<'_, I, R> {
    type Item = Result<R, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        ready(self.outcomes.next(Until::Endless))
    }
}

impl<I: Iterator, R: DeserializeOwned> Iterator for ImapUnordered<'_, I, R> {
    type Item = (usize, Result<R, Error>);

    fn next(&mut self) -> Option<Self::Item> {
        ready(self.outcomes.next_placed(Until::Endless))
    }
}

/// What is there after an endless wait.
fn ready<T>(next: Poll<Option<T>>) -> Option<T> {
    match next {
        Poll::Ready(next) => next,
        Poll::Pending => {
            never!("an endless wait ended without an outcome");
            None
        }
    }
}

// A job that has ended stays so, also if the pool ends meanwhile.
impl<I: Iterator, R: DeserializeOwned> FusedIterator for Imap<'_, I, R> {}
impl<I: Iterator, R: DeserializeOwned> FusedIterator for ImapUnordered<'_, I, R> {}

impl<I: Iterator, R> fmt::Debug for Imap<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap").field("next", &self.outcomes.next).finish_non_exhaustive()
    }
}

impl<I: Iterator, R> fmt::Debug for ImapUnordered<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapUnordered").field("yielded", &self.outcomes.yielded).finish_non_exhaustive()
    }
}
