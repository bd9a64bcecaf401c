//! Start, signal, reap a child.
//!
//! ```text
//!  spawn ─► running ──(dies)──► zombie ──try_reap──► group killed, then reaped ─► Ended
//!             │ signal: by number       │ handle() is readable
//! ```
//!
//! A child and its process group are named by number, but only while the child is not reaped, which a lock sees to: until
//! then the kernel gives that number to nobody.

#![allow(unsafe_code)] // waitid without reaping, wait4, getrusage, _exit, atexit: rustix has none of them

use super::super::disposition::Held;
use super::super::errno::no_process_made;
use super::socket::Socket;
use super::socket_flags::{close_on_exec_pipe, while_nothing_is_made};
use super::{BorrowedHandle, Handle, death, leaf, poller};
use rustix::io::Errno;
use rustix::process::{Pid, getpid, kill_process, kill_process_group};
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub use super::ending::{Ended, Status, signal_name};
pub use std::process::{Stdio, exit};

/// The program that runs now, by the path that it was started by. It is looked up once, before a task changes the directory:
/// a program whose file is replaced while it runs starts the new one, and refuses it at the handshake.
fn ourselves() -> io::Result<&'static Path> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = PATH.get() {
        return Ok(path);
    }
    let path = std::env::current_exe()?;
    Ok(PATH.get_or_init(|| path.canonicalize().unwrap_or(path)))
}

/// How often a child is looked at that is as good as dead: the news of its death may come before it can be reaped.
const LOOK_EVERY: Duration = Duration::from_micros(100);

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
    /// Readable from the child's death on.
    death: Handle,
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
pub fn spawn(spawn: Spawn) -> io::Result<Child> {
    // Nothing here may make std leave posix_spawn (pre_exec, uid, gid, groups): it forks then, which takes time in
    // proportion to our memory. What a child must do to itself it does in `entry`.
    let mut command = match &spawn.program {
        Some(program) => Command::new(program),
        None => Command::new(ourselves()?),
    };
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
    let mut started = while_nothing_is_made(|| command.spawn()).map_err(no_process_made)?;
    // The number is the child's until it is reaped, so this cannot watch a stranger.
    let (pid, death) = watch(started.id()).inspect_err(|_| {
        // std's own handle knows that it has not reaped yet.
        let _ = started.kill();
        let _ = started.wait();
    })?;
    Ok(Child { pid, death, parents_peak: own_peak_rss(), parent: getpid(), ended: Mutex::new(None) })
}

/// A child that a copy of this program has made for us: there are no copies here.
pub fn adopt(_: u32) -> io::Result<Child> {
    Err(io::ErrorKind::Unsupported.into())
}

fn watch(pid: u32) -> io::Result<(Pid, Handle)> {
    let number = Pid::from_raw(pid.cast_signed());
    Ok((number.ok_or_else(|| io::Error::other("a child without a number"))?, death::watch(pid)?))
}

impl Child {
    /// The child's number, for people and logs.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// A handle that is readable from the child's death on, also after it was reaped.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.death.as_fd()
    }

    /// How the child ended, if it has. The first call that finds it dead kills what is left of its process group, then
    /// reaps it.
    ///
    /// # Errors
    /// When somebody else has reaped it (a `wait` for any child, SIGCHLD ignored): it is gone, but nobody can tell how.
    pub fn try_reap(&self) -> io::Result<Option<Ended>> {
        let mut ended = self.lock();
        if ended.is_none() && is_dead(self.pid)? {
            // In this order: while the zombie is there, its number is its own and its group's and nobody else's.
            leaf::remove_left_by(self.pid());
            // One of another user's is left alone: how the child ended can be told all the same.
            let _ = signal_group(self.pid);
            *ended = wait_for(self.pid)?
                .map(|(status, peak)| Ended { status, peak_rss: (peak > self.parents_peak).then_some(peak) });
        }
        Ok(*ended)
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
            if poller::ready(self.handle(), left)? {
                std::thread::sleep(LOOK_EVERY);
            }
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
        let ended = self.lock();
        // Not reaped by us, nor by somebody else: the number is the child's.
        if ended.is_none() && !is_dead(self.pid)? {
            return match kill_process(self.pid, signal) {
                Ok(()) | Err(Errno::SRCH) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
        Ok(())
    }

    /// Kills the child and whatever it started that is still in its process group. Nothing happens if it was reaped.
    pub fn kill_group(&self) -> io::Result<()> {
        let ended = self.lock();
        if ended.is_none() {
            // Fails if somebody else has reaped the child: its number may be a stranger's now.
            is_dead(self.pid)?;
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

/// A handle for children that watch over their parent: the end of a pipe whose other end nobody has but this process. See
/// `entry::watch_parent` for what they make of it.
pub fn parent_handle() -> io::Result<Handle> {
    let (reader, writer) = close_on_exec_pipe()?;
    // Open until this process ends.
    std::mem::forget(writer);
    Ok(reader)
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

/// Whether the child is dead. It stays a zombie.
fn is_dead(child: Pid) -> io::Result<bool> {
    // SAFETY: duty: all-zero bytes are valid: a C struct of integers and nullable pointers.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    let number = libc::id_t::from(child.as_raw_nonzero().get().cast_unsigned());
    // SAFETY: duty: a valid pointer: a live local.
    let result = unsafe { libc::waitid(libc::P_PID, number, &raw mut info, options) };
    if result != 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) };
    }
    // SAFETY: duty: the field is that of a child's end: zero (from `zeroed`) or written by the call above.
    Ok(unsafe { info.si_pid() } != 0)
}

/// Reaps the child: how it ended and its peak memory in bytes; `None` while it lives.
fn wait_for(child: Pid) -> io::Result<Option<(Status, u64)>> {
    let mut status = 0;
    // SAFETY: duty: all-zero bytes are valid: a C struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let number = child.as_raw_nonzero().get();
    // SAFETY: duty: valid pointers: live locals.
    match unsafe { libc::wait4(number, &raw mut status, libc::WNOHANG, &raw mut usage) } {
        -1 => {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted { Ok(None) } else { Err(error) }
        }
        0 => Ok(None),
        _ => {
            let status = if libc::WIFSIGNALED(status) {
                Status::Signal(libc::WTERMSIG(status))
            } else {
                Status::Code(libc::WEXITSTATUS(status))
            };
            Ok(Some((status, bytes(usage.ru_maxrss))))
        }
    }
}

fn own_peak_rss() -> u64 {
    // SAFETY: duty: all-zero bytes are valid: a C struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: duty: a valid pointer: a live local.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    bytes(usage.ru_maxrss)
}

/// In the unit in which the system counts.
fn bytes(count: libc::c_long) -> u64 {
    u64::try_from(count).unwrap_or(0) * leaf::MAXRSS_UNIT
}

#[cfg(test)]
#[path = "../process_tests.rs"]
mod tests;
