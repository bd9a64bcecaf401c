//! The one error of the crate, and the reports it carries.
//!
//! `Error` is opaque and answers questions: what kind of ending it was, which task on which item, and, where a worker
//! panicked or died, a report with everything that is known.

mod kind;
mod report;
mod travel;

pub use kind::ErrorKind;
pub use report::{ExitStatus, PanicReport, WorkerLost};

use crate::sys;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// Why something of `mp` failed: see [`Error::kind`] for the kind, and [`Error::panic`] and [`Error::worker_lost`]
/// for the reports.
///
/// The text says what failed, on what, why, and what to do about it where that is known. It can travel: a task may return
/// `Result<T, mp::Error>`.
///
/// ```
/// let error = mp::Pool::new(0).unwrap_err();
/// assert_eq!(error.kind(), mp::ErrorKind::InvalidInput);
/// assert!(error.to_string().contains("0 workers"));
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

// Nobody changes one after it was made. So what may hold one, as a pool, can be used behind a panic that was caught.
impl UnwindSafe for Error {}
impl RefUnwindSafe for Error {}

/// How a call ended on a worker when it did not return a value. Made in the worker, sent back, and turned into an
/// [`Error`] in the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The function panicked.
    Panicked(PanicReport),
    /// An argument could not be decoded.
    ArgumentUndecodable {
        /// The type that was to be read; empty if it is not known which one it was.
        type_name: String,
        /// What the decoder says.
        reason: String,
    },
    /// The worker had no memory, or no descriptors, for what goes with the arguments.
    ArgumentsNotStored {
        /// What there was no room for.
        reason: String,
    },
    /// The result could not be encoded.
    ResultUnencodable {
        /// The type that was to be written.
        type_name: String,
        /// What the encoder says.
        reason: String,
    },
    /// The worker had no memory, or no descriptor for it, to hand the result over in.
    ResultNotStored {
        /// How long it is, in bytes.
        len: u64,
        /// What the system says.
        reason: String,
    },
    /// A function that nobody takes a result of, an initializer for example, returned an error.
    Returned {
        /// Its type.
        type_name: String,
        /// What it says, if that can be told.
        text: Option<String>,
    },
}

impl Failure {
    /// What is written about a finalizer that failed: nobody waits for it.
    pub(crate) fn of_finalizer(&self, worker: &str) -> String {
        let what = match self {
            Self::Panicked(report) => report.to_string(),
            Self::ArgumentUndecodable { reason, .. }
            | Self::ArgumentsNotStored { reason }
            | Self::ResultUnencodable { reason, .. }
            | Self::ResultNotStored { reason, .. } => reason.clone(),
            Self::Returned { type_name, text } => returned(type_name, text.as_deref()),
        };
        format!("mp: the finalizer of the worker \"{worker}\" failed: {what}\n")
    }
}

/// What a [`Failure::Returned`] means.
pub(crate) fn returned(type_name: &str, text: Option<&str>) -> String {
    match text {
        Some(text) => format!("it returned an error: {text}"),
        None => format!("it returned an error of type `{type_name}`"),
    }
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    task: Option<Cow<'static, str>>,
    item: Option<u64>,
    detail: Detail,
}

#[derive(Clone)]
enum Detail {
    None,
    Panic(Box<PanicReport>),
    Lost(Box<WorkerLost>),
    Io(Arc<io::Error>),
}

impl Error {
    /// What kind of ending this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        self.kind() == ErrorKind::Panicked
    }

    /// Whether the worker died while it ran the task, or before it came to it.
    pub fn is_worker_lost(&self) -> bool {
        self.kind() == ErrorKind::WorkerLost
    }

    /// Whether a time-out passed.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::TimedOut
    }

    /// Whether the call was cancelled before it started.
    pub fn is_cancelled(&self) -> bool {
        self.kind() == ErrorKind::Cancelled
    }

    /// Whether the pool was closed, terminated or dropped, the other end of a pipe is gone, or a queue was shut down.
    pub fn is_closed(&self) -> bool {
        self.kind() == ErrorKind::Closed
    }

    /// Whether Ctrl-C stopped the pool.
    pub fn is_interrupted(&self) -> bool {
        self.kind() == ErrorKind::Interrupted
    }

    /// The name of the task that was concerned, if one was.
    pub fn task_name(&self) -> Option<&str> {
        self.0.task.as_deref()
    }

    /// The position of the failing item in the input of `map` and its like, from 0.
    pub fn item(&self) -> Option<u64> {
        self.0.item
    }

    /// The report of the panic, if a task or an initializer panicked.
    ///
    /// ```
    /// #[mp::task]
    /// fn fail(why: &str) {
    ///     panic!("it cannot be: {why}");
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     let error = mp::Pool::new(1)?.apply(fail, ("there is none",)).unwrap_err();
    ///     let report = error.panic().expect("it panicked");
    ///     assert_eq!(report.message, "it cannot be: there is none");
    ///     assert!(report.location.is_some());
    ///     Ok(())
    /// }
    /// ```
    pub fn panic(&self) -> Option<&PanicReport> {
        match &self.0.detail {
            Detail::Panic(report) => Some(report),
            Detail::None | Detail::Lost(_) | Detail::Io(_) => None,
        }
    }

    /// The report of the death, if a worker died.
    ///
    /// ```
    /// #[mp::task]
    /// fn give_up() {
    ///     eprintln!("this cannot go on");
    ///     std::process::exit(3);
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     let error = mp::Pool::new(1)?.apply(give_up, ()).unwrap_err();
    ///     let lost = error.worker_lost().expect("it ended in the middle of its call");
    ///     assert_eq!(lost.status.and_then(mp::ExitStatus::code), Some(3));
    ///     assert_eq!(lost.stderr_tail, "this cannot go on\n");
    ///     Ok(())
    /// }
    /// ```
    pub fn worker_lost(&self) -> Option<&WorkerLost> {
        match &self.0.detail {
            Detail::Lost(report) => Some(report),
            Detail::None | Detail::Panic(_) | Detail::Io(_) => None,
        }
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), task: None, item: None, detail: Detail::None }))
    }

    pub(crate) fn os(what: impl Into<String>, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Os,
        };
        Self::new(kind, what).with(Detail::Io(Arc::new(source)))
    }

    pub(crate) fn lost(report: WorkerLost) -> Self {
        let message = report.to_string();
        let task = report.task.clone();
        let mut error = Self::new(ErrorKind::WorkerLost, message).with(Detail::Lost(Box::new(report)));
        error.0.task = task.map(Cow::Owned);
        error
    }

    /// A pool gave up because of this death.
    pub(crate) fn crash_loop(message: String, last: Option<WorkerLost>) -> Self {
        let error = Self::new(ErrorKind::CrashLoop, message);
        match last {
            Some(report) => error.with(Detail::Lost(Box::new(report))),
            None => error,
        }
    }

    pub(crate) fn of_failure(failure: Failure, task: &'static str) -> Self {
        let error = match failure {
            Failure::Panicked(report) => {
                Self::new(ErrorKind::Panicked, report.to_string()).with(Detail::Panic(Box::new(report)))
            }
            Failure::ArgumentUndecodable { type_name, reason } if type_name.is_empty() => Self::new(
                ErrorKind::Decode,
                format!("the arguments cannot be decoded in the worker: {reason}"),
            ),
            Failure::ArgumentUndecodable { type_name, reason } => Self::new(
                ErrorKind::Decode,
                format!("an argument of type `{type_name}` cannot be decoded in the worker: {reason}"),
            ),
            Failure::ArgumentsNotStored { reason } => {
                let message = format!(
                    "not even a new worker has room for what goes with its arguments: {reason}; its limits are too low for \
                     this call (`Limits`, `ulimit`)"
                );
                Self::new(ErrorKind::Os, message)
            }
            Failure::ResultUnencodable { type_name, reason } => Self::new(
                kind_of_refusal(&reason),
                format!("the result of type `{type_name}` cannot be encoded in the worker: {reason}"),
            ),
            Failure::ResultNotStored { len, reason } => Self::new(
                ErrorKind::Os,
                format!("the worker has no place for the result, which is {len} bytes long: {reason}"),
            ),
            Failure::Returned { type_name, text } => {
                Self::new(ErrorKind::InitializerFailed, returned(&type_name, text.as_deref()))
            }
        };
        error.for_task(task)
    }

    /// An argument that the caller's side could not encode.
    pub(crate) fn argument_unencodable(type_name: &str, reason: &str) -> Self {
        let message = format!("an argument of type `{type_name}` cannot be encoded: {reason}");
        Self::new(kind_of_refusal(reason), message)
    }

    /// A message that cannot be encoded.
    pub(crate) fn message_unencodable(type_name: &str, reason: &str) -> Self {
        let message = format!("a message of type `{type_name}` cannot be encoded: {reason}");
        Self::new(kind_of_refusal(reason), message)
    }

    /// An end of a pipe that is no longer here.
    pub(crate) fn sent_away() -> Self {
        Self::new(ErrorKind::AlreadyTaken, SENT_AWAY)
    }

    /// A result that the caller's side could not decode.
    pub(crate) fn result_undecodable(type_name: &str, reason: &str) -> Self {
        Self::new(
            ErrorKind::Decode,
            format!("the result of type `{type_name}` cannot be decoded in the caller: {reason}"),
        )
    }

    /// A result that has descriptors, which could not be taken in the caller.
    pub(crate) fn result_unreceived(why: &io::Error) -> Self {
        let message = format!(
            "the call returned, but its result has descriptors: {why} (`ulimit -n` says how many it may have)"
        );
        Self::new(ErrorKind::Os, message)
    }

    /// The same failure seen as that of the pool whose initializer is `task`. It stays the task that the error names: the
    /// calls that get the error never ran.
    pub(crate) fn into_initializer_failure(mut self, task: &'static str) -> Self {
        self.0.kind = ErrorKind::InitializerFailed;
        self.0.message =
            format!("the pool's initializer `{task}` failed, so the pool has ended: {}", self.0.message);
        self.0.task = Some(task.into());
        self
    }

    /// The same failure seen as that of a task that a fork server was to run first.
    pub(crate) fn into_preload_failure(mut self, task: &'static str) -> Self {
        self.0.kind = ErrorKind::InitializerFailed;
        self.0.message = format!(
            "the fork server cannot start, because its preloaded task `{task}` failed: {}",
            self.0.message
        );
        self
    }

    pub(crate) fn for_task(mut self, task: impl Into<Cow<'static, str>>) -> Self {
        self.0.task.get_or_insert_with(|| task.into());
        self
    }

    pub(crate) fn on_item(mut self, item: u64) -> Self {
        self.0.item = Some(item);
        self
    }

    fn with(mut self, detail: Detail) -> Self {
        self.0.detail = detail;
        self
    }
}

const SENT_AWAY: &str = "this end of a pipe was sent to another process and is no longer here";

/// What kind of error it is that a value cannot be encoded. On their way through serde, and from a worker, errors are text.
fn kind_of_refusal(reason: &str) -> ErrorKind {
    if reason.contains(SENT_AWAY) { ErrorKind::AlreadyTaken } else { ErrorKind::Encode }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Their messages name the task where it matters.
        let says_itself = matches!(self.kind(), ErrorKind::NotATask | ErrorKind::InitializerFailed);
        let task = self.0.task.as_ref().filter(|_| !says_itself);
        match (task, self.0.item) {
            (Some(task), Some(item)) => write!(f, "task `{task}` failed on item {item}: ")?,
            (Some(task), None) => write!(f, "task `{task}` failed: ")?,
            (None, _) => {}
        }
        f.write_str(&self.0.message)?;
        match &self.0.detail {
            Detail::Io(source) => match sys::advice(source) {
                Some(advice) => write!(f, ": {advice}: {source}"),
                None => write!(f, ": {source}"),
            },
            Detail::None | Detail::Panic(_) | Detail::Lost(_) => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)?;
        match self.panic().and_then(|report| report.backtrace.as_deref()) {
            Some(backtrace) => write!(f, "\n{backtrace}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.detail {
            Detail::Io(source) => Some(&**source),
            Detail::None | Detail::Panic(_) | Detail::Lost(_) => None,
        }
    }
}
