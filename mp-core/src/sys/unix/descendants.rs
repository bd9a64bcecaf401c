//! The end of a process that takes everything it started with it.

use super::platform::process::exit_now;
use super::platform::table;
use rustix::process::{Pid, Signal, getpgrp, getpid, kill_current_process_group};
use rustix::thread::{Timespec, nanosleep};
use std::collections::HashMap;

/// A process that cannot be stopped (it belongs to somebody else, it waits for a disk) is looked at so many times.
const LOOKS_MAX: u32 = 100;

/// How long a process gets to stop between two looks.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// Kills every process below this one, whatever group or session it is in.
///
/// It stops them all before it kills any: one that is killed while it starts another would leave that one behind, with
/// nothing to show where it came from. A process whose parent had already ended belongs to nobody and is not found here;
/// most of those are still in our group, see [`kill_own_group_and_exit`].
pub fn kill_descendants() {
    for look in 0..LOOKS_MAX {
        // Once also who seems to be: of some the table does not say what their threads do.
        let moving: Vec<Seen> =
            living_descendants().into_iter().filter(|seen| look == 0 || !seen.stopped).collect();
        if moving.is_empty() {
            break;
        }
        for seen in moving {
            stop(seen);
        }
        let _ = nanosleep(&LOOK_EVERY);
    }
    // The deepest first: the kernel wakes workers of ours whose parent dies.
    for seen in living_descendants().into_iter().rev() {
        table::signal(seen, Signal::KILL);
    }
}

/// Stops a process that was seen below this one. One that has lost its parent since then is not found below us any more, and the
/// kernel may have woken it up before we stopped it, so that it can look after its end: it goes on.
fn stop(seen: Seen) {
    table::signal(seen, Signal::STOP);
    if table::look(seen.pid).is_some_and(|now| now.parent != seen.parent) {
        table::signal(seen, Signal::CONT);
    }
}

/// Kills this process's group and with it this process. A process that does not lead its group (nobody made one for
/// it) ends alone.
pub fn kill_own_group_and_exit() -> ! {
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    exit_now(1)
}

/// A process as the system's table shows it. The start time tells it from a later one with the same number.
#[derive(Clone, Copy, PartialEq)]
pub struct Seen {
    pub pid: Pid,
    pub parent: i32,
    /// In whatever unit the system counts.
    pub started: u64,
    pub stopped: bool,
}

fn living_descendants() -> Vec<Seen> {
    let mut children: HashMap<i32, Vec<Seen>> = HashMap::new();
    for seen in table::living() {
        children.entry(seen.parent).or_default().push(seen);
    }
    let mut found = children.remove(&Pid::as_raw(Some(getpid()))).unwrap_or_default();
    let mut next = 0;
    while let Some(seen) = found.get(next) {
        // Removed, so that a circle (numbers reused while we read) ends.
        let below = children.remove(&Pid::as_raw(Some(seen.pid))).unwrap_or_default();
        found.extend(below);
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_sees_itself_and_its_children_below_it() {
        let ourselves = table::look(getpid()).expect("we live");
        assert_eq!(ourselves.parent, Pid::as_raw(rustix::process::getppid()));
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep exists");
        let seen = living_descendants()
            .into_iter()
            .find(|seen| Pid::as_raw(Some(seen.pid)) == child.id().cast_signed());
        let seen = seen.expect("our child");
        table::signal(Seen { started: seen.started + 1, ..seen }, Signal::KILL);
        assert!(
            child.try_wait().expect("our child").is_none(),
            "somebody else with the same number is spared"
        );
        table::signal(seen, Signal::KILL);
        child.wait().expect("our child");
        assert!(table::look(seen.pid).is_none());
    }

    #[test]
    fn a_process_that_has_lost_its_parent_is_not_left_stopped() {
        let (ours, theirs) = std::io::pipe().expect("descriptors are left");
        let mut child = std::process::Command::new("cat").stdin(ours).spawn().expect("cat exists");
        let pid = Pid::from_raw(child.id().cast_signed()).expect("a process");
        let mut seen = table::look(pid).expect("it lives");
        // As it was while its parent, some other process, still lived.
        seen.parent += 1;
        stop(seen);
        drop(theirs);
        while child.try_wait().expect("our child").is_none() {
            if table::look(pid).is_some_and(|now| now.stopped) {
                child.kill().expect("our child");
                child.wait().expect("our child");
                panic!("nobody is left who would wake it up");
            }
        }
    }
}
