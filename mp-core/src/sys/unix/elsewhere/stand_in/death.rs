//! A handle that is readable from a process's death on: a pidfd.

use super::Handle;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;

/// Watches a process. It may be dead already; that it is the one meant is for the caller to know.
pub fn watch(pid: u32) -> io::Result<Handle> {
    let pid = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}
