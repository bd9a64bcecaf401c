//! What kinds of endings there are.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of ending an [`Error`](crate::Error) stands for. Its text is a word or two, for a log or a counter; the error's own says what happened.
///
/// ```
/// assert_eq!(mp::ErrorKind::WorkerLost.to_string(), "worker lost");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The task panicked; see [`Error::panic`](crate::Error::panic).
    Panicked,
    /// The worker died while it ran the task, or before it came to it; see [`Error::worker_lost`](crate::Error::worker_lost).
    WorkerLost,
    /// The time-out passed. The call goes on; a handle can be waited for again.
    TimedOut,
    /// The call was cancelled before a worker started it.
    Cancelled,
    /// The pool was closed, terminated or dropped; the other end of a pipe is gone; a queue was shut down.
    Closed,
    /// There is no message now.
    Empty,
    /// There is no room for a message now.
    Full,
    /// Ctrl-C stopped the pool.
    Interrupted,
    /// Workers died too fast without finishing anything, in calls or in an initializer that ends the process; the pool gave up.
    /// [`Error::worker_lost`](crate::Error::worker_lost) is the last death.
    CrashLoop,
    /// The pool's initializer panicked or returned an `Err` and the pool gave up, or what a fork server was to preload failed.
    InitializerFailed,
    /// The function is not annotated with `#[mp::task]`.
    NotATask,
    /// Two tasks were given the same name.
    DuplicateTask,
    /// `mp::main!()` (or `mp::test_main!()`) has not run in this process.
    NoEntry,
    /// A fresh fork server did not say that it is one. (A process that does not become a worker is a
    /// [`WorkerLost`](Self::WorkerLost), those of a pool a [`CrashLoop`](Self::CrashLoop).)
    Handshake,
    /// A value could not be encoded: an argument in the caller, or a result in the worker.
    Encode,
    /// A value could not be decoded: an argument in the worker, or a result in the caller.
    Decode,
    /// Processes that start processes are nested too deep.
    TooDeep,
    /// The call would wait for itself: a task waits on the pool that runs it.
    Deadlock,
    /// An argument of the call makes no sense, such as a pool of zero workers.
    InvalidInput,
    /// The result was taken before, or the end of a pipe was sent to another process.
    AlreadyTaken,
    /// The holder of a lock died while it held it.
    OwnerDied,
    /// The holder of a lock panicked while it held it.
    Poisoned,
    /// A barrier broke before everybody had come.
    BrokenBarrier,
    /// The registry of tasks does not work on this target or linker.
    Registry,
    /// The operating system refused something.
    Os,
    /// This platform cannot do it.
    Unsupported,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Panicked => "task panicked",
            Self::WorkerLost => "worker lost",
            Self::TimedOut => "timed out",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
            Self::Empty => "empty",
            Self::Full => "full",
            Self::Interrupted => "interrupted",
            Self::CrashLoop => "crash loop",
            Self::InitializerFailed => "initializer failed",
            Self::NotATask => "not a task",
            Self::DuplicateTask => "duplicate task",
            Self::NoEntry => "no entry",
            Self::Handshake => "handshake failed",
            Self::Encode => "cannot be encoded",
            Self::Decode => "cannot be decoded",
            Self::TooDeep => "nested too deep",
            Self::Deadlock => "deadlock",
            Self::InvalidInput => "invalid input",
            Self::AlreadyTaken => "already taken",
            Self::OwnerDied => "owner died",
            Self::Poisoned => "poisoned",
            Self::BrokenBarrier => "broken barrier",
            Self::Registry => "broken registry",
            Self::Os => "operating system error",
            Self::Unsupported => "unsupported",
        })
    }
}
