//! The processes of the system, as `/proc` shows them.

use super::super::descendants::Seen;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use std::fs::File;
use std::io::Read;

/// All that live.
pub fn living() -> Vec<Seen> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter_map(look).collect()
}

/// Sends `signal` to `process` if it still is who it was; to all of its group if it leads one.
pub fn signal(process: Seen, signal: Signal) {
    // With the handle open the number is pinned to whom it names: now look who that is.
    let Ok(handle) = pidfd_open(process.pid, PidfdFlags::empty()) else { return };
    if look(process.pid).is_some_and(|now| now.started == process.started) {
        let _ = pidfd_send_signal(&handle, signal);
        // Only the group that it leads has its number.
        let _ = kill_process_group(process.pid, signal);
    }
}

/// More than the kernel ever says of a process: it does so at once to who has room for it.
const STAT_BYTES: usize = 2048;

/// The process `pid`, unless it is dead.
pub fn look(pid: Pid) -> Option<Seen> {
    // By way of its first thread: about `/proc/PID/stat` of the process that asks, qemu-user tells a story of its own.
    let number = Pid::as_raw(Some(pid));
    let path = format!("/proc/{number}/task/{number}/stat");
    let mut bytes = [0; STAT_BYTES];
    let count = File::open(path).and_then(|mut file| file.read(&mut bytes)).ok()?;
    // "pid (name) state parent ..": the name may hold anything, so the fields count from the last parenthesis.
    let name_end = bytes.get(..count)?.iter().rposition(|byte| *byte == b')')?;
    let mut fields = str::from_utf8(&bytes[name_end + 1..count]).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // Fields 20 and 22 of proc(5); the parent was the 4th.
    let threads: u32 = fields.nth(15)?.parse().ok()?;
    let started = fields.nth(1)?.parse().ok()?;
    // Its first thread has ended, which is the one that is shown: nothing says whether the others have been stopped.
    let is_headless = state == "Z" && threads > 1;
    let lives = is_headless || (state != "Z" && state != "X");
    lives.then_some(Seen { pid, parent, started, stopped: state == "T" || is_headless })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_seen_whatever_its_name_is() {
        let ourselves = rustix::process::getpid();
        let seen = look(ourselves).expect("it lives");
        let name = std::fs::read("/proc/self/comm").expect("/proc is mounted");
        std::fs::write("/proc/self/comm", b"\xff) Z 1 (").expect("a name of our own");
        let renamed = look(ourselves);
        std::fs::write("/proc/self/comm", name.trim_ascii_end()).expect("a name of our own");
        assert!(renamed == Some(seen), "{:?}", renamed.map(|seen| (seen.parent, seen.started)));
    }
}
