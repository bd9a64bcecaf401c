//! What a child does to itself first, before it serves.

use super::process::exit_now;
use super::socket::Socket;
use super::unsupported;
use std::ffi::OsStr;
use std::io;

/// Whether this process was started with `marker` as its last argument. Works before `main`.
pub fn is_worker(marker: &str) -> bool {
    std::env::args_os().last().is_some_and(|last| last == OsStr::new(marker))
}

/// Takes the marker off the arguments; whether it was there.
pub fn hide_marker(_: &str) -> io::Result<bool> {
    Err(unsupported())
}

/// Takes the control channel that the parent handed over.
pub fn take_channel() -> io::Result<Socket> {
    Err(unsupported())
}

/// Makes Ctrl-C do nothing here.
pub fn ignore_interrupt() -> io::Result<()> {
    Err(unsupported())
}

/// Makes Ctrl-C end this process.
pub fn heed_interrupt() -> io::Result<()> {
    Err(unsupported())
}

/// Nothing to do: writing to a closed pipe is an error here, never a signal.
pub fn ignore_sigpipe() -> io::Result<()> {
    Ok(())
}

/// Nothing to do: the job object ends a child whose parent is gone.
pub fn die_with_parent() -> io::Result<()> {
    Ok(())
}

/// Nothing to do: the job object ends any child.
pub fn end_with_parent(_: u32) -> io::Result<()> {
    Ok(())
}

/// Nothing to do: the job object needs no thread of ours.
pub fn heed_parents_death(_: u32) -> io::Result<()> {
    Ok(())
}

/// This process goes on without its parent.
pub fn outlive_parent() {}

/// Whether the parent is gone.
pub fn is_orphaned() -> bool {
    false
}

/// Nothing to do: nobody outlives the job object.
pub fn hold_other_threads(_: usize) {}

/// Nothing to do: the job object ends descendants too.
pub fn kill_descendants() {}

/// Ends this process; the job object ends what it started.
pub fn kill_own_group_and_exit() -> ! {
    exit_now(1)
}

/// Names this thread for debuggers.
pub fn set_name(_: &str) -> io::Result<()> {
    Err(unsupported())
}
