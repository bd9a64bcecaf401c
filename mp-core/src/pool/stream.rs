//! Outcomes of `imap` and `imap_unordered` as streams: for an executor, which must not wait.

use super::flow::{Flow, InTurn, Until};
use crate::error::Error;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::poll_fn;
#[cfg(feature = "stream")]
use std::pin::Pin;
use std::task::{Context, Poll};

/// The outcomes of a [`Pool::imap`](crate::Pool::imap) for an executor, in the order of the items: made by
/// [`Imap::into_stream`](crate::Imap::into_stream). With the feature `stream` it is a `futures_core::Stream`.
///
/// It holds on to nothing of the pool: when that is dropped, what has not run is yielded as an error. Dropping the stream drops
/// what no worker has started.
///
/// ```
/// #[mp::task]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// async fn first_above(limit: u64, pool: &mp::Pool) -> Result<Option<u64>, mp::Error> {
///     let mut squares = pool.imap(square, 1..).into_stream();
///     while let Some(square) = squares.next().await.transpose()? {
///         if square > limit {
///             return Ok(Some(square));
///         }
///     }
///     Ok(None)
/// }
///
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     struct Unpark(std::thread::Thread);
/// #     impl std::task::Wake for Unpark {
/// #         fn wake(self: std::sync::Arc<Self>) {
/// #             self.0.unpark();
/// #         }
/// #     }
/// #     let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
/// #     let mut future = std::pin::pin!(future);
/// #     loop {
/// #         match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
/// #             std::task::Poll::Ready(output) => return output,
/// #             std::task::Poll::Pending => std::thread::park(),
/// #         }
/// #     }
/// # }
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let pool = mp::Pool::new(2)?;
///     assert_eq!(block_on(first_above(1000, &pool))?, Some(1024));
///     Ok(())
/// }
/// ```
///
/// # Blocking and death
/// Items are pulled while it is polled, so the input should not block: an executor's thread would stand still as long. Between
/// two items of one that takes its time (5 ms and more) other futures have their turn. With
/// [`Backend::Inline`](crate::Backend) the calls run while it is polled.
#[must_use = "nothing runs until it is polled"]
pub struct ImapStream<I: Iterator, R> {
    outcomes: InTurn<I, R>,
}

/// The outcomes of a [`Pool::imap_unordered`](crate::Pool::imap_unordered) for an executor, in the order in which they come, each with
/// the position of its item: made by [`ImapUnordered::into_stream`](crate::ImapUnordered::into_stream). Otherwise as [`ImapStream`].
#[must_use = "nothing runs until it is polled"]
pub struct ImapUnorderedStream<I: Iterator, R> {
    outcomes: Flow<I, R>,
}

impl<I: Iterator, R> ImapStream<I, R> {
    pub(super) fn new(outcomes: InTurn<I, R>) -> Self {
        Self { outcomes }
    }
}

impl<I: Iterator, R> ImapUnorderedStream<I, R> {
    pub(super) fn new(outcomes: Flow<I, R>) -> Self {
        Self { outcomes }
    }
}

// Nothing in them is pinned.
impl<I: Iterator, R> Unpin for ImapStream<I, R> {}
impl<I: Iterator, R> Unpin for ImapUnorderedStream<I, R> {}

impl<I: Iterator, R: DeserializeOwned> ImapStream<I, R> {
    /// The next outcome. A future that is dropped before it is ready takes none along.
    pub async fn next(&mut self) -> Option<Result<R, Error>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// The next outcome if it is there; if not, the task is woken when it may be.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<R, Error>>> {
        self.outcomes.next(Until::Woken(context.waker()))
    }
}

impl<I: Iterator, R: DeserializeOwned> ImapUnorderedStream<I, R> {
    /// The next outcome. A future that is dropped before it is ready takes none along.
    pub async fn next(&mut self) -> Option<(usize, Result<R, Error>)> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// The next outcome if it is there; if not, the task is woken when it may be.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<(usize, Result<R, Error>)>> {
        self.outcomes.next_placed(Until::Woken(context.waker()))
    }
}

#[cfg(feature = "stream")]
impl<I: Iterator, R: DeserializeOwned> futures_core::Stream for ImapStream<I, R> {
    type Item = Result<R, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_next(context)
    }
}

#[cfg(feature = "stream")]
impl<I: Iterator, R: DeserializeOwned> futures_core::Stream for ImapUnorderedStream<I, R> {
    type Item = (usize, Result<R, Error>);

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_next(context)
    }
}

impl<I: Iterator, R> fmt::Debug for ImapStream<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapStream").field("next", &self.outcomes.next).finish_non_exhaustive()
    }
}

impl<I: Iterator, R> fmt::Debug for ImapUnorderedStream<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapUnorderedStream").field("yielded", &self.outcomes.yielded).finish_non_exhaustive()
    }
}
