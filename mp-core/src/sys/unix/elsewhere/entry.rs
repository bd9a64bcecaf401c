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

/// Moves the control channel away from descriptor 0.
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

/// Turns writing to a closed pipe into an error instead of a signal.
pub fn ignore_sigpipe() -> io::Result<()> {
    Err(unsupported())
}

/// Has the kernel wake this process up when its parent dies.
pub fn die_with_parent() -> io::Result<()> {
    Err(unsupported())
}

/// Ends this process when `parent` is dead.
pub fn end_with_parent(_: u32) -> io::Result<()> {
    Err(unsupported())
}

/// Has this thread stand still when `parent` is dead.
pub fn heed_parents_death(_: u32) -> io::Result<()> {
    Err(unsupported())
}

/// This process goes on without its parent.
pub fn outlive_parent() {}

/// Whether the parent is gone.
pub fn is_orphaned() -> bool {
    false
}

/// Has all other threads stand still.
pub fn hold_other_threads(_: usize) {}

/// Kills every process below this one.
pub fn kill_descendants() {}

/// Kills this process's group and with it this process.
pub fn kill_own_group_and_exit() -> ! {
    exit_now(1)
}

/// Names this thread for debuggers.
pub fn set_name(_: &str) -> io::Result<()> {
    Err(unsupported())
}
