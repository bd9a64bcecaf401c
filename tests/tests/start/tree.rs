//! No orphan: what is left of a program with a fork server that is killed.

use crate::about_copies;
use mp_tests::{Random, lives, until};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Processes of a whole family: the program, its server, 4 workers, a process, a nested server and its worker, and 3
/// `sleep`s.
const WHOLE: usize = 12;

/// In the environment of everybody in a family.
const MARKER: &str = "MP_TESTS_START";

fn family(mark: &str) -> BTreeSet<u32> {
    let wanted = format!("{MARKER}={mark}");
    let is_ours = |pid: &u32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_ours).filter(|pid| lives(*pid)).collect()
}

fn start(case: &str) -> (Child, String) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mark = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut command = Command::new(env!("CARGO_BIN_EXE_start_tree"));
    command.arg(case).env(MARKER, &mark).stdout(Stdio::null()).stderr(Stdio::null());
    (command.spawn().unwrap(), mark)
}

#[test]
fn nothing_is_left_of_a_family_with_a_fork_server_whose_program_is_killed_at_any_moment() {
    about_copies(|| {
        let mut random = Random::new();
        for round in 0..crate::rounds(16) {
            let (mut program, mark) = start("whole");
            if round % 2 == 0 {
                until(|| family(&mark).len() == WHOLE);
            } else {
                // Any moment will do.
                let (begun, wait) = (Instant::now(), Duration::from_micros(random.below(40_000)));
                until(|| begun.elapsed() > wait);
            }
            program.kill().unwrap();
            program.wait().unwrap();
            until(|| family(&mark).is_empty());
        }
    });
}

#[test]
fn a_server_that_preloads_for_ever_or_stands_still_does_not_outlive_its_program() {
    about_copies(|| {
        for case in ["preload", "stopped"] {
            let (mut program, mark) = start(case);
            // The program, its server, and what that one has started.
            until(|| family(&mark).len() == if case == "preload" { 3 } else { 2 });
            program.kill().unwrap();
            program.wait().unwrap();
            until(|| family(&mark).is_empty());
        }
    });
}

#[test]
fn a_stopped_server_does_not_outlive_its_program() {
    about_copies(|| {
        let (mut program, mark) = start("whole");
        until(|| family(&mark).len() == WHOLE);
        for pid in family(&mark) {
            if fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().starts_with("forkserver") {
                crate::server::signal(pid, Signal::STOP);
            }
        }
        program.kill().unwrap();
        program.wait().unwrap();
        until(|| family(&mark).is_empty());
    });
}

#[test]
fn a_server_that_starts_does_not_outlive_its_program_while_somebody_holds_its_channel() {
    about_copies(|| {
        let (mut program, mark) = start("held");
        program.wait().unwrap();
        // The copy that the program has left, which nobody ends, and no server.
        until(|| family(&mark).len() == 1);
        let holder = family(&mark).pop_first().unwrap();
        let arguments = fs::read_to_string(format!("/proc/{holder}/cmdline")).unwrap();
        assert!(!arguments.contains("--mp-worker"), "{arguments:?}");
        crate::server::signal(holder, Signal::KILL);
        until(|| family(&mark).is_empty());
    });
}
