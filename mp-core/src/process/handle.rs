//! A child process that runs one task, as its parent sees it.
//!
//! | state | `is_alive` | `join`, `wait` | `terminate`, `kill`, `interrupt` | drop |
//! |---|---|---|---|---|
//! | running | true | wait for the end | send the signal | kept in the list of children, reaped when it ends |
//! | dead, not reaped | false | reap, read the outcome | nothing | reaped |
//! | ended | false | return at once | nothing | nothing |
//! | detached | – | – | – | lives on by itself |
//!
//! A copy of the parent sees whether it lives, can signal it, and learns neither status nor result.

use super::children;
use super::running::Running;
use super::sentinel::Sentinel;
use crate::error::{Error, ErrorKind, ExitStatus};
use crate::sys::process::Signal;
use crate::wire::codec;
use crate::wire::handles::providing;
use serde::de::DeserializeOwned;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// A child process that runs one task: made by [`spawn`](crate::spawn) and [`Process::start`](crate::Process::start).
///
/// Dropping it does not end the process; it goes on and is reaped when it ends. A panic of a process that nobody joins is
/// written to stderr. A process never outlives its parent unless it was [detached](Self::detach).
///
/// ```
/// use std::time::Duration;
///
/// #[mp::task]
/// fn endless() {
///     loop {
///         std::thread::park();
///     }
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let child = mp::spawn(endless, ())?;
///     assert!(child.wait_timeout(Duration::from_millis(10)).is_err_and(|error| error.is_timeout()));
///     child.kill()?;
///     let lost = child.join().expect_err("it was killed");
///     println!("{lost}"); // task `endless` failed: process 4711 was killed by SIGKILL after running the task for 1.2ms
///     Ok(())
/// }
/// ```
pub struct JoinHandle<R> {
    running: Arc<Running>,
    result: PhantomData<fn() -> R>,
}

impl<R> JoinHandle<R> {
    pub(super) fn new(running: Arc<Running>) -> Self {
        Self { running, result: PhantomData }
    }

    pub(super) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.running.pid
    }

    /// The process's name.
    pub fn name(&self) -> &str {
        &self.running.name
    }

    /// Whether the process has not ended. Reaps it if it has.
    pub fn is_alive(&self) -> bool {
        !self.running.has_ended()
    }

    /// How the process ended: 0 after a task that returned, 101 after one that panicked, the code of an `exit`, or the
    /// signal; `None` while it runs.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.running.exit_status()
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// When somebody else reaped the process, so that nobody can tell how it ended.
    ///
    /// # Blocking and death
    /// Returns as soon as the process is gone, whatever ended it.
    pub fn wait(&self) -> Result<ExitStatus, Error> {
        self.running.wait(None);
        self.status()
    }

    /// Waits for the end of the process, at most `timeout`; a timeout of zero looks once.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) if it still runs then; otherwise as [`wait`](Self::wait).
    ///
    /// # Blocking and death
    /// Returns as soon as the process is gone, whatever ended it.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<ExitStatus, Error> {
        if self.running.wait(Some(timeout)) { self.status() } else { Err(self.timed_out(timeout)) }
    }

    /// Asks the process to end (`SIGTERM`). Without a handler of its own it dies at once, unless this program had the signal
    /// blocked or ignored when it started the process, which inherits that.
    ///
    /// # Errors
    /// When the signal cannot be sent. A process that has ended is no error.
    pub fn terminate(&self) -> Result<(), Error> {
        self.running.signal(Signal::Terminate)
    }

    /// Ends the process by force (`SIGKILL`).
    ///
    /// # Errors
    /// When the signal cannot be sent. A process that has ended is no error.
    pub fn kill(&self) -> Result<(), Error> {
        self.running.signal(Signal::Kill)
    }

    /// What Ctrl-C does (`SIGINT`), also where this program does not let it come, and if the process has only just started.
    ///
    /// # Errors
    /// When the signal cannot be sent. A process that has ended is no error.
    pub fn interrupt(&self) -> Result<(), Error> {
        self.running.signal(Signal::Interrupt)
    }

    /// A handle that is readable from the end of the process on, to be waited for together with others.
    pub fn sentinel(&self) -> Sentinel {
        self.running.sentinel.clone()
    }

    /// Lets the process outlive this one, and forgets it.
    ///
    /// # Errors
    /// When it cannot be told, because it has stopped listening. A process that has ended is no error.
    ///
    /// # Blocking and death
    /// Returns at once; where the process listens no more, as soon as it is gone, within a second.
    pub fn detach(self) -> Result<(), Error> {
        self.running.detach()
    }

    fn status(&self) -> Result<ExitStatus, Error> {
        self.exit_status().ok_or_else(|| {
            Error::new(
                ErrorKind::Os,
                format!(
                    "the process \"{}\" ended, but somebody else reaped it, so its exit status is unknown (the system itself \
                     does, where this program ignores SIGCHLD)",
                    self.name()
                ),
            )
        })
    }

    fn timed_out(&self, timeout: Duration) -> Error {
        let what = format!("the process \"{}\" ({}) still runs after {timeout:?}", self.name(), self.pid());
        Error::new(ErrorKind::TimedOut, what)
    }
}

impl<R: DeserializeOwned> JoinHandle<R> {
    /// Waits for the end of the process and returns what its task returned.
    ///
    /// # Errors
    /// The task's panic; a [`WorkerLost`](crate::WorkerLost) if the process ended before the task returned, also with
    /// exit code 0; a result that cannot be decoded.
    ///
    /// # Blocking and death
    /// Returns as soon as the process is gone, whatever ended it.
    pub fn join(self) -> Result<R, Error> {
        self.running.wait(None);
        self.take()
    }

    /// Waits for the end of the process, at most `timeout`, and returns what its task returned.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) if it still runs then: the handle stays good. Otherwise as
    /// [`join`](Self::join); the result can be taken once.
    ///
    /// # Blocking and death
    /// Returns as soon as the process is gone, whatever ended it.
    pub fn join_timeout(&self, timeout: Duration) -> Result<R, Error> {
        if self.running.wait(Some(timeout)) { self.take() } else { Err(self.timed_out(timeout)) }
    }

    fn take(&self) -> Result<R, Error> {
        let task = self.running.task.name;
        let (bytes, handles) = self.running.take_outcome().unwrap_or_else(|| {
            Err(Error::new(ErrorKind::AlreadyTaken, "the result of this process was taken before")
                .for_task(task))
        })?;
        providing(handles, || codec::decode_result_vec(bytes)).map_err(|error| {
            Error::result_undecodable(std::any::type_name::<R>(), &error.to_string()).for_task(task)
        })
    }
}

impl<R> Drop for JoinHandle<R> {
    fn drop(&mut self) {
        if self.running.is_ours() && !self.running.has_ended() {
            children::adopt(self.running.clone());
        }
    }
}

impl<R> fmt::Debug for JoinHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.exit_status().map_or_else(|| "running".to_owned(), |status| status.to_string());
        f.debug_struct("JoinHandle")
            .field("name", &self.name())
            .field("pid", &self.pid())
            .field("status", &status)
            .finish()
    }
}
