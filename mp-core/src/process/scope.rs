//! `scope`: what was started in it has ended behind it.

use super::builder::{Process, spawn};
use super::handle::JoinHandle;
use super::running::Running;
use crate::error::Error;
use crate::task::arguments::{Args, Task};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Runs `body`, and waits for every process that was started with the [`Scope`] it gets, like [`std::thread::scope`].
///
/// ```
/// #[mp::task]
/// fn square(x: i64) -> i64 {
///     x * x
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let sum = mp::scope(|s| {
///         let (three, four) = (s.spawn(square, (3,))?, s.spawn(square, (4,))?);
///         Ok(three.join()? + four.join()?)
///     })?;
///     assert_eq!(sum, 25);
///     Ok(())
/// }
/// ```
///
/// # Errors
/// That of `body`; otherwise that of the first process, in the order of their starts, that failed and that nobody joined.
///
/// # Blocking and death
/// Returns when all of them are gone, whatever ended them, also if `body` returns an error or panics. A process that is not
/// to be waited for is killed, or [detached](JoinHandle::detach), in `body`; one that is killed has failed, which is the error
/// of the scope unless `body` joins it.
pub fn scope<T>(body: impl FnOnce(&Scope) -> Result<T, Error>) -> Result<T, Error> {
    let scope = Scope { started: Mutex::default() };
    let value = body(&scope);
    scope.wait();
    let value = value?;
    scope.take_failure().map_or(Ok(value), Err)
}

/// Starts processes that end before the [`scope`] does.
pub struct Scope {
    started: Mutex<Vec<Arc<Running>>>,
}

impl Scope {
    /// As [`spawn`], in this scope. The handle is good also behind it.
    ///
    /// # Errors
    /// As for [`spawn`].
    #[track_caller]
    pub fn spawn<F, P, A>(&self, task: F, args: A) -> Result<JoinHandle<F::Output>, Error>
    where
        F: Task<P>,
        A: Args<P>,
    {
        spawn(task, args).map(|handle| self.keep(handle))
    }

    /// As [`Process::start`], in this scope.
    ///
    /// # Errors
    /// As for [`Process::start`].
    pub fn start<R>(&self, process: Process<R>) -> Result<JoinHandle<R>, Error> {
        process.start().map(|handle| self.keep(handle))
    }

    fn keep<R>(&self, handle: JoinHandle<R>) -> JoinHandle<R> {
        self.started().push(handle.running().clone());
        handle
    }

    fn started(&self) -> MutexGuard<'_, Vec<Arc<Running>>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for all.
    fn wait(&self) {
        let started = self.started().clone();
        for process in started {
            process.wait_in_scope();
        }
    }

    /// The first failure of one that nobody joined. Of the others panics go to stderr, as those of all that nobody joins.
    fn take_failure(&self) -> Option<Error> {
        self.started().iter().find_map(|process| process.take_failure())
    }
}

impl Drop for Scope {
    /// The way out of a `body` that panics.
    fn drop(&mut self) {
        self.wait();
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let started = self.started().len();
        f.debug_struct("Scope").field("started", &started).finish_non_exhaustive()
    }
}
