//! Each case runs in a child of its own: signals belong to the whole process. See `process_tests` for how.

use super::*;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

fn run(what: &str) -> std::process::ExitStatus {
    let name = format!("{}::child", module_path!().split_once("::").expect("a module").1);
    Command::new("/proc/self/exe")
        .args([&name, "--exact", "--include-ignored", "--test-threads=1"])
        .env("MP_TEST_CHILD", what)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("a child")
}

#[test]
#[ignore = "a part of the other tests"]
fn child() {
    let Ok(what) = std::env::var("MP_TEST_CHILD") else { return };
    // The tests may run where it is ignored, as in the background of a script.
    disposition::set_default(libc::SIGINT).expect("a disposition");
    if what == "user" {
        disposition::ignore(libc::SIGINT).expect("a disposition");
        assert!(!arm().expect("a disposition"));
        disposition::raise(libc::SIGINT);
        std::process::exit(9);
    }
    assert!(arm().expect("a disposition"));
    assert!(arm().expect("a disposition"), "it is ours already");
    let bells = [Arc::new(Bell::new().expect("a bell")), Arc::new(Bell::new().expect("a bell"))];
    let guards = bells.clone().map(|bell| watch(bell).expect("a slot"));
    if what == "idle" {
        disposition::raise(libc::SIGINT);
        std::process::exit(1);
    }
    guards[0].work.busy(true);
    guards[0].work.busy(true);
    disposition::raise(libc::SIGINT);
    assert_eq!((at_work::count(), bells.each_ref().map(|bell| bell.clear())), (1, [true, true]));
    if what == "missed" {
        guards[0].work.busy(false);
        missed();
        std::process::exit(1);
    }
    guards[1].work.busy(true);
    missed();
    guards[0].work.serve();
    if what == "second while one serves" {
        guards[1].work.busy(false);
        missed();
        disposition::raise(libc::SIGINT);
        std::process::exit(1);
    }
    assert!(guards.iter().all(|guard| guard.work.busy(false)));
    missed();
    guards[0].work.busy(true);
    let [busy, other] = guards;
    drop(other);
    disposition::raise(libc::SIGINT);
    assert_eq!((at_work::count(), bells.each_ref().map(|bell| bell.clear())), (2, [true, false]));
    if what == "taken over" {
        // SAFETY: duty: an async-signal-safe handler: it does what ours does.
        unsafe { disposition::handle(libc::SIGINT, on_interrupt_of_the_program).expect("a disposition") };
        assert!(!arm().expect("a disposition"));
        disposition::raise(libc::SIGINT);
        busy.work.busy(false);
        disposition::raise(libc::SIGINT);
        assert_eq!((at_work::count(), bells[0].clear(), TAKEN.load(SeqCst)), (2, false, 2));
        std::process::exit(9);
    }
    if what == "second" {
        disposition::raise(libc::SIGINT);
        std::process::exit(1);
    }
    busy.work.serve();
    drop(busy);
    assert!(!at_work::is_first(), "nobody is busy");
    Work::default().busy(true);
    assert!(at_work::is_first(), "nobody serves");
    std::process::exit(9);
}

#[test]
fn the_first_interrupt_of_the_busy_rings_and_others_kill() {
    for what in ["idle", "missed", "second", "second while one serves"] {
        assert_eq!(run(what).signal(), Some(libc::SIGINT), "{what}");
    }
    assert_eq!(run("served").code(), Some(9));
}

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// As those of libraries do that hand on what they take.
extern "C" fn on_interrupt_of_the_program(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    TAKEN.fetch_add(1, SeqCst);
    on_interrupt(signal, info, context);
}

#[test]
fn a_program_that_takes_interrupts_over_later_is_not_ended_by_one_that_it_hands_on() {
    assert_eq!(run("taken over").code(), Some(9));
}

#[test]
fn a_disposition_of_the_user_stays() {
    assert_eq!(run("user").code(), Some(9));
}
