//! No orphan, no litter: promise 3.

use crate::scratch::Scratch;
use mp_tests::{Random, lives, scenario, until};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Processes of a whole `family_tree`: itself, 6 workers, a process, a nested worker, and 3 `sleep`s.
const WHOLE: usize = 12;

/// In the environment of everybody in a family.
const MARKER: &str = "MP_TESTS_FAMILY";

/// The mark of a new family.
pub fn new_mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Has `command` and all that come from it carry a mark.
pub fn mark<'a>(command: &'a mut Command, mark: &str) -> &'a mut Command {
    command.env(MARKER, mark)
}

/// The living processes with this mark.
pub fn family(mark: &str) -> BTreeSet<u32> {
    let wanted = format!("{MARKER}={mark}");
    let is_ours = |pid: &u32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_ours).filter(|pid| lives(*pid)).collect()
}

fn kill(pid: u32) {
    // It may have died by itself meanwhile.
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL);
}

fn start_tree(name: &str, temporary: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_family_tree"));
    mark(&mut command, name).env("TMPDIR", temporary);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until nobody of the family lives, and looks for files.
fn check_gone(name: &str, scratch: &Scratch) -> Duration {
    let begun = Instant::now();
    until(|| family(name).is_empty());
    let left: Vec<_> = fs::read_dir(scratch.file("")).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "temporary files: {left:?}");
    begun.elapsed()
}

#[test]
fn nothing_is_left_of_a_family_whose_parent_is_killed_at_any_moment() {
    for _ in 0..crate::rounds(1) {
        scenario(|| {
            let mut random = Random::new();
            let mut longest = Duration::ZERO;
            for round in 0..20 {
                let (name, scratch) = (new_mark(), Scratch::new());
                let mut parent = start_tree(&name, &scratch.file(""));
                if round % 2 == 0 {
                    until(|| family(&name).len() == WHOLE);
                } else {
                    // Not to wait for anything: any moment will do.
                    thread::sleep(Duration::from_micros(random.below(40_000)));
                }
                kill(parent.id());
                parent.wait().unwrap();
                longest = longest.max(check_gone(&name, &scratch));
            }
            println!("the last one was gone after {longest:?}");
        });
    }
}

#[test]
fn nothing_is_left_of_a_family_that_is_killed_all_at_once() {
    scenario(|| {
        for _ in 0..3 {
            let (name, scratch) = (new_mark(), Scratch::new());
            let mut parent = start_tree(&name, &scratch.file(""));
            until(|| family(&name).len() == WHOLE);
            family(&name).into_iter().for_each(kill);
            parent.wait().unwrap();
            check_gone(&name, &scratch);
        }
    });
}

#[test]
fn a_worker_whose_stderr_stands_still_does_not_outlive_its_parent() {
    scenario(|| {
        let name = new_mark();
        let mut command = Command::new(env!("CARGO_BIN_EXE_family_tree"));
        mark(&mut command, &name).arg("chatty").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut parent = command.spawn().unwrap();
        let unread = parent.stderr.take().unwrap();
        // 16 pages of a chunk each: there is no room for one more.
        until(|| rustix::io::ioctl_fionread(&unread).unwrap() > 40_000);
        kill(parent.id());
        parent.wait().unwrap();
        until(|| family(&name).is_empty());
        drop(unread);
    });
}

/// Starts `sleep`, says which process that is, and waits for it.
#[mp::task]
fn sleeper(says: PathBuf) {
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    fs::write(says.with_extension("new"), child.id().to_string()).unwrap();
    fs::rename(says.with_extension("new"), says).unwrap();
    child.wait().unwrap();
}

/// Does the same in a pool of its own.
#[mp::task]
fn nested_sleeper(says: PathBuf) {
    let _ = mp::Pool::new(1).unwrap().apply(sleeper, (says,));
}

fn said(says: &Path) -> u32 {
    until(|| says.exists());
    fs::read_to_string(says).unwrap().parse().unwrap()
}

#[test]
fn what_a_task_started_is_gone_with_its_killed_worker() {
    scenario(|| {
        for deep in [false, true] {
            let scratch = Scratch::new();
            let says = scratch.file("pid");
            let pool = mp::Pool::new(1).unwrap();
            let worker = pool.workers()[0].pid;
            let handle = if deep {
                pool.apply_async(nested_sleeper, (says.clone(),))
            } else {
                pool.apply_async(sleeper, (says.clone(),))
            };
            let sleep = said(&says);
            kill(worker);
            assert!(handle.wait().unwrap_err().is_worker_lost());
            until(|| !lives(sleep));
        }
    });
}

#[test]
fn what_a_task_started_is_gone_with_its_terminated_pool() {
    scenario(|| {
        for deep in [false, true] {
            let scratch = Scratch::new();
            let says = scratch.file("pid");
            let pool = mp::Pool::new(1).unwrap();
            let handle = if deep {
                pool.apply_async(nested_sleeper, (says.clone(),))
            } else {
                pool.apply_async(sleeper, (says.clone(),))
            };
            let sleep = said(&says);
            pool.terminate();
            assert!(handle.wait().unwrap_err().is_closed());
            until(|| !lives(sleep));
        }
    });
}
