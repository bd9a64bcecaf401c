//! Code of the program that runs in the middle of ours: wakers, callbacks, `Serialize`, `Drop`, and panics in all of them.

use crate::gate::{Gate, wait_at};
use mp::{Backend, ErrorKind, Pool, Sender};
use mp_tests::scenario;
use serde::{Deserialize, Serialize, Serializer};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::{Arc, Mutex};

const BACKENDS: [Backend; 3] = [Backend::Process, Backend::Thread, Backend::Inline];

fn pool(backend: Backend, workers: usize) -> Pool {
    Pool::builder().workers(workers).backend(backend).build().unwrap()
}

#[mp::task]
fn double(x: u32) -> u32 {
    2 * x
}

/// What a panic throws, and what panics once more when it is dropped.
struct Thrown;

impl Drop for Thrown {
    fn drop(&mut self) {
        panic!("this panic is part of the test");
    }
}

#[mp::task]
fn throw() {
    panic_any(Thrown)
}

#[test]
fn a_panic_whose_payload_panics_is_a_panic_as_any_other() {
    for backend in BACKENDS {
        scenario(|| {
            let pool = pool(backend, 1);
            let pid = pool.apply(own_pid, ()).unwrap();
            assert!(pool.apply(throw, ()).unwrap_err().is_panic(), "{backend:?}");
            assert_eq!(pool.apply(own_pid, ()).unwrap(), pid, "{backend:?}: the worker lives");
        });
    }
}

#[mp::task]
fn own_pid() -> u32 {
    std::process::id()
}

/// Panics when it is dropped in a worker.
#[derive(Serialize, Deserialize)]
struct Fragile(bool);

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(!self.0 || !mp::is_worker(), "this panic is part of the test");
    }
}

#[mp::task]
fn bytes_beside(_: &Fragile, len: usize) -> Vec<u8> {
    vec![7; len]
}

#[test]
fn an_argument_that_panics_when_it_is_dropped_behind_a_long_result_harms_no_other_call() {
    scenario(|| {
        const LONG: usize = 300_000;
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        assert!(pool.apply(bytes_beside, (Fragile(true), 3)).unwrap_err().is_panic(), "nothing was out yet");
        // So that all that follows stands in one line.
        let waiting = pool.apply_async(wait_at, (gate.name(), 1));
        let handles: Vec<_> =
            (0..20).map(|number| pool.apply_async(bytes_beside, (Fragile(number % 3 == 0), LONG))).collect();
        drop(gate);
        assert!(waiting.wait().is_ok());
        for (number, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.wait().unwrap(), vec![7; LONG], "call {number}");
        }
    });
}

struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("this panic is part of the test")
    }
}

impl<'de> Deserialize<'de> for Unwritable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[mp::task]
fn take(_: Sender<u32>, _: Unwritable) {}

#[test]
fn the_end_of_a_pipe_goes_nowhere_with_a_call_whose_next_argument_panics() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let (sender, receiver) = mp::pipe::<u32>().unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| pool.apply(take, (sender, Unwritable)))).is_err());
        assert!(receiver.recv().unwrap_err().is_closed(), "it was dropped with the arguments");
        let (sender, receiver) = mp::pipe::<u32>().unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| mp::Process::new(take, (sender, Unwritable)))).is_err());
        assert!(receiver.recv().unwrap_err().is_closed());
    });
}

/// A pool that its own tasks find.
static POOL: Mutex<Option<Arc<Pool>>> = Mutex::new(None);

fn the_pool() -> Arc<Pool> {
    POOL.lock().unwrap().clone().unwrap()
}

#[mp::task]
fn ask_outer() -> ErrorKind {
    the_pool().apply(double, (1,)).unwrap_err().kind()
}

#[mp::task]
fn ask_inner() -> ErrorKind {
    pool(Backend::Inline, 1).apply(ask_outer, ()).unwrap()
}

#[test]
fn a_task_does_not_wait_for_its_own_pool_by_way_of_an_inline_one() {
    scenario(|| {
        let outer = Arc::new(pool(Backend::Thread, 1));
        *POOL.lock().unwrap() = Some(outer.clone());
        assert_eq!(outer.apply(ask_inner, ()).unwrap(), ErrorKind::Deadlock);
        assert_eq!(outer.apply(double, (1,)).unwrap(), 2, "and it is not taken to be inside for ever");
        *POOL.lock().unwrap() = None;
    });
}
