//! `scope`: nothing that was started in it goes on behind it, and no failure is lost.

use crate::gate::{Gate, wait_at};
use mp::{Error, ErrorKind, Process};
use mp_tests::scenario;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
fn exit_with(code: i32) {
    std::process::exit(code)
}

/// No task.
const fn plain(x: i64) -> i64 {
    x
}

fn is_child(pid: u32) -> bool {
    mp::active_children().iter().any(|child| child.pid == pid)
}

fn exit_code(error: &Error) -> Option<i32> {
    error.worker_lost().unwrap().status.unwrap().code()
}

#[test]
fn everything_started_in_a_scope_has_ended_behind_it() {
    scenario(|| {
        let gate = Gate::new();
        let (kept, dropped) = mp::scope(|s| {
            let kept = s.spawn(wait_at, (gate.name(), 7))?;
            let dropped = s.start(Process::new(wait_at, (gate.name(), 8)).name("dropped"))?.pid();
            let guests = [gate.guest(), gate.guest()];
            assert!(kept.is_alive() && is_child(dropped));
            assert!(guests.iter().any(|guest| guest.pid == dropped));
            Ok((kept, dropped))
        })
        .unwrap();
        assert!(!is_child(dropped) && !kept.is_alive());
        assert_eq!(kept.join().unwrap(), 7, "the handle is good behind the scope");
    });
}

#[test]
fn a_scope_hands_on_what_its_body_returns() {
    scenario(|| {
        let sum = mp::scope(|s| {
            let handles: Vec<_> = (1..=3).map(|x| s.spawn(square, (x,))).collect::<Result<_, _>>()?;
            handles.into_iter().map(mp::JoinHandle::join).sum::<Result<i64, Error>>()
        });
        assert_eq!(sum.unwrap(), 14);
        assert_eq!(mp::scope(|_| Ok(())).ok(), Some(()));
    });
}

#[test]
fn the_first_failure_that_nobody_joined_is_the_error_of_the_scope() {
    scenario(|| {
        let error = mp::scope(|s| {
            assert_eq!(exit_code(&s.spawn(exit_with, (1,))?.join().unwrap_err()), Some(1));
            for code in [2, 3] {
                s.spawn(exit_with, (code,))?;
            }
            Ok(())
        });
        assert_eq!(exit_code(&error.unwrap_err()), Some(2), "the one that was joined has told its failure");
    });
}

#[test]
fn a_process_that_is_killed_fails_the_scope_unless_it_is_joined() {
    scenario(|| {
        let gate = Gate::new();
        let killed = mp::scope(|s| s.spawn(wait_at, (gate.name(), 1))?.kill());
        assert!(killed.unwrap_err().worker_lost().is_some());
        mp::scope(|s| {
            let process = s.spawn(wait_at, (gate.name(), 1))?;
            process.kill()?;
            assert!(process.join().unwrap_err().worker_lost().is_some());
            Ok(())
        })
        .unwrap();
    });
}

#[test]
fn an_error_of_the_body_goes_first_and_waits_for_the_others() {
    scenario(|| {
        let gate = Gate::new();
        let mut pid = 0;
        let error = mp::scope(|s| -> Result<(), Error> {
            s.spawn(exit_with, (2,))?;
            pid = s.spawn(wait_at, (gate.name(), 1))?.pid();
            drop(gate.guest());
            s.spawn(plain, (1,)).map(drop)
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotATask);
        assert!(!is_child(pid));
    });
}

#[test]
fn a_scope_whose_body_panics_waits_too() {
    scenario(|| {
        let gate = Gate::new();
        let mut pid = 0;
        let body = AssertUnwindSafe(|| {
            mp::scope(|s| -> Result<(), Error> {
                pid = s.spawn(wait_at, (gate.name(), 1))?.pid();
                drop(gate.guest());
                resume_unwind(Box::new("on the way out"))
            })
        });
        let panic = catch_unwind(body).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"on the way out"));
        assert!(!is_child(pid));
    });
}

#[test]
fn a_scope_does_not_wait_for_what_was_detached() {
    scenario(|| {
        let gate = Gate::new();
        let guest = mp::scope(|s| {
            let process = s.spawn(wait_at, (gate.name(), 1))?;
            let guest = gate.guest();
            process.detach()?;
            Ok(guest)
        })
        .unwrap();
        drop(guest);
    });
}
