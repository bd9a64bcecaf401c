//! Whether a process that is no child of ours lives.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// One life of a process: its number, and the time it was started, so that the number's next owner is another one. Not
/// zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life(pub u64);

/// Linux gives numbers below 2²². What is left counts hundredths of a second since the machine was started.
const START_BITS: u32 = 42;

/// This process; `None` if the system does not tell.
pub fn this_life() -> Option<Life> {
    match THIS.load(Relaxed) {
        0 => {
            let life = look(std::process::id())?;
            THIS.store(life.0, Relaxed);
            Some(life)
        }
        known => Some(Life(known)),
    }
}

/// The life of this process, or 0 while nobody has asked.
static THIS: AtomicU64 = AtomicU64::new(0);

/// A copy of a process has a life of its own.
pub(super) fn forget() {
    THIS.store(0, Relaxed);
}

/// Whether the process lives. A zombie does not.
pub fn is_alive(life: Life) -> bool {
    look((life.0 >> START_BITS) as u32) == Some(life)
}

fn look(pid: u32) -> Option<Life> {
    // By way of its first thread: about `/proc/PID/stat` of the process that asks, qemu-user tells a story of its own.
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/stat")).ok()?;
    // "pid (name) state ..": the name may hold anything, so the fields count from the last parenthesis.
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?;
    // Field 22 of proc(5); the state was the 3rd.
    let started: u64 = fields.nth(18)?.parse().ok()?;
    let life = u64::from(pid) << START_BITS | started & ((1 << START_BITS) - 1);
    (state != "Z" && state != "X").then_some(Life(life))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_another_start_of_its_number_does_not() {
        let life = this_life().expect("/proc is mounted");
        assert!(is_alive(life));
        assert!(!is_alive(Life(life.0 ^ 1)));
    }
}
