//! Start, signal, reap a child.

use super::socket::Socket;
use super::{BorrowedHandle, Handle, borrow, unsupported};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use super::ending::{Ended, Status, signal_name};
pub use std::process::{Stdio, exit};

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
#[derive(Debug)]
pub struct Child {
    handle: Handle,
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

/// Starts a copy of this program.
pub fn spawn(_: Spawn) -> io::Result<Child> {
    Err(unsupported())
}

/// A child that a copy of this program has made for us.
pub fn adopt(_: u32) -> io::Result<Child> {
    Err(unsupported())
}

/// A handle of this process itself, for children that watch over their parent.
pub fn parent_handle() -> io::Result<Handle> {
    Err(unsupported())
}

/// Ends this process at once.
pub fn exit_now(code: i32) -> ! {
    exit(code)
}

/// Has `handler` called when this process exits in an orderly way.
pub fn on_exit(_: extern "C" fn()) -> io::Result<()> {
    Err(unsupported())
}

impl Child {
    /// The child's number, for people and logs.
    pub fn pid(&self) -> u32 {
        0
    }

    /// A handle that is ready from the child's death on.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        borrow(&self.handle)
    }

    /// How the child ended, if it has.
    pub fn try_reap(&self) -> io::Result<Option<Ended>> {
        Err(unsupported())
    }

    /// Waits for the child's death, at most `timeout`.
    pub fn reap(&self, _: Option<Duration>) -> io::Result<Option<Ended>> {
        Err(unsupported())
    }

    /// Asks the child alone.
    pub fn signal(&self, _: Signal) -> io::Result<()> {
        Err(unsupported())
    }

    /// Kills the child and whatever it started.
    pub fn kill_group(&self) -> io::Result<()> {
        Err(unsupported())
    }

    /// Nothing to do: a child that hears that it may outlive us does so.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // the signature is that of systems where there is
    pub fn disown(&self) -> io::Result<()> {
        Ok(())
    }
}
