//! Start, end, reap a child.
//!
//! ```text
//!  spawn ─► running ──(dies)──► dead ──try_reap──► its job ended ─► Ended
//! ```
//! Each child lives in a job of its own, with whatever it starts. We alone have a handle of the job, so the system ends all of
//! it when we are gone, however we go.

#![allow(unsafe_code)] // job objects, exit codes, exit handlers

use super::call::{checked, number, owned, wait_for};
use super::command::{self, Started};
use super::ending::TERMINATED;
use super::socket::Socket;
use super::{BorrowedHandle, Handle, borrow};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
use windows_sys::Win32::System::JobObjects::{
    CreateJobObjectW, JOB_OBJECT_LIMIT, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
    TerminateJobObject,
};
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetExitCodeProcess, TerminateProcess};

pub use super::ending::{Ended, Status, signal_name};
pub use super::exit::{exit, exit_now, on_exit};
pub use super::stdio::Stdio;

/// A copy of this program to start.
#[derive(Debug)]
pub struct Spawn {
    /// What the child sees as its arguments, the program's name first.
    pub args: Vec<OsString>,
    /// One more argument at the end: by it the child knows what it is.
    pub marker: &'static str,
    /// Changes to the environment: a value to set or, with `None`, a name to remove.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// The directory to start in; `None` for ours.
    pub current_dir: Option<PathBuf>,
    /// The file to run; `None` for the program that runs now.
    pub program: Option<PathBuf>,
    /// What becomes the child's stdin: its end of the control channel.
    pub stdin: Socket,
    /// The child's stdout.
    pub stdout: Stdio,
    /// The child's stderr.
    pub stderr: Stdio,
}

/// A child that was started by [`spawn`].
///
/// Dropping it ends the child and all of its job, and reaps it, unless that was done before.
#[derive(Debug)]
pub struct Child {
    pid: u32,
    handle: Handle,
    /// Whatever the child starts is in it, too.
    job: Handle,
    /// Set once the child is reaped.
    ended: Mutex<Option<Ended>>,
}

/// What can be asked of a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Ctrl-Break, for a child that has our console.
    Interrupt,
    /// `TerminateProcess`: nothing else ends a process without its help.
    Terminate,
    /// `TerminateProcess`.
    Kill,
    /// Nothing: processes are not stopped here.
    Continue,
}

/// Starts a copy of this program in a job of its own.
pub fn spawn(spawn: Spawn) -> io::Result<Child> {
    let job = new_job()?;
    let Started { handle, pid } = command::start(spawn, borrow(&job))?;
    Ok(Child { pid, handle, job, ended: Mutex::new(None) })
}

/// A child that a copy of this program has made for us: there are no copies.
pub fn adopt(_: u32) -> io::Result<Child> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Child {
    /// The child's number, for people and logs.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// A handle that is readable from the child's death on.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        borrow(&self.handle)
    }

    /// How the child ended, if it has. The first call that finds it dead ends what is left of its job.
    pub fn try_reap(&self) -> io::Result<Option<Ended>> {
        let mut ended = self.lock();
        if ended.is_none() && wait_for(self.handle(), Some(Duration::ZERO)) {
            self.end_job()?;
            *ended = Some(Ended { status: Status::Code(self.exit_code()?), peak_rss: self.peak_rss() });
        }
        Ok(*ended)
    }

    /// Waits for the child's death, at most `timeout` (`None`: for ever), and reaps it.
    pub fn reap(&self, timeout: Option<Duration>) -> io::Result<Option<Ended>> {
        wait_for(self.handle(), timeout);
        self.try_reap()
    }

    /// Asks the child alone. Nothing happens if it is dead.
    ///
    /// # Errors
    /// When [`Signal::Interrupt`] does not reach it: it has no console, or another one.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if wait_for(self.handle(), Some(Duration::ZERO)) {
            return Ok(());
        }
        // SAFETY: duty: an open handle: ours; the group of the child's number is the child's: we have made it one, and the
        // handle keeps the number from being given to somebody else.
        let done = checked(unsafe {
            match signal {
                Signal::Interrupt => GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, self.pid),
                Signal::Terminate | Signal::Kill => TerminateProcess(number(self.handle()), TERMINATED),
                Signal::Continue => 1,
            }
        });
        // It may have died just now, which the system refuses to do once more.
        if done.is_err() && wait_for(self.handle(), Some(DYING)) { Ok(()) } else { done }
    }

    /// Kills the child and whatever it started: its job.
    pub fn kill_group(&self) -> io::Result<()> {
        if self.lock().is_none() { self.end_job() } else { Ok(()) }
    }

    /// The child and what it starts may outlive us: nothing ends its job any more.
    pub fn disown(&self) -> io::Result<()> {
        limit(&self.job, 0)
    }

    fn end_job(&self) -> io::Result<()> {
        // SAFETY: duty: an open handle: ours.
        checked(unsafe { TerminateJobObject(number(borrow(&self.job)), TERMINATED) })
    }

    fn exit_code(&self) -> io::Result<i32> {
        let mut code = 0;
        // SAFETY: duty: valid pointers: a live local; an open handle: ours.
        checked(unsafe { GetExitCodeProcess(number(self.handle()), &raw mut code) })?;
        Ok(code.cast_signed())
    }

    fn peak_rss(&self) -> Option<u64> {
        let mut counters = PROCESS_MEMORY_COUNTERS::default();
        // SAFETY: duty: valid pointers: a live local of the length that is named; an open handle: ours.
        let done = unsafe {
            let len = size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
            K32GetProcessMemoryInfo(number(self.handle()), &raw mut counters, len)
        };
        let peak = counters.PeakWorkingSetSize as u64;
        (done != 0 && peak > 0).then_some(peak)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Ended>> {
        // The value is written in one assignment: a panic elsewhere cannot have left it half done.
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a process may take to be dead that the system already calls dead.
const DYING: Duration = Duration::from_secs(1);

impl Drop for Child {
    /// # Blocking and death
    /// Waits until the system has taken the killed child apart.
    fn drop(&mut self) {
        if self.lock().is_none() {
            // Two ways, for a child that is not in its job.
            let _ = self.kill_group();
            let _ = self.signal(Signal::Kill);
            let _ = self.reap(None);
        }
    }
}

/// A handle of this process itself, for children that watch over their parent.
pub fn parent_handle() -> io::Result<Handle> {
    let mut made = std::ptr::null_mut();
    // SAFETY: duty: valid handles: the pseudo handle of this process; a live local. Duty of `owned`: it was made just now.
    unsafe {
        let this = GetCurrentProcess();
        DuplicateHandle(this, this, this, &raw mut made, 0, 0, DUPLICATE_SAME_ACCESS);
        owned(made)
    }
}

/// A job that ends with its only handle.
fn new_job() -> io::Result<Handle> {
    // SAFETY: duty: valid pointers: null is the default. Duty of `owned`: it was made just now.
    let job = unsafe { owned(CreateJobObjectW(std::ptr::null(), std::ptr::null()))? };
    limit(&job, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)?;
    Ok(job)
}

fn limit(job: &Handle, flags: JOB_OBJECT_LIMIT) -> io::Result<()> {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = flags;
    // SAFETY: duty: a valid pointer: a live local of the length that is named; an open handle: ours.
    checked(unsafe {
        SetInformationJobObject(
            number(borrow(job)),
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size_of_val(&limits) as u32,
        )
    })
}
