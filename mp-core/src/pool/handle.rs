//! Handles of calls that go on by themselves.

use super::in_order::InOrder;
use super::results::Results;
use super::results::{decode, decode_vec};
use super::ticket::{Ticket, when_finished};
use super::waiter::{Asker, Waiter};
use crate::channel::waiting::{Arm, Armed};
use crate::error::{Error, ErrorKind};
use crate::task::run::{let_go, text_of};
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// One call on its way: made by [`Pool::apply_async`](crate::Pool::apply_async).
///
/// It can be waited for, polled, awaited on any executor, or given a callback. Dropping it does not cancel the call.
///
/// ```
/// #[mp::task]
/// fn cube(x: u64) -> u64 {
///     x * x * x
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let pool = mp::Pool::new(1)?;
///     let handle = pool.apply_async(cube, (3,));
///     assert_eq!(handle.wait()?, 27);
///     Ok(())
/// }
/// ```
#[must_use = "a result that nobody waits for is lost; bind it to `_` if that is meant"]
pub struct TaskHandle<R> {
    ticket: Ticket,
    result: PhantomData<fn() -> R>,
}

/// All calls of a `map` on their way: made by [`Pool::map_async`](crate::Pool::map_async).
///
/// Its result is the `Vec` that `map` would return, or the failure of the earliest failing item.
#[must_use = "results that nobody waits for are lost; bind it to `_` if that is meant"]
pub struct MapHandle<R> {
    ticket: Ticket,
    /// How many items there are.
    len: usize,
    result: PhantomData<fn() -> R>,
}

macro_rules! handle {
    ($name:ident, $output:ty, $take:ident) => {
        impl<R> $name<R> {
            /// Whether the outcome is there, so that waiting will not block.
            pub fn is_ready(&self) -> bool {
                self.ticket.is_ready()
            }

            pub(super) fn ticket(&self) -> &Ticket {
                &self.ticket
            }

            fn timed_out(&self, timeout: Duration) -> Error {
                Error::new(ErrorKind::TimedOut, format!("it has not ended within {timeout:?}, and goes on"))
                    .for_task(self.ticket.task())
            }
        }

        impl<R: DeserializeOwned> $name<R> {
            /// Waits for the outcome and takes it.
            ///
            /// # Errors
            /// What the call failed with: a panic, the death of its worker, a value that cannot travel, the end of the
            /// pool. [`ErrorKind::AlreadyTaken`] if the outcome was taken before, [`ErrorKind::Deadlock`] in a task of
            /// the same pool.
            ///
            /// # Blocking and death
            /// The calling thread drives the pool meanwhile. It returns when the call ends, its worker dies, or the pool
            /// ends.
            pub fn wait(&self) -> Result<$output, Error> {
                self.ticket.wait(None)?;
                self.$take()
            }

            /// Waits for the outcome, at most `timeout`, and takes it. A timeout of zero looks once.
            ///
            /// # Errors
            /// [`is_timeout`](Error::is_timeout) if the outcome is not there by then: the call goes on, and the handle can
            /// be waited for again. Otherwise as [`wait`](Self::wait).
            ///
            /// # Blocking and death
            /// As [`wait`](Self::wait), and when the time is over.
            pub fn wait_timeout(&self, timeout: Duration) -> Result<$output, Error> {
                if self.ticket.wait(Some(timeout))? { self.$take() } else { Err(self.timed_out(timeout)) }
            }
        }

        impl<R: DeserializeOwned + 'static> $name<R> {
            /// Runs `callback` with the outcome as soon as it is there: on a thread on which the callbacks of the pool run one
            /// after the other, or on this one if it is there already, or if the pool is [inline](crate::Backend::Inline). One
            /// that takes its time holds up the other callbacks, and nothing else; [`Pool::join`](crate::Pool::join) waits for
            /// them, and the end of a pool otherwise for no longer than its grace. A panic in it goes no further.
            ///
            /// ```
            /// #[mp::task]
            /// fn square(x: i64) -> i64 {
            ///     x * x
            /// }
            ///
            /// fn main() -> Result<(), mp::Error> {
            ///     mp::main!();
            ///     let pool = mp::Pool::new(1)?;
            ///     let (tell, told) = std::sync::mpsc::channel();
            ///     pool.apply_async(square, (3,)).on_done(move |result| drop(tell.send(result)));
            ///     assert_eq!(told.recv().expect("it is told of every outcome")?, 9);
            ///     Ok(())
            /// }
            /// ```
            pub fn on_done(self, callback: impl FnOnce(Result<$output, Error>) + Send + 'static) {
                let (shared, id) = (self.ticket.shared().clone(), self.ticket.id());
                let task = self.ticket.task();
                let outcome = move || catch_unwind(AssertUnwindSafe(|| self.$take()));
                let told =
                    move || callback(outcome().unwrap_or_else(|panic| Err(unreadable::<R>(panic, task))));
                when_finished(&shared, id, Waiter::Callback(Box::new(told)));
            }
        }

        impl<R: DeserializeOwned> Future for $name<R> {
            type Output = Result<$output, Error>;

            fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
                if self.ticket.poll(Asker::Future, context.waker()) {
                    return Poll::Ready(self.$take());
                }
                // Who is waited for by itself is never woken.
                self.ticket
                    .shared()
                    .refuse_inside()
                    .map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
            }
        }

        impl<R> Arm for $name<R> {
            fn arm(&self, waker: &Waker) -> Armed<'_> {
                let ready = self.ticket.poll(Asker::Any(thread::current().id()), waker);
                // In a task of its own pool nothing is to be waited for: `wait` says so.
                if ready || self.ticket.shared().refuse_inside().is_err() {
                    Armed::Ready
                } else {
                    Armed::Waker
                }
            }
        }

        impl<R> fmt::Debug for $name<R> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("task", &self.ticket.task())
                    .field("ready", &self.is_ready())
                    .finish()
            }
        }
    };
}

handle!(TaskHandle, R, take_one);
handle!(MapHandle, Vec<R>, take_all);

impl<R> TaskHandle<R> {
    pub(super) fn new(ticket: Ticket) -> Self {
        Self { ticket, result: PhantomData }
    }

    /// Whether a worker has the call, and nothing stands before it there: it runs, or is about to. (If the worker dies before it
    /// has begun the call, another one runs it.)
    pub fn is_running(&self) -> bool {
        self.ticket.is_started()
    }

    /// Cancels the call if no worker has started it: waiting then gives an error with
    /// [`is_cancelled`](Error::is_cancelled). Returns whether it was cancelled, now or before. A call that runs goes on: what may have to
    /// be ended, start with [`spawn`](crate::spawn), and [`kill`](crate::JoinHandle::kill) it.
    #[allow(clippy::must_use_candidate)]
    pub fn cancel(&self) -> bool {
        self.ticket.cancel()
    }
}

impl<R> MapHandle<R> {
    pub(super) fn new(ticket: Ticket, len: usize) -> Self {
        Self { ticket, len, result: PhantomData }
    }

    /// Cancels the items that no worker has started: waiting then gives an error with
    /// [`is_cancelled`](Error::is_cancelled). Returns whether there were any, now or before.
    pub fn cancel(&self) -> bool {
        self.ticket.cancel()
    }
}

impl<R: DeserializeOwned> TaskHandle<R> {
    fn take_one(&self) -> Result<R, Error> {
        only(self.ticket.take(), self.ticket.task())
    }
}

/// The value of the only item.
pub(super) fn only<R: DeserializeOwned>(results: Results, task: &'static str) -> Result<R, Error> {
    let (bytes, handles) = results.into_only().ok_or_else(|| already_taken(task))??;
    decode_vec(bytes, handles, task)
}

impl<R: DeserializeOwned> MapHandle<R> {
    fn take_all(&self) -> Result<Vec<R>, Error> {
        let mut results = self.ticket.take();
        let task = self.ticket.task();
        let mut values = InOrder::with_capacity(self.len);
        let mut first: Option<(u64, Error)> = None;
        results.drain(|item, ending| match ending.and_then(|encoding| decode(encoding, task, Some(item))) {
            Ok(value) => values.put(item, value),
            Err(error) if first.as_ref().is_none_or(|(earliest, _)| item < *earliest) => {
                first = Some((item, error));
            }
            Err(_) => {}
        });
        if let Some((_, error)) = first {
            return Err(error);
        }
        values.whole().filter(|values| values.len() == self.len).ok_or_else(|| already_taken(task))
    }
}

/// The code that reads a result panicked where nobody else would hear of it.
fn unreadable<R>(panic: Box<dyn Any + Send>, task: &'static str) -> Error {
    let why = format!("its `Deserialize` panicked: {}", text_of(&*panic));
    let_go(panic);
    Error::result_undecodable(std::any::type_name::<R>(), &why).for_task(task)
}

fn already_taken(task: &'static str) -> Error {
    Error::new(ErrorKind::AlreadyTaken, "its outcome was taken before").for_task(task)
}
