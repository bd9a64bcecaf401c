//! Whether a process that is no child of ours lives.

use super::platform::table;
use rustix::process::Pid;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// One life of a process: its number, and the time it was started, so that the number's next owner is another one. Not
/// zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life(pub u64);

/// No system gives numbers from 2²² on. What is left counts hundredths of a second on Linux, microseconds elsewhere.
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
#[cfg_attr(any(not(target_os = "linux"), mp_portable_unix), allow(dead_code, reason = "there are no copies"))]
pub(super) fn forget() {
    THIS.store(0, Relaxed);
}

/// Whether the process lives. A zombie does not.
pub fn is_alive(life: Life) -> bool {
    look((life.0 >> START_BITS) as u32) == Some(life)
}

fn look(pid: u32) -> Option<Life> {
    let seen = table::look(Pid::from_raw(pid.cast_signed())?)?;
    Some(Life(u64::from(pid) << START_BITS | seen.started & ((1 << START_BITS) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_another_start_of_its_number_does_not() {
        let life = this_life().expect("the system tells");
        assert!(is_alive(life));
        assert!(!is_alive(Life(life.0 ^ 1)));
    }
}
