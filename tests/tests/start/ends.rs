//! How a process ended.

use crate::kinds::{End, Kind, Order, Place, one};
use crate::{How, all};
use mp::JoinHandle;
use mp_tests::{died_of, lives, scenario, until};
use std::time::Duration;

#[mp::task]
fn strike(kind: Kind) {
    kind.strike(false);
}

#[mp::task]
fn double(x: u64) -> u64 {
    2 * x
}

#[mp::task]
fn wait_for_ever() {
    loop {
        std::thread::park();
    }
}

#[test]
fn the_end_of_a_process_is_told_exactly() {
    scenario(|| {
        for &how in all() {
            let context = how.context();
            let process = context.spawn(double, (21,)).unwrap();
            process.wait().unwrap();
            assert_eq!(process.exit_status().unwrap().code(), Some(0));
            assert_eq!(process.join().unwrap(), 42);
            for kind in Kind::deadly() {
                let process = context.process(strike, (kind,)).env_remove("RUST_BACKTRACE").start().unwrap();
                process.wait().unwrap();
                let code = process.exit_status().unwrap().code();
                let error = process.join().unwrap_err();
                if kind == Kind::Panic {
                    assert_eq!(error.panic().unwrap().message, "struck by Panic", "{how:?}");
                    assert_eq!(code, Some(101), "{how:?}");
                } else {
                    kind.check_death(error.worker_lost().unwrap());
                }
            }
        }
    });
}

#[test]
fn signals_reach_a_process_however_it_was_started() {
    scenario(|| {
        for &how in all() {
            let context = how.context();
            let check = |send: fn(&JoinHandle<()>), name: &str| {
                let process = context.spawn(wait_for_ever, ()).unwrap();
                let pid = process.pid();
                assert!(mp::active_children().iter().any(|child| child.pid == pid));
                assert!(process.wait_timeout(Duration::ZERO).is_err());
                send(&process);
                process.wait().unwrap();
                assert!(died_of(process.exit_status().unwrap(), name), "{how:?}");
                assert!(!lives(pid));
            };
            check(|process| process.terminate().unwrap(), "SIGTERM");
            check(|process| process.kill().unwrap(), "SIGKILL");
            // Dropped while it runs: a daemon goes on until it is told.
            let process = context.spawn(double, (1,)).unwrap();
            let pid = process.pid();
            drop(process);
            until(|| !lives(pid) && !mp::active_children().iter().any(|child| child.pid == pid));
        }
    });
}

/// Until it is a process of its own, a copy of a fork server has what that does with SIGINT, a fork what this program does, and a new
/// process what this program ignores.
#[cfg(unix)]
#[test]
fn an_interrupt_reaches_a_process_that_has_just_been_started() {
    scenario(|| {
        for ignored in [false, true] {
            for &how in all() {
                let context = how.context();
                for _ in 0..20 {
                    let before = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
                    // SAFETY: duty: a valid handler: both are.
                    let before = unsafe { libc::signal(libc::SIGINT, before) };
                    let process = context.spawn(wait_for_ever, ());
                    // SAFETY: duty: a valid handler: it was there before.
                    unsafe { libc::signal(libc::SIGINT, before) };
                    let process = process.unwrap();
                    process.interrupt().unwrap();
                    assert!(died_of(process.wait().unwrap(), "SIGINT"), "{how:?}, ignored: {ignored}");
                }
            }
        }
    });
}

#[cfg(unix)]
#[test]
fn an_interrupt_reaches_the_processes_of_a_program_that_blocks_it() {
    scenario(|| {
        for &how in all() {
            let context = how.context();
            // SAFETY: duty: valid sets: all-zero bytes are one, made empty before it is used.
            let before = unsafe {
                let (mut set, mut before): (libc::sigset_t, libc::sigset_t) = std::mem::zeroed();
                libc::sigemptyset(&raw mut set);
                libc::sigaddset(&raw mut set, libc::SIGINT);
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before);
                before
            };
            let process = context.spawn(wait_for_ever, ());
            // SAFETY: duty: a valid set: what was there before.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
            let process = process.unwrap();
            process.interrupt().unwrap();
            assert!(died_of(process.wait().unwrap(), "SIGINT"), "{how:?}");
        }
    });
}

#[test]
fn a_worker_that_dies_fails_one_item_with_its_own_status() {
    scenario(|| {
        for &how in all() {
            let pool = how.context().pool_builder().workers(2).env_remove("RUST_BACKTRACE").build().unwrap();
            for kind in Kind::deadly() {
                let end = End { place: Place::Running, kind, aloud: kind == Kind::Abort && how != How::Fork };
                let error = pool.apply(one, (Order { number: 1, end: Some(end) },)).unwrap_err();
                kind.check(&error, "one", None, end.aloud);
                let values = pool.map(double, 0..20_u64).unwrap();
                assert_eq!(values, (0..20).map(|x| 2 * x).collect::<Vec<_>>(), "{how:?}");
            }
            until(|| {
                let there = pool.workers();
                pool.apply(double, (1,)).unwrap();
                there.len() == 2 && there.iter().all(|worker| lives(worker.pid))
            });
        }
    });
}

/// A system that reaps the children itself knows how they ended (Linux since 6.15), or the report says why nobody does.
/// Whether the kernel keeps for sure how a process ended that somebody else has reaped: Linux since 6.15.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
fn keeps_ends() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers =
        release.split(|byte: char| !byte.is_ascii_digit()).map_while(|word| word.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (6, 15) && !mp_tests::is_emulated()
}

#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[test]
fn how_a_process_ended_is_told_or_its_being_unknown_explained_where_sigchld_is_ignored() {
    scenario(|| {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_start_odd")).arg("deaths").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let known = |line: &str| line.contains("died with exit code 3");
        let explained = |line: &str| line.contains("unknown") && line.contains("ignores SIGCHLD");
        // qemu-user has no fork server.
        assert_eq!(said.lines().count(), if mp_tests::is_emulated() { 2 } else { 4 }, "{said}");
        let must_be_known = keeps_ends();
        assert!(said.lines().all(|line| known(line) || !must_be_known && explained(line)), "{said}");
    });
}
