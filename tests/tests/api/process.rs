//! `Process`, `spawn` and the handle of a process.

use crate::gate::{Gate, knock, wait_at};
use mp::{ErrorKind, JoinHandle, Pool, Process, spawn};
use mp_tests::{is_emulated, lives, living_children, scenario, until};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{Read, Write};
use std::time::Duration;

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
fn exit_with(code: i32) -> u8 {
    std::process::exit(code)
}

#[mp::task]
fn abort_now() {
    std::process::abort()
}

#[mp::task]
fn panic_with(message: String) -> u8 {
    panic!("{message}")
}

#[mp::task]
fn surroundings(name: &str) -> (Option<String>, String) {
    println!("to stdout");
    eprintln!("to stderr");
    (std::env::var(name).ok(), std::env::current_dir().unwrap().to_str().unwrap().to_owned())
}

/// Starts a process that waits at the gate and ends without waiting for it.
#[mp::task]
fn start_and_leave(gate: &str, daemon: bool) -> u32 {
    Process::new(wait_at, (gate, 1)).daemon(daemon).start().unwrap().pid()
}

/// Goes on until it is killed.
#[mp::task]
fn stay(gate: &str) {
    knock(gate, 0);
    loop {
        std::thread::park();
    }
}

fn held(gate: &Gate) -> JoinHandle<i64> {
    spawn(wait_at, (gate.name(), 7)).unwrap()
}

#[test]
fn a_process_returns_what_its_task_returns() {
    scenario(|| {
        assert_eq!(spawn(square, (7,)).unwrap().join().unwrap(), 49);
        assert_eq!(Process::new(square, (8,)).start().unwrap().join().unwrap(), 64);
        let handles: Vec<_> = (0..10).map(|x| spawn(square, (x,)).unwrap()).collect();
        assert!(handles.into_iter().map(|handle| handle.join().unwrap()).eq((0..10).map(|x| x * x)));
    });
}

#[test]
fn a_running_process_is_alive_and_has_no_status() {
    scenario(|| {
        let gate = Gate::new();
        let process = Process::new(wait_at, (gate.name(), 7)).name("held").start().unwrap();
        let guest = gate.guest();
        assert_eq!((process.pid(), process.name()), (guest.pid, "held"));
        assert!(process.is_alive() && process.exit_status().is_none());
        for timeout in [Duration::ZERO, Duration::from_millis(5)] {
            let error = process.wait_timeout(timeout).unwrap_err();
            assert!(error.is_timeout() && error.to_string().contains("\"held\""), "{error}");
            assert!(process.join_timeout(timeout).unwrap_err().is_timeout());
        }
        drop(guest);
        assert!(process.wait().unwrap().success());
        assert!(process.wait().unwrap().success(), "and again");
        assert!(!process.is_alive() && process.exit_status().unwrap().code() == Some(0));
        assert_eq!(process.join_timeout(Duration::MAX).unwrap(), 7);
        assert_eq!(process.join().unwrap_err().kind(), ErrorKind::AlreadyTaken);
    });
}

#[test]
fn a_process_that_exits_in_the_middle_has_failed() {
    scenario(|| {
        for code in [0, 1, 7, 255] {
            let process = spawn(exit_with, (code,)).unwrap();
            let status = process.wait().unwrap();
            assert_eq!((status.code(), status.signal(), status.success()), (Some(code), None, code == 0));
            assert_eq!(status.to_string(), format!("exit code {code}"));
            let error = process.join().unwrap_err();
            let lost = error.worker_lost().unwrap();
            assert_eq!((error.kind(), lost.status), (ErrorKind::WorkerLost, Some(status)));
            assert!(error.to_string().contains("exit_with") && lost.ran_for.is_some(), "{error}");
        }
    });
}

#[test]
fn a_panic_comes_back_with_message_and_place() {
    scenario(|| {
        let process = spawn(panic_with, ("oh no",)).unwrap();
        let pid = process.pid();
        assert_eq!(process.wait().unwrap().code(), Some(101));
        let error = process.join().unwrap_err();
        let report = error.panic().unwrap();
        assert_eq!((report.message.as_str(), report.pid, report.worker), ("oh no", pid, None));
        assert!(report.location.as_ref().unwrap().starts_with(&format!("{}:", file!())), "{report:?}");
        assert!(report.task.ends_with("panic_with") && error.is_panic(), "{report:?}");
    });
}

// There are no signals on Windows.
#[cfg(not(windows))]
#[test]
fn a_signal_is_told_by_name() {
    scenario(|| {
        let check = |end: fn(&JoinHandle<i64>) -> Result<(), mp::Error>, number: i32, name: &str| {
            let gate = Gate::new();
            let process = held(&gate);
            let guest = gate.guest();
            end(&process).unwrap();
            let status = process.wait().unwrap();
            assert_eq!(
                (status.code(), status.signal(), status.signal_name()),
                (None, Some(number), Some(name))
            );
            assert!(!status.success() && status.to_string().contains(name));
            end(&process).expect("a process that has ended is no error");
            let error = process.join().unwrap_err();
            assert!(error.is_worker_lost() && error.to_string().contains(name), "{error}");
            drop(guest);
        };
        check(JoinHandle::terminate, 15, "SIGTERM");
        check(JoinHandle::kill, 9, "SIGKILL");
        check(JoinHandle::interrupt, 2, "SIGINT");
        let status = spawn(abort_now, ()).unwrap().wait().unwrap();
        assert_eq!(status.signal_name(), Some("SIGABRT"));
    });
}

#[test]
fn a_process_that_is_ended_says_by_what() {
    scenario(|| {
        for (end, name) in [(JoinHandle::terminate as fn(&_) -> _, "SIGTERM"), (JoinHandle::kill, "SIGKILL")]
        {
            let gate = Gate::new();
            let process = held(&gate);
            let guest = gate.guest();
            end(&process).unwrap();
            assert!(mp_tests::died_of(process.wait().unwrap(), name));
            end(&process).expect("a process that has ended is no error");
            assert!(process.join().unwrap_err().is_worker_lost());
            drop(guest);
        }
        assert!(mp_tests::died_of(spawn(abort_now, ()).unwrap().wait().unwrap(), "SIGABRT"));
    });
}

#[test]
fn a_process_may_be_ended_before_it_has_begun() {
    scenario(|| {
        let ends = [JoinHandle::kill, JoinHandle::terminate, JoinHandle::interrupt];
        // An interrupt needs a console there.
        let ends = if cfg!(windows) { &ends[..2] } else { &ends[..] };
        for end in ends {
            let process = spawn(exit_with, (5,)).unwrap();
            end(&process).unwrap();
            let status = process.wait().unwrap();
            assert!(!status.success(), "{status}");
            let error = process.join().unwrap_err();
            let lost = error.worker_lost().unwrap();
            // It may have come to its task: only then it ran, and nobody is asked about `main`.
            assert!(!error.to_string().contains("main!"), "{error}");
            assert_eq!(lost.ran_for.is_some(), lost.remark.is_none(), "{error}");
        }
    });
}

#[test]
fn a_process_that_has_ended_can_be_detached() {
    scenario(|| {
        let process = spawn(exit_with, (5,)).unwrap();
        assert_eq!(mp::wait_any(&[&process.sentinel()], None).unwrap(), [0]);
        process.detach().unwrap();
    });
}

#[test]
fn the_sentinel_is_readable_from_the_end_on() {
    scenario(|| {
        let gate = Gate::new();
        let process = held(&gate);
        let guest = gate.guest();
        let sentinel = process.sentinel();
        #[cfg(not(windows))]
        let ready = |timeout: Option<Duration>| {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let timeout = timeout.map(|timeout| Timespec::try_from(timeout).unwrap());
            poll(&mut [PollFd::new(&sentinel, PollFlags::IN)], timeout.as_ref()).unwrap() == 1
        };
        #[cfg(windows)]
        let ready = |timeout| mp::wait_any(&[&sentinel], timeout).unwrap() == [0];
        assert!(!ready(Some(Duration::ZERO)));
        drop(guest);
        assert!(ready(None) && ready(Some(Duration::ZERO)));
        assert!(!process.is_alive());
    });
}

#[test]
fn a_process_has_the_surroundings_it_was_given() {
    scenario(|| {
        let there = fs::canonicalize(std::env::temp_dir()).unwrap();
        let (mut out, writer) = std::io::pipe().unwrap();
        let (mut err, other) = std::io::pipe().unwrap();
        let process = Process::new(surroundings, ("MP_TEST_P",)).env("MP_TEST_P", "v").current_dir(&there);
        let process = process.stdout(writer).stderr(other).start().unwrap();
        // In its long form on Windows.
        let there = there.to_str().unwrap().trim_start_matches(r"\\?\").to_owned();
        assert_eq!(process.join().unwrap(), (Some("v".to_owned()), there));
        let (mut text, mut complaint) = (String::new(), String::new());
        out.read_to_string(&mut text).unwrap();
        err.read_to_string(&mut complaint).unwrap();
        assert_eq!((text.as_str(), complaint.as_str()), ("to stdout\n", "to stderr\n"));
        let quiet = Process::new(surroundings, ("PATH",)).env_remove("PATH").stdout(mp::Output::Null);
        assert_eq!(quiet.stderr(mp::Output::Null).start().unwrap().join().unwrap().0, None);
    });
}

#[test]
fn a_process_that_cannot_be_started_says_why() {
    if is_emulated() {
        return; // qemu-user makes a fork of a vfork: the child's refusal comes too late for the parent
    }
    scenario(|| {
        let check = |process: Process<i64>, kind: ErrorKind, part: &str| {
            let error = process.start().unwrap_err();
            assert!(error.kind() == kind && error.to_string().contains(part), "{error}");
        };
        let new = || Process::new(square, (1,));
        check(new().current_dir("/no/such/place"), ErrorKind::Os, "in the directory \"/no/such/place\": ");
        check(new().env("abc", "\0"), ErrorKind::InvalidInput, "\"abc\" has a NUL in its value");
        check(new().name("a\0"), ErrorKind::InvalidInput, "NUL");
        assert!(living_children(std::process::id()).is_empty());
    });
}

#[test]
fn a_dropped_process_goes_on_and_is_reaped() {
    scenario(|| {
        let gate = Gate::new();
        let pids: Vec<u32> = (0..3).map(|_| held(&gate).pid()).collect();
        let guests: Vec<_> = (0..3).map(|_| gate.guest()).collect();
        assert!(pids.iter().all(|pid| lives(*pid)));
        assert_eq!(mp::active_children().len(), 3);
        drop(guests);
        // A zombie would still have its entry. (On Windows the number means another process, to a Wine that shows Linux's `/proc`.)
        let has_entry = |pid: &u32| cfg!(target_os = "linux") && fs::exists(format!("/proc/{pid}")).unwrap();
        until(|| pids.iter().all(|pid| !lives(*pid) && !has_entry(pid)));
    });
}

#[test]
fn a_child_that_ends_waits_for_its_children_and_kills_its_daemons() {
    scenario(|| {
        let gate = Gate::new();
        let process = spawn(start_and_leave, (gate.name(), false)).unwrap();
        let guest = gate.guest();
        assert!(process.wait_timeout(Duration::from_millis(20)).unwrap_err().is_timeout());
        drop(guest);
        assert!(!lives(process.join().unwrap()));
        let daemon = spawn(start_and_leave, (gate.name(), true)).unwrap().join().unwrap();
        assert!(!lives(daemon));
    });
}

#[test]
fn grandchildren_die_with_the_child() {
    #[mp::task]
    fn parent(gate: &str) {
        let process = spawn(stay, (gate,)).unwrap();
        let pool = mp::Pool::new(1).unwrap();
        let _ = pool.apply(stay, (gate,));
        drop(process);
    }
    scenario(|| {
        let gate = Gate::new();
        let process = spawn(parent, (gate.name(),)).unwrap();
        let guests = [gate.guest(), gate.guest()];
        process.kill().unwrap();
        process.wait().unwrap();
        until(|| guests.iter().all(|guest| !lives(guest.pid)));
    });
}

#[test]
fn a_process_can_be_printed() {
    scenario(|| {
        let unstarted = Process::new(square, (2,)).name("shown").daemon(true);
        assert!(format!("{unstarted:?}").contains("shown"));
        let process = unstarted.start().unwrap();
        process.wait().unwrap();
        assert!(format!("{process:?}").contains("exit code 0"), "{process:?}");
    });
}

#[test]
fn what_a_process_wrote_last_is_in_the_report_of_its_death() {
    #[mp::task]
    fn last_words() {
        std::io::stderr().write_all(b"good bye\n").unwrap();
        std::process::abort()
    }
    scenario(|| {
        let error = spawn(last_words, ()).unwrap().join().unwrap_err();
        assert!(error.worker_lost().unwrap().stderr_tail.contains("good bye"), "{error}");
    });
}

#[mp::task]
fn panic_at_once() {
    panic!("this panic is part of the test")
}

/// How the owner of a process that panics goes on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Owner {
    Joins,
    Waits,
    Drops,
    /// It has a scope, in which another one fails first.
    HasScope,
}

#[mp::task]
fn own(owner: Owner) {
    let process = Process::new(panic_at_once, ()).name("unlucky").start().unwrap();
    match owner {
        Owner::Joins => assert!(process.join().unwrap_err().is_panic()),
        Owner::Waits => assert_eq!(process.wait().unwrap().code(), Some(101)),
        // It is waited for at the end.
        Owner::Drops => drop(process),
        Owner::HasScope => {
            let failed = mp::scope(|scope| {
                scope.start(Process::new(panic_at_once, ()).name("first"))?;
                scope.start(Process::new(panic_at_once, ()).name("unlucky"))?;
                Ok(())
            });
            assert!(failed.unwrap_err().is_panic());
            assert!(process.join().unwrap_err().is_panic());
        }
    }
}

#[test]
fn a_panic_that_nobody_hears_of_is_written_to_stderr() {
    scenario(|| {
        for owner in [Owner::Joins, Owner::Waits, Owner::Drops, Owner::HasScope] {
            let (mut said, pipe) = std::io::pipe().unwrap();
            let process = Process::new(own, (owner,)).stderr(pipe).start().unwrap();
            let mut text = String::new();
            said.read_to_string(&mut text).unwrap();
            process.join().unwrap();
            let told = text
                .lines()
                .filter(|line| line.starts_with("mp: nobody joined the process \"unlucky\": "))
                .count();
            assert_eq!(told, usize::from(!matches!(owner, Owner::Joins)), "{owner:?}: {text}");
            assert!(told == 0 || text.contains("this panic is part of the test"), "{owner:?}: {text}");
        }
    });
}

/// Ends just when the processes of which it holds no handle have.
#[mp::task]
fn own_until_they_end(count: usize) {
    for _ in 0..count {
        drop(Process::new(panic_at_once, ()).start().unwrap());
    }
    while !mp::active_children().is_empty() {
        std::thread::yield_now();
    }
}

// It was told by a thread that did not get as far before its program had ended.
#[test]
fn a_program_that_ends_while_a_panic_is_written_to_stderr_lets_it_be_written() {
    scenario(|| {
        const COUNT: usize = 4;
        for round in 0..12 {
            let (mut said, pipe) = std::io::pipe().unwrap();
            let process = Process::new(own_until_they_end, (COUNT,)).stderr(pipe).start().unwrap();
            let mut text = String::new();
            said.read_to_string(&mut text).unwrap();
            process.join().unwrap();
            assert_eq!(text.matches("mp: nobody joined the process").count(), COUNT, "round {round}: {text}");
        }
    });
}

/// Panics so many times, and lives.
#[mp::task]
fn catches(times: u32) {
    for time in 1..=times {
        assert!(std::panic::catch_unwind(|| panic!("number {time}")).is_err());
    }
}

#[test]
fn a_panic_that_a_task_catches_is_written_to_stderr() {
    scenario(|| {
        let (mut said, pipe) = std::io::pipe().unwrap();
        let pool = Pool::builder().workers(1).stderr(pipe).build().unwrap();
        pool.apply(catches, (2,)).unwrap();
        pool.map(catches, [0, 1, 0]).unwrap();
        drop(pool);
        let mut text = String::new();
        said.read_to_string(&mut text).unwrap();
        let told: Vec<_> = text.lines().filter(|line| line.starts_with("mp: task `")).collect();
        for (line, number) in told.iter().zip([1, 2, 1]) {
            assert!(line.contains(&format!(": number {number} (")) && line.contains("catches"), "{text}");
        }
        assert_eq!(told.len(), 3, "{text}");
    });
}
