//! Long results and arguments that stop half-way: each side reads along while the other one writes, and then one of them dies or
//! stands still.

use crate::hostile::{double, patient, serves};
use mp::{Context, Error, Pool};
use mp_tests::{Signal, lives, scenario, send, until};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const LEN: usize = 4 << 20;
const PAGE: usize = 4096;

/// Bytes of which a page in the middle cannot be read: who copies them comes so far and no further. Where the page is.
fn barred() -> (Vec<u8>, usize) {
    let bytes = made();
    let page = (bytes.as_ptr() as usize + LEN / 2).next_multiple_of(PAGE);
    assert_eq!(allow(page, libc::PROT_NONE), 0);
    (bytes, page)
}

fn allow(page: usize, what: libc::c_int) -> libc::c_int {
    // SAFETY: a page of a vector that is leaked, or left as it was before anybody else has it.
    unsafe { libc::mprotect(page as *mut libc::c_void, PAGE, what) }
}

fn made() -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(LEN).collect()
}

#[mp::task]
fn dies_half_way(number: u64) -> Vec<u8> {
    if number == 3 { barred().0 } else { made() }
}

static PAGE_IN_THE_WAY: AtomicUsize = AtomicUsize::new(0);

/// Stops until somebody continues it; then the page is no longer in the way.
extern "C" fn stop(_: libc::c_int) {
    // SAFETY: both may be called in a handler.
    unsafe { libc::raise(libc::SIGSTOP) };
    allow(PAGE_IN_THE_WAY.load(Ordering::Relaxed), libc::PROT_READ | libc::PROT_WRITE);
}

#[mp::task]
fn is_stopped_half_way() -> Vec<u8> {
    let (bytes, page) = barred();
    PAGE_IN_THE_WAY.store(page, Ordering::Relaxed);
    // SAFETY: the handler calls nothing that may not be called there.
    unsafe { libc::signal(libc::SIGSEGV, stop as *const () as libc::sighandler_t) };
    bytes
}

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

#[test]
fn half_a_result_is_none_and_costs_its_own_item_only() {
    scenario(|| {
        let pool = patient();
        for _ in 0..3 {
            let error = pool.apply(dies_half_way, (3,)).unwrap_err();
            assert!(error.is_worker_lost(), "{error:?}");
            serves(&pool);
        }
        for (number, outcome) in (0..).zip(pool.try_map(dies_half_way, 0..6_u64)) {
            if number == 3 {
                assert!(outcome.is_err_and(|error| error.is_worker_lost()));
            } else {
                assert!(outcome.unwrap() == made(), "item {number}");
            }
        }
        let process = Context::default().spawn(dies_half_way, (3,)).unwrap();
        assert!(process.join().is_err_and(|error| error.is_worker_lost()));
    });
}

#[test]
fn nobody_else_waits_for_a_worker_that_is_stopped_in_the_middle_of_its_result() {
    scenario(|| {
        let pool = patient();
        let handle = pool.apply_async(is_stopped_half_way, ());
        let mut stopped = None;
        until(|| {
            stopped = pool.workers().into_iter().find(|worker| is_stopped(worker.pid));
            stopped.is_some()
        });
        assert!(handle.wait_timeout(Duration::from_millis(20)).is_err_and(|error| Error::is_timeout(&error)));
        for number in 0..20 {
            assert_eq!(pool.apply(double, (number,)).unwrap(), 2 * number);
        }
        send(stopped.unwrap().pid, Signal::Continue).unwrap();
        assert!(handle.wait().unwrap() == made());
        serves(&pool);
    });
}

#[mp::task]
fn echo(number: u32, bytes: Vec<u8>) -> (u32, usize, bool) {
    (number, bytes.len(), bytes == made())
}

#[mp::task]
fn back(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

static STANDS: AtomicBool = AtomicBool::new(false);
static GO_ON: AtomicBool = AtomicBool::new(false);

/// Stands still until it is told to go on; then the page is no longer in the way.
extern "C" fn stand_still(_: libc::c_int) {
    STANDS.store(true, Ordering::SeqCst);
    while !GO_ON.load(Ordering::SeqCst) {
        // SAFETY: it may be called in a handler.
        unsafe { libc::sched_yield() };
    }
    allow(PAGE_IN_THE_WAY.load(Ordering::Relaxed), libc::PROT_READ | libc::PROT_WRITE);
}

/// Calls with bytes that stop their caller half-way, does `meanwhile`, and lets the caller go on.
fn with_a_caller_that_stands_still<T: Send>(
    call: impl FnOnce(&Vec<u8>) -> T + Send,
    meanwhile: impl FnOnce(),
) -> T {
    let (bytes, page) = barred();
    PAGE_IN_THE_WAY.store(page, Ordering::Relaxed);
    STANDS.store(false, Ordering::SeqCst);
    GO_ON.store(false, Ordering::SeqCst);
    // SAFETY: the handler calls nothing that may not be called there.
    let before = unsafe { libc::signal(libc::SIGSEGV, stand_still as *const () as libc::sighandler_t) };
    let outcome = thread::scope(|scope| {
        let caller = scope.spawn(|| call(&bytes));
        until(|| STANDS.load(Ordering::SeqCst));
        meanwhile();
        GO_ON.store(true, Ordering::SeqCst);
        caller.join().unwrap()
    });
    // SAFETY: what was there before.
    unsafe { libc::signal(libc::SIGSEGV, before) };
    assert!(bytes == made());
    outcome
}

#[test]
fn a_caller_that_stands_still_in_its_arguments_holds_nobody_else_up() {
    scenario(|| {
        let pool = patient();
        let others = || {
            for number in 0..20 {
                assert_eq!(pool.apply(double, (number,)).unwrap(), 2 * number);
            }
        };
        let outcome = with_a_caller_that_stands_still(|bytes| pool.apply(echo, (7_u32, bytes)), others);
        assert_eq!(outcome.unwrap(), (7, LEN, true));
        let outcome = with_a_caller_that_stands_still(|bytes| pool.apply(back, (bytes,)), others);
        assert!(outcome.unwrap() == made());
        let outcome =
            with_a_caller_that_stands_still(|bytes| pool.apply_async(back, (bytes,)).wait(), others);
        assert!(outcome.unwrap() == made());
    });
}

#[test]
fn a_worker_that_is_killed_while_its_arguments_arrive_costs_that_call_at_most() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        for _ in 0..5 {
            assert_eq!(pool.apply(double, (1,)).unwrap(), 2);
            let worker = pool.workers()[0].pid;
            let kill = || {
                send(worker, Signal::Kill).unwrap();
                until(|| !lives(worker) || pool.workers().iter().all(|other| other.pid != worker));
            };
            match with_a_caller_that_stands_still(|bytes| pool.apply(back, (bytes,)), kill) {
                // It had not begun: another one has run it.
                Ok(bytes) => assert!(bytes == made()),
                Err(error) => assert!(error.is_worker_lost(), "{error:?}"),
            }
        }
        assert!(pool.apply(back, (made(),)).unwrap() == made());
    });
}

#[test]
fn a_pool_ends_while_a_caller_stands_still_in_its_arguments() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.apply(double, (1,)).unwrap(), 2);
        let outcome =
            with_a_caller_that_stands_still(|bytes| pool.apply(back, (bytes,)), || pool.terminate());
        assert!(outcome.is_err_and(|error| error.is_closed()));
    });
}
