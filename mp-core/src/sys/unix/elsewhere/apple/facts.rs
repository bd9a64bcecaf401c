//! What is asked of macOS in a line or two.

use super::info;
use std::io;

/// macOS counts peak memory in bytes.
pub const MAXRSS_UNIT: u64 = 1;

/// How many threads this process has.
pub fn threads() -> Option<usize> {
    const TASK: libc::c_int = libc::PROC_PIDTASKINFO;
    let task = info::of::<libc::proc_taskinfo>(std::process::id().cast_signed(), TASK, 0).ok()?;
    usize::try_from(task.pti_threadnum).ok()
}

/// There is no signal for it.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
pub fn ask_for_parents_death() -> io::Result<()> {
    Ok(())
}
