//! What is known about a panic and about a death.

use crate::sys;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A panic of a task, as the worker saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PanicReport {
    /// The panic's message, or a remark that its payload was not text.
    pub message: String,
    /// `file:line:column`, when known.
    pub location: Option<String>,
    /// The backtrace, when `RUST_BACKTRACE` asks for one.
    pub backtrace: Option<String>,
    /// The name of the task.
    pub task: String,
    /// The process that ran it.
    pub pid: u32,
    /// The worker's place in its pool, from 0; `None` in a process started by [`Process`](crate::Process) or
    /// [`spawn`](crate::spawn).
    pub worker: Option<u32>,
}

/// The death of a worker: what the parent could find out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerLost {
    /// The process that died.
    pub pid: u32,
    /// How it ended, if that is known.
    pub status: Option<ExitStatus>,
    /// The name of the task that it was running, or that it was started for, if any; for a call that waited behind that one, its own.
    pub task: Option<String>,
    /// How long it had been running that task; `None` if it had not begun it.
    pub ran_for: Option<Duration>,
    /// The most memory it ever had resident, in bytes. `None` if that was less than what this program itself had at its
    /// start: the system counts that as the child's, too.
    pub peak_rss: Option<u64>,
    /// Whether it ran out of memory, as far as can be told: its allocator gave up, or the kernel killed it for memory.
    pub out_of_memory: bool,
    /// Whether its stack overflowed.
    pub stack_overflow: bool,
    /// The last panic it saw, when it died of it (`panic = "abort"`, a panic while panicking).
    pub last_panic: Option<PanicReport>,
    /// The end of what it wrote to stderr (at most 4 KiB). A worker of a pool may have written it in an earlier call: nothing
    /// tells where the one ends and the next begins.
    pub stderr_tail: String,
    /// Which try of the call this was: 1, as calls are not tried again when they had begun.
    pub attempt: u32,
    /// What else the parent knows, such as a violated protocol.
    pub remark: Option<String>,
}

impl WorkerLost {
    /// The death as it concerns a call of `task` that is lost with the worker: it may have waited behind the one that was running.
    pub(crate) fn of_call(mut self, task: &'static str) -> Self {
        if let Some(other) = self.task.take_if(|running| running != task) {
            let waited = format!("it was running `{other}`, and had not begun this call");
            self.task = Some(task.into());
            self.ran_for = None;
            self.remark = Some(match self.remark {
                Some(remark) => format!("{remark}; {waited}"),
                None => waited,
            });
        }
        self
    }
}

/// How a process ended: an exit code, or a signal.
///
/// ```
/// #[mp::task]
/// fn leave(code: i32) {
///     std::process::exit(code);
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let status = mp::spawn(leave, (3,))?.wait()?;
///     assert_eq!((status.code(), status.signal()), (Some(3), None));
///     assert_eq!(status.to_string(), "exit code 3");
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExitStatus(pub(crate) sys::process::Status);

impl ExitStatus {
    /// The exit code, unless a signal ended the process.
    pub fn code(self) -> Option<i32> {
        match self.0 {
            sys::process::Status::Code(code) => Some(code),
            sys::process::Status::Signal(_) => None,
        }
    }

    /// The number of the signal that ended the process, if one did.
    pub fn signal(self) -> Option<i32> {
        match self.0 {
            sys::process::Status::Code(_) => None,
            sys::process::Status::Signal(signal) => Some(signal),
        }
    }

    /// The name of that signal, such as `SIGKILL`.
    pub fn signal_name(self) -> Option<&'static str> {
        self.signal().map(sys::process::signal_name)
    }

    /// Whether the process exited with code 0.
    pub fn success(self) -> bool {
        self.code() == Some(0)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PanicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "panicked at {location}: {}", self.message)?,
            None => write!(f, "panicked: {}", self.message)?,
        }
        write!(f, " (process {}", self.pid)?;
        match self.worker {
            Some(worker) => write!(f, ", worker {worker})"),
            None => write!(f, ")"),
        }
    }
}

impl fmt::Display for WorkerLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} died", self.pid)?;
        match self.status {
            Some(status) => write!(f, " with {status}")?,
            None => write!(
                f,
                ", its exit status is unknown (somebody else reaped it, or the system did, as this program ignores SIGCHLD)"
            )?,
        }
        if let Some(ran_for) = self.ran_for {
            write!(f, " after running the task for {ran_for:.1?}")?;
        }
        if self.stack_overflow {
            write!(f, "; its stack overflowed")?;
        }
        if self.out_of_memory {
            write!(f, "; it ran out of memory")?;
        }
        if let Some(peak) = self.peak_rss {
            write!(f, "; peak memory {} MiB", peak >> 20)?;
        }
        if let Some(remark) = &self.remark {
            write!(f, "; {remark}")?;
        }
        if let Some(panic) = &self.last_panic {
            write!(f, "; it {panic}")?;
        }
        let tail = self.stderr_tail.trim();
        if !tail.is_empty() {
            write!(f, "; its last words on stderr:\n{tail}")?;
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn a_call_that_waited_behind_another_one_is_not_told_that_it_ran() {
        let lost = WorkerLost {
            pid: 8,
            status: None,
            task: Some("first".into()),
            ran_for: Some(Duration::from_millis(3)),
            peak_rss: None,
            out_of_memory: false,
            stack_overflow: false,
            last_panic: None,
            stderr_tail: String::new(),
            attempt: 1,
            remark: None,
        };
        assert_eq!(lost.clone().of_call("first"), lost);
        let waited = lost.clone().of_call("second");
        assert_eq!((waited.task.as_deref(), waited.ran_for), (Some("second"), None));
        let error = Error::lost(waited).to_string();
        assert!(error.contains("`second`") && error.contains("it was running `first`"), "{error}");
        let broken = WorkerLost { remark: Some("it spoke out of turn".into()), ..lost.clone() };
        let remark = broken.of_call("second").remark.expect("two of them");
        assert!(remark.starts_with("it spoke out of turn; it was running `first`"), "{remark}");
        let idle = WorkerLost { task: None, ran_for: None, ..lost };
        assert_eq!(idle.clone().of_call("second"), idle);
    }
}
