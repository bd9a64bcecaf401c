//! How a program becomes its own worker, and how it ends: what only a program of its own can show.

#![allow(
    clippy::unwrap_used,
    reason = "tests and their tasks stop at the first thing that is not as it should be"
)]

mp::test_main!();

#[path = "api/gate.rs"]
#[allow(dead_code)] // only the side of the test is used here
mod gate;

use gate::Gate;
#[cfg(target_os = "linux")]
use mp_tests::{Signal, send};
use mp_tests::{is_emulated, lives, scenario, until};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_program");

/// Runs a program to its end.
fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(words);
    command
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A program that has printed its first lines and goes on.
struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn new(words: &[&str]) -> Self {
        let mut child = program(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child, out };
        assert_eq!(running.line(), "main runs");
        running
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn pids(&mut self) -> Vec<u32> {
        self.line().split(' ').map(|pid| pid.parse().unwrap()).collect()
    }

    /// Its exit code and the rest of what it printed.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        let code = self.child.wait().unwrap().code();
        self.out.read_to_string(&mut rest).unwrap();
        (code, rest)
    }
}

#[test]
fn main_runs_once_and_tasks_write_where_it_writes() {
    scenario(|| {
        let output = run(&mut program(&["say"]));
        assert!(output.status.success(), "{output:?}");
        assert_eq!(out(&output), "main runs\ntask: one\ntask: two\n");
        // The same words may come twice: a worker that exits between passing them on and noting so has them passed on again.
        let complaints = err(&output);
        let mut lines: Vec<&str> = complaints.lines().collect();
        lines.dedup();
        assert_eq!(lines, ["task on stderr: one", "task on stderr: two"]);
    });
}

#[test]
fn a_program_without_an_entry_is_told_which_line_to_add() {
    scenario(|| {
        let output = run(&mut Command::new(env!("CARGO_BIN_EXE_entry_missing")));
        let text = out(&output);
        let lines: Vec<&str> = text.lines().collect();
        for refused in &lines[..2] {
            for part in ["NoEntry", "add `mp::main!();` as the first line of `fn main`", "mp::test_main!();"]
            {
                assert!(refused.contains(part), "{part:?} is not in {refused}");
            }
        }
        assert_eq!(lines[2..], ["Ok([0, 1, 4])"], "threads need no entry");
        assert!(output.status.success(), "{output:?}");
    });
}

#[test]
fn workers_that_never_reach_the_entry_are_an_error_that_says_so() {
    scenario(|| {
        let output = run(&mut Command::new(env!("CARGO_BIN_EXE_entry_late")));
        let text = out(&output);
        let lines: Vec<&str> = text.lines().collect();
        assert!(output.status.success() && lines.len() == 2, "{output:?}");
        for (line, kind) in lines.iter().zip(["CrashLoop", "WorkerLost"]) {
            for part in [kind, "`mp::main!();`", "`mp::test_main!();` outside of any function"] {
                assert!(line.contains(part), "{part:?} is not in {line}");
            }
            assert!(!line.contains("after running"), "it ran nothing: {line}");
        }
    });
}

#[test]
fn the_last_words_of_a_process_that_ends_in_order_are_heard_once() {
    scenario(|| {
        let output = run(&mut program(&["say much"]));
        let expected: String = (0..100).map(|number| format!("task on stderr: number {number}\n")).collect();
        assert_eq!(err(&output), expected);
        assert!(output.status.success());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn the_end_of_a_worker_does_not_wait_for_a_stderr_that_nobody_empties() {
    scenario(|| {
        let gate = Gate::new();
        let running = Running::new(&["fill stderr", gate.name()]);
        let mut guests = Vec::from([(); 3].map(|()| gate.guest()));
        guests.retain(|guest| guest.pid != running.child.id());
        assert_eq!(guests.len(), 2, "the tasks stay");
        let (code, text) = running.end();
        assert!(text.starts_with("true ") && text.contains("last words"), "{text}");
        assert_eq!(code, Some(0));
    });
}

#[test]
fn the_entry_stands_above_or_below_the_attribute_of_a_runtime() {
    scenario(|| {
        for program in [env!("CARGO_BIN_EXE_entry_above"), env!("CARGO_BIN_EXE_entry_below")] {
            let output = run(&mut Command::new(program));
            assert_eq!(out(&output), "main runs\n9\n16\n", "{program}: {}", err(&output));
        }
    });
}

#[test]
fn two_tasks_with_one_name_are_an_error_that_names_both_places() {
    scenario(|| {
        let output = run(&mut Command::new(env!("CARGO_BIN_EXE_same_name")));
        let text = out(&output);
        assert_eq!(text.lines().count(), 3, "{output:?}");
        for line in text.lines() {
            for part in ["DuplicateTask", "\"shared.name\"", "same_name.rs:6", "same_name.rs:11"] {
                assert!(line.contains(part), "{part:?} is not in {line}");
            }
        }
    });
}

#[test]
fn a_worker_that_was_started_by_hand_says_so_and_ends() {
    if is_emulated() {
        return; // qemu-user has the arguments on a stack of its own, where the marker stays in sight
    }
    scenario(|| {
        for words in [&["--mp-worker"][..], &["say", "--mp-worker"]] {
            let output = run(&mut program(words));
            assert_eq!(output.status.code(), Some(64));
            assert!(out(&output).is_empty(), "main does not run");
            let text = err(&output);
            assert!(
                text.contains("started with --mp-worker") && text.contains("leave the argument away"),
                "{text}"
            );
            let piped = program(words).stdin(Stdio::piped()).output().unwrap();
            assert_eq!(piped.status.code(), Some(64));
        }
        let output = run(program(&["arguments", "--mp-worker", "last"]).stdin(Stdio::null()));
        assert_eq!(
            out(&output),
            "main runs\n[\"arguments\", \"--mp-worker\", \"last\"]\n",
            "only the last one counts"
        );
    });
}

#[test]
fn tasks_see_the_arguments_of_the_program() {
    if is_emulated() {
        return; // qemu-user has the arguments on a stack of its own, where the marker stays in sight
    }
    scenario(|| {
        let output = run(&mut program(&["arguments", "", "a b", "é", "--flag=x"]));
        assert_eq!(out(&output), "main runs\n[\"arguments\", \"\", \"a b\", \"é\", \"--flag=x\"]\n");
    });
}

#[test]
fn the_count_of_processors_can_be_told() {
    scenario(|| {
        let check = |told: &str, expected: &str| {
            let output = run(program(&["processors"]).env("MP_CPU_COUNT", told));
            assert_eq!(
                out(&output),
                format!("main runs\n{expected}\n"),
                "MP_CPU_COUNT={told}: {}",
                err(&output)
            );
        };
        check("6", "6 3\n6");
        check("1", "1 1\n1");
        let all = mp::cpu_count().get();
        for nonsense in ["", "0", "many", "-1"] {
            check(nonsense, &format!("{all} {}\n{all}", (all / 2).max(1)));
        }
    });
}

#[test]
fn a_detached_process_outlives_the_program() {
    scenario(|| {
        let gate = Gate::new();
        let mut running = Running::new(&["detach", gate.name()]);
        let pid = running.pids()[0];
        assert_eq!(running.child.wait().unwrap().code(), Some(0), "nobody waits for it");
        let guest = gate.guest();
        assert!(guest.pid == pid && lives(pid));
        drop(guest);
        until(|| !lives(pid));
    });
}

// Windows ends what a process started in the job that it is in.
#[cfg(target_os = "linux")]
#[test]
fn what_a_detached_process_started_outlives_it() {
    if is_emulated() {
        return; // qemu-user has threads of its own, which count
    }
    scenario(|| {
        let gate = Gate::new();
        let mut running = Running::new(&["detach with a child", gate.name()]);
        let guest = gate.guest();
        assert_eq!(running.child.wait().unwrap().code(), Some(0));
        // Its watch thread ends when it has heard that it is on its own.
        let threads = format!("/proc/{}/task", guest.pid);
        until(|| std::fs::read_dir(&threads).unwrap().count() == 1);
        let (pid, left) = (guest.pid, guest.word.try_into().unwrap());
        drop(guest);
        until(|| !lives(pid));
        assert!(lives(left));
        send(left, Signal::Kill).unwrap();
        until(|| !lives(left));
    });
}

#[test]
fn the_end_of_the_program_waits_for_processes_and_kills_daemons() {
    scenario(|| {
        let gate = Gate::new();
        let mut running = Running::new(&["leave", gate.name()]);
        let pids = running.pids();
        let mut guests = [gate.guest(), gate.guest(), gate.guest(), gate.guest()].map(Some);
        guests.sort_by_key(|guest| guest.as_ref().unwrap().word);
        let [waited, daemon, spawned, _] = guests.each_ref().map(|guest| guest.as_ref().unwrap().pid);
        assert_eq!(pids, [waited, daemon]);
        drop(guests[3].take());
        until(|| !lives(daemon) && !lives(spawned));
        assert!(lives(waited) && running.child.try_wait().unwrap().is_none());
        drop(guests);
        assert_eq!(running.end(), (Some(0), String::new()));
        assert!(!lives(waited));
    });
}

#[test]
fn no_worker_outlives_the_program_however_it_ends() {
    scenario(|| {
        let check = |what: &str, code: i32| {
            let gate = Gate::new();
            let mut running = Running::new(&[what, gate.name()]);
            let guest = gate.guest_now();
            assert_eq!(running.child.wait().unwrap().code(), Some(code), "{what}");
            let mut rest = String::new();
            // The end of the pipe: nobody has it open any more.
            running.out.read_to_string(&mut rest).unwrap();
            running.child.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
            assert!(guest.is_none_or(|guest| !lives(guest.pid)), "{what}");
        };
        check("leave a pool", 0);
        check("exit in main", 5);
        check("panic in main", 101);
    });
}

#[test]
fn a_killed_program_takes_its_processes_along() {
    scenario(|| {
        let gate = Gate::new();
        let mut running = Running::new(&["leave", gate.name()]);
        let guests = [gate.guest(), gate.guest(), gate.guest(), gate.guest()];
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        until(|| guests.iter().all(|guest| !lives(guest.pid)));
    });
}

// It takes a shell of Unix to start one.
#[cfg(not(windows))]
#[test]
fn a_program_without_standard_streams_works() {
    scenario(|| {
        let script = "exec \"$0\" 'closed streams' <&- 2>&-";
        let output = Command::new("sh").args(["-c", script, PROGRAM]).stdin(Stdio::null()).output().unwrap();
        assert_eq!(out(&output), "main runs\n[7, 7, 7]\n");
        let script = "\"$0\" 'closed streams' <&- >&- 2>&-; echo $?";
        let output = Command::new("sh").args(["-c", script, PROGRAM]).stdin(Stdio::null()).output().unwrap();
        assert_eq!(out(&output), "0\n");
    });
}

/// Its number goes to what `mp` makes next: what a task wrote to stderr went to another worker as an order then, and ended it.
#[cfg(not(windows))]
#[test]
fn a_program_that_closes_its_stderr_later_works() {
    scenario(|| {
        let gate = Gate::new();
        let running = Running::new(&["closed stderr", gate.name()]);
        let guests = [gate.guest(), gate.guest(), gate.guest()];
        drop((guests, gate));
        assert_eq!(running.end(), (Some(0), "task: something\ntask: something\n".to_owned()));
    });
}

#[test]
fn a_finalizer_that_fails_is_told_of_on_stderr_wherever_the_workers_live() {
    scenario(|| {
        let output = run(&mut program(&["finalizers"]));
        assert!(output.status.success(), "{output:?}");
        let told = ["p-0", "t-0", "i-0"].map(|worker| {
            format!("mp: the finalizer of the worker \"{worker}\" failed: it returned an error: the disk is full\n")
        });
        assert_eq!(err(&output), told.concat());
    });
}
