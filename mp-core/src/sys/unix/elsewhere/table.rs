//! The processes of the system.

use super::descendants::Seen;
use rustix::process::{Signal, kill_process, kill_process_group};

pub use super::leaf::table::{living, look};

/// Sends `signal` to `process` if it still is who it was; to all of its group if it leads one.
///
/// The number stays its own between the look and the signal: its parent is this process or has been stopped, and nobody else
/// can reap it.
pub fn signal(process: Seen, signal: Signal) {
    if look(process.pid).is_some_and(|now| now.started == process.started) {
        let _ = kill_process(process.pid, signal);
        // Only the group that it leads has its number.
        let _ = kill_process_group(process.pid, signal);
    }
}
