//! Start, signal, reap a child.
//!
//! ```text
//!  spawn ─► running ──(dies)──► zombie ──try_reap──► group killed, then reaped ─► Ended
//!             │ signal: by pidfd        │ handle() is readable
//! ```
//!
//! A child is only ever named by its pidfd, which no reused number can turn into somebody else. Its process group is
//! named by number, but only while the child is not reaped: until then the kernel gives that number to nobody.

#![allow(unsafe_code)] // waitid with resource usage, getrusage, _exit, atexit: rustix has none of them

use super::super::disposition::Held;
use super::super::socket::Socket;
use super::super::{BorrowedHandle, Handle};
use super::afterwards;
use super::poller;
use super::refused::refused;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, kill_process_group,
    pidfd_open, pidfd_send_signal, waitid, waitpid,
};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use super::super::ending::{Ended, Status, signal_name};
use super::super::errno::no_process_made;
pub use std::process::{Stdio, exit};

/// The program that runs now, by inode: right even when the file was replaced or deleted since.
const OURSELVES: &str = "/proc/self/exe";

/// A copy of this program to start.
#[derive(Debug)]
pub struct Spawn {
    /// The file to run; `None` for the program that runs now.
    pub program: Option<PathBuf>,
    /// What the child sees as its arguments, the program's name first.
    pub args: Vec<OsString>,
    /// One more argument at the end: by it the child knows what it is.
    pub marker: &'static str,
    /// Changes to the environment: a value to set or, with `None`, a name to remove.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// The directory to start in; `None` for ours.
    pub current_dir: Option<PathBuf>,
    /// What becomes the child's stdin: its end of the control channel.
    pub stdin: Socket,
    /// The child's stdout.
    pub stdout: Stdio,
    /// The child's stderr.
    pub stderr: Stdio,
}

/// A child that was started by [`spawn`].
///
/// Dropping it ends the child and all of its process group with SIGKILL and reaps it, unless that was done before.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    handle: Handle,
    /// The most memory this process had used when the child was started.
    parents_peak: u64,
    /// Whose child it is: a copy of that process has no children.
    parent: Pid,
    /// Set once the child is reaped. Held while the group is signalled, so that nobody reaps in between.
    ended: Mutex<Option<Ended>>,
}

/// What can be asked of a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
    /// SIGCONT.
    Continue,
}

/// Starts a copy of this program in a process group of its own.
///
/// # Errors
/// Besides what the system says: [`io::ErrorKind::Unsupported`] on kernels without pidfd (before 5.4).
pub fn spawn(spawn: Spawn) -> io::Result<Child> {
    // Nothing here may make std leave posix_spawn (pre_exec, uid, gid, groups): it forks then, which takes time in
    // proportion to our memory. What a child must do to itself it does in `entry`.
    let mut command = Command::new(spawn.program.as_deref().unwrap_or(OURSELVES.as_ref()));
    let mut args = spawn.args.into_iter();
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    command.args(args).arg(spawn.marker);
    for (name, value) in &spawn.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(dir) = &spawn.current_dir {
        command.current_dir(dir);
    }
    command.stdin(spawn.stdin.into_stdio()).stdout(spawn.stdout).stderr(spawn.stderr).process_group(0);
    // One that comes early waits until the child says what it does.
    let _interrupt = Held::hold(libc::SIGINT)?;
    let mut started = command.spawn().map_err(|error| not_started(error, spawn.program.is_none()))?;
    // The number is the child's until it is reaped, so this cannot open a stranger.
    let (pid, handle) = open(started.id()).inspect_err(|_| {
        // std's own handle knows that it has not reaped yet.
        let _ = started.kill();
        let _ = started.wait();
    })?;
    Ok(Child { pid, handle, parents_peak: own_peak_rss(), parent: getpid(), ended: Mutex::new(None) })
}

/// What there is to know of a start that the system has refused, and to do about it.
fn not_started(error: io::Error, is_ourselves: bool) -> io::Error {
    let (what, hint) = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) if is_ourselves && std::fs::symlink_metadata(OURSELVES).is_err() => {
            ("there is no", "mount /proc")
        }
        Some(Errno::ACCESS) if is_ourselves => {
            ("this user must not run", "look at the rights of its file and of that file system")
        }
        _ => return no_process_made(error),
    };
    let other = "or name a file of this program by `mp::set_executable`";
    io::Error::new(error.kind(), format!("{what} {OURSELVES}: {hint}, {other}: {error}"))
}

/// A child that a copy of this program has made for us, or that is a copy itself.
///
/// # Errors
/// When `pid` is no child of this process, or has no descriptor left for it: then the child is gone.
pub fn adopt(pid: u32) -> io::Result<Child> {
    let (pid, handle) = open(pid).inspect_err(|_| end_by_number(pid))?;
    wait_for(&handle, libc::WNOWAIT)?;
    // It does the same: until one of us has, it would end with the group that it was born into.
    let _ = rustix::process::setpgid(Some(pid), Some(pid));
    Ok(Child { pid, handle, parents_peak: 0, parent: getpid(), ended: Mutex::new(None) })
}

/// Ends a child that nothing but its number names, and reaps it. A process that is no child of ours is left alone.
fn end_by_number(pid: u32) {
    let Some(pid) = Pid::from_raw(pid.cast_signed()) else { return };
    // The number is the child's until it is reaped, which nobody but us does.
    let looking = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if waitid(WaitId::Pid(pid), looking).is_ok() {
        let _ = kill_process(pid, rustix::process::Signal::KILL);
        while matches!(waitpid(Some(pid), WaitOptions::empty()), Err(Errno::INTR)) {}
    }
}

fn open(pid: u32) -> io::Result<(Pid, Handle)> {
    let pid = Pid::from_raw(pid.cast_signed());
    let pid = pid.ok_or_else(|| io::Error::other("a child without a number"))?;
    Ok((pid, pidfd_open(pid, PidfdFlags::empty()).map_err(refused("pidfd_open"))?))
}

impl Child {
    /// The child's number, for people and logs.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// A handle that is readable from the child's death on, also after it was reaped.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_fd()
    }

    /// How the child ended, if it has. The first call that finds it dead kills what is left of its process group, then
    /// reaps it.
    ///
    /// # Errors
    /// When somebody else has reaped it (a `wait` for any child, SIGCHLD ignored) and the kernel does not keep how it ended:
    /// it is gone, but nobody can tell how.
    pub fn try_reap(&self) -> io::Result<Option<Ended>> {
        let mut ended = self.lock();
        if ended.is_none() {
            *ended = self.reap_if_dead().or_else(|error| {
                let gone = error.raw_os_error() == Some(libc::ECHILD);
                let status = if gone { afterwards::status(&self.handle) } else { None };
                status.map(|status| Some(Ended { status, peak_rss: None })).ok_or(error)
            })?;
        }
        Ok(*ended)
    }

    fn reap_if_dead(&self) -> io::Result<Option<Ended>> {
        if wait_for(&self.handle, libc::WNOWAIT)?.is_none() {
            return Ok(None);
        }
        // In this order: while the zombie is there, its number is its group's and nobody else's.
        // One of another user's is left alone: how the child ended can be told all the same.
        let _ = signal_group(self.pid);
        let peak = |peak| Some(peak).filter(|peak| *peak > self.parents_peak);
        Ok(wait_for(&self.handle, 0)?.map(|(status, most)| Ended { status, peak_rss: peak(most) }))
    }

    /// Waits for the child's death, at most `timeout` (`None`: for ever), and reaps it.
    pub fn reap(&self, timeout: Option<Duration>) -> io::Result<Option<Ended>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(ended) = self.try_reap()? {
                return Ok(Some(ended));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            poller::ready(self.handle(), left)?;
        }
    }

    /// Sends a signal to the child alone. Nothing happens if it is dead.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let signal = match signal {
            Signal::Interrupt => rustix::process::Signal::INT,
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
            Signal::Continue => rustix::process::Signal::CONT,
        };
        match pidfd_send_signal(&self.handle, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error @ Errno::PERM) => Err(io::Error::new(
                error.kind(),
                format!("it runs as a user whose processes this one may not signal: {error}"),
            )),
            Err(error) => Err(refused("pidfd_send_signal")(error)),
        }
    }

    /// Kills the child and whatever it started that is still in its process group. Nothing happens if it was reaped.
    pub fn kill_group(&self) -> io::Result<()> {
        let ended = self.lock();
        if ended.is_none() {
            // Fails if somebody else has reaped the child: its number may be a stranger's now.
            wait_for(&self.handle, libc::WNOWAIT)?;
            signal_group(self.pid)?;
        }
        Ok(())
    }

    /// Nothing to do: a child that hears that it may outlive us does so.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // the signature is that of systems where there is
    pub fn disown(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Ended>> {
        // The value is written in one assignment: a panic elsewhere cannot have left it half done.
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Child {
    /// # Blocking and death
    /// Waits until the kernel has taken the killed child apart.
    fn drop(&mut self) {
        if self.parent == getpid() && self.lock().is_none() {
            // Two ways, for a child that has left its group or has not yet joined it.
            let _ = self.kill_group();
            let _ = self.signal(Signal::Kill);
            let _ = self.reap(None);
        }
    }
}

/// A handle of this process itself, for children that watch over their parent.
pub fn parent_handle() -> io::Result<Handle> {
    pidfd_open(getpid(), PidfdFlags::empty()).map_err(refused("pidfd_open"))
}

/// Ends this process at once: no destructors, no exit handlers, no flushing.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: duty: none of ours is left undone by it: the caller asked for exactly this.
    unsafe { libc::_exit(code) }
}

/// Has `handler` called when this process exits in an orderly way (`exit` or return from main).
pub fn on_exit(handler: extern "C" fn()) -> io::Result<()> {
    // SAFETY: duty: a function that may be called at exit: any safe `extern "C" fn()` is.
    if unsafe { libc::atexit(handler) } == 0 {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::OutOfMemory, "no room for another exit handler"))
    }
}

/// Kills the group with this number; an empty one is no error.
fn signal_group(leader: Pid) -> io::Result<()> {
    match kill_process_group(leader, rustix::process::Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// How the child ended and its peak memory in bytes; `None` while it lives. With `WNOWAIT` it stays a zombie.
fn wait_for(child: &Handle, options: libc::c_int) -> io::Result<Option<(Status, u64)>> {
    // SAFETY: duty: all-zero bytes are valid: a C struct of integers.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let mut usage = KernelUsage::default();
    // The raw call, because only it reports what this one child used (POSIX's waitid has no such argument).
    // SAFETY: duty: valid pointers of the kernel's layout: live locals; every C library takes over the kernel's
    // `siginfo_t`, and `KernelUsage` is copied from the kernel's headers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_PIDFD,
            child.as_raw_fd(),
            &raw mut info,
            libc::WEXITED | libc::WNOHANG | options,
            &raw mut usage,
        )
    };
    if result != 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(None) } else { Err(error) };
    }
    // SAFETY: duty: the fields are those of a child's end: zero (from `zeroed`) or written by the call above.
    let (pid, value) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let status = if info.si_code == libc::CLD_EXITED { Status::Code(value) } else { Status::Signal(value) };
    Ok(Some((status, kibibytes(usage.peak_rss))))
}

fn own_peak_rss() -> u64 {
    // SAFETY: duty: all-zero bytes are valid: a C struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: duty: a valid pointer: a live local.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    kibibytes(usage.ru_maxrss)
}

/// Linux counts in KiB.
fn kibibytes(count: libc::c_long) -> u64 {
    u64::try_from(count).unwrap_or(0) * 1024
}

/// `struct rusage` as the kernel writes it; the C library's differs on 32-bit targets with 64-bit time.
#[repr(C)]
#[derive(Default)]
struct KernelUsage {
    times: [libc::c_long; 4],
    peak_rss: libc::c_long,
    rest: [libc::c_long; 13],
}

#[cfg(test)]
#[path = "../process_tests.rs"]
mod tests;
