//! Code of the program that runs in the middle of ours: wakers, callbacks, `Serialize`, `Drop`, and panics in all of them.

use crate::futures::block_on;
use crate::gate::{Gate, wait_at};
use mp::{Backend, ErrorKind, Pool, Sender};
use mp_tests::{scenario, until};
use serde::{Deserialize, Serialize, Serializer};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

const BACKENDS: [Backend; 3] = [Backend::Process, Backend::Thread, Backend::Inline];

fn pool(backend: Backend, workers: usize) -> Pool {
    Pool::builder().workers(workers).backend(backend).build().unwrap()
}

#[mp::task]
fn double(x: u32) -> u32 {
    2 * x
}

/// A waker that owns something, and counts.
struct Owner<T>(Mutex<Option<T>>, AtomicU32);

impl<T: Send> Wake for Owner<T> {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

fn owner<T>(of: T) -> Arc<Owner<T>> {
    Arc::new(Owner(Mutex::new(Some(of)), AtomicU32::new(0)))
}

#[test]
fn a_waker_that_is_replaced_may_own_a_handle_of_the_same_pool() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let mut waiting = pool.apply_async(wait_at, (gate.name(), 1));
        let first = Waker::from(owner(pool.apply_async(double, (1,))));
        assert!(Pin::new(&mut waiting).poll(&mut Context::from_waker(&first)).is_pending());
        drop(first);
        let second = Waker::from(owner(()));
        assert!(Pin::new(&mut waiting).poll(&mut Context::from_waker(&second)).is_pending());
        drop(gate);
        assert!(waiting.wait().is_ok());
    });
}

#[test]
fn wait_any_on_a_handle_leaves_its_future_the_waker() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let mut handle = pool.apply_async(wait_at, (gate.name(), 1));
        let counting = owner(());
        let waker = Waker::from(counting.clone());
        assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(mp::wait_any(&[&handle], Some(Duration::from_millis(1))).unwrap().is_empty());
        drop(gate);
        until(|| counting.1.load(Ordering::SeqCst) == 1);
        assert!(handle.wait().is_ok());
    });
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

#[test]
fn a_callback_whose_panic_panics_once_more_stops_no_other() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        pool.apply_async(wait_at, (gate.name(), 1)).on_done(|_| panic_any(Thrown));
        let (sender, called) = channel();
        pool.apply_async(double, (4,)).on_done(move |eight| sender.send(eight).unwrap());
        drop(gate);
        assert_eq!(called.recv().unwrap().unwrap(), 8);
    });
}

#[test]
fn a_callback_that_takes_its_time_holds_up_no_wait() {
    scenario(|| {
        for backend in [Backend::Process, Backend::Thread] {
            let (start, gate, pool) = (Gate::new(), Gate::new(), pool(backend, 2));
            let (go_on, wait_for_it) = channel::<()>();
            let (began, begins) = channel();
            let lock = Arc::new(Mutex::new(0));
            let wanted = lock.clone();
            let held = lock.lock().unwrap();
            pool.apply_async(wait_at, (start.name(), 2)).on_done(move |two| {
                began.send(()).unwrap();
                *wanted.lock().unwrap() = two.unwrap();
                wait_for_it.recv().unwrap();
            });
            drop(start);
            begins.recv().unwrap();
            // Whatever is asked of the pool meanwhile is answered, also while its callback wants what this thread has.
            assert_eq!(pool.apply(double, (2,)).unwrap(), 4);
            let guarded = pool.apply_async(wait_at, (gate.name(), 5));
            assert!(guarded.wait_timeout(Duration::from_millis(20)).unwrap_err().is_timeout());
            assert_eq!(pool.map(double, 0..3).unwrap(), [0, 2, 4]);
            assert_eq!(pool.imap(double, 0..3).map(Result::unwrap).sum::<u32>(), 6);
            assert_eq!(block_on(pool.apply_async(double, (3,))).unwrap(), 6);
            let mut ready = mp::as_completed([pool.apply_async(double, (4,))]);
            assert_eq!(ready.next().unwrap().wait().unwrap(), 8);
            let first = pool.apply_async(double, (5,));
            assert_eq!(mp::wait([&first], mp::When::FirstCompleted, None).done.len(), 1);
            drop((held, gate));
            assert_eq!(guarded.wait().unwrap(), 5);
            pool.close();
            assert!(pool.join_timeout(Duration::from_millis(20)).unwrap_err().is_timeout(), "it goes on");
            go_on.send(()).unwrap();
            pool.join().unwrap();
            assert_eq!(*lock.lock().unwrap(), 2, "who joins finds what callbacks have done");
        }
    });
}

#[test]
fn a_callback_that_takes_its_time_holds_up_the_end_of_a_pool_for_the_grace_only() {
    scenario(|| {
        let start = Gate::new();
        let pool = Pool::builder().workers(1).grace(Duration::from_millis(20)).build().unwrap();
        let (go_on, wait_for_it) = channel::<()>();
        let (told, tells) = channel();
        pool.apply_async(wait_at, (start.name(), 2)).on_done(move |two| {
            told.send(two.unwrap()).unwrap();
            wait_for_it.recv().unwrap();
            told.send(0).unwrap();
        });
        drop(start);
        assert_eq!(tells.recv().unwrap(), 2);
        pool.terminate();
        drop(pool);
        go_on.send(()).unwrap();
        assert_eq!(tells.recv().unwrap(), 0, "it runs to its end");
    });
}

#[mp::task]
fn abort() {
    std::process::abort()
}

#[test]
fn callbacks_of_a_pool_that_has_given_up_have_run_when_it_is_gone() {
    scenario(|| {
        let once = mp::Restart { at_most: 0, per: Duration::from_secs(60) };
        let (start, pool) = (Gate::new(), Pool::builder().workers(1).restart(once).build().unwrap());
        // No outcome is there before its callback.
        let first = pool.apply_async(wait_at, (start.name(), 1));
        let (go_on, wait_for_it) = channel::<()>();
        let wait_for_it = Arc::new(Mutex::new(wait_for_it));
        let ran = Arc::new(AtomicU32::new(0));
        for _ in 0..5 {
            let (ran, wait_for_it) = (ran.clone(), wait_for_it.clone());
            pool.apply_async(abort, ()).on_done(move |outcome| {
                assert!(outcome.is_err());
                wait_for_it.lock().unwrap().recv().unwrap();
                ran.fetch_add(1, Ordering::SeqCst);
            });
        }
        drop(start);
        assert!(first.wait().is_ok());
        until(|| pool.apply_async(double, (1,)).wait().is_err());
        let dropped = std::thread::spawn(move || drop(pool));
        (0..5).for_each(|_| go_on.send(()).unwrap());
        dropped.join().unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), 5);
    });
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

/// Waits for a call of its own pool in ways that are no `wait`.
#[mp::task]
fn wait_for_outer() -> [ErrorKind; 2] {
    let call = || the_pool().apply_async(double, (1,));
    let handle = call();
    assert_eq!(mp::wait_any(&[&handle], None).unwrap(), [0]);
    [handle.wait().unwrap_err().kind(), block_on(call()).unwrap_err().kind()]
}

#[test]
fn a_task_does_not_wait_for_ever_for_its_own_pool_as_a_future_or_as_one_of_many_things() {
    scenario(|| {
        for backend in [Backend::Thread, Backend::Inline] {
            let outer = Arc::new(pool(backend, 1));
            *POOL.lock().unwrap() = Some(outer.clone());
            assert_eq!(outer.apply(wait_for_outer, ()).unwrap(), [ErrorKind::Deadlock; 2], "{backend:?}");
            *POOL.lock().unwrap() = None;
        }
    });
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

static STARTED: Mutex<Vec<mp::TaskHandle<u32>>> = Mutex::new(Vec::new());

#[mp::task]
fn start_two() {
    let pool = the_pool();
    STARTED.lock().unwrap().extend([1, 2].map(|x| pool.apply_async(double, (x,))));
}

#[test]
fn a_call_that_an_inline_task_has_left_runs_when_its_handle_is_asked() {
    scenario(|| {
        let pool = Arc::new(pool(Backend::Inline, 1));
        *POOL.lock().unwrap() = Some(pool.clone());
        pool.apply(start_two, ()).unwrap();
        let mut handles = std::mem::take(&mut *STARTED.lock().unwrap());
        let waker = owner(());
        let awaited = handles.pop().unwrap();
        assert_eq!(mp::wait_any(&[&awaited], None).unwrap(), [0]);
        assert_eq!(awaited.wait().unwrap(), 4);
        let mut polled = handles.pop().unwrap();
        let polling = Waker::from(waker.clone());
        if Pin::new(&mut polled).poll(&mut Context::from_waker(&polling)).is_pending() {
            assert_eq!(waker.1.load(Ordering::SeqCst), 1, "it runs at once");
            assert_eq!(polled.wait().unwrap(), 2);
        }
        pool.apply(start_two, ()).unwrap();
        let handles = std::mem::take(&mut *STARTED.lock().unwrap());
        let values: Vec<u32> = mp::as_completed(handles).map(|handle| handle.wait().unwrap()).collect();
        assert_eq!(values, [2, 4]);
        *POOL.lock().unwrap() = None;
    });
}

#[mp::task]
fn drop_pool_and_wait_at(gate: &str) {
    drop(POOL.lock().unwrap().take());
    wait_at(gate, 1);
}

#[test]
fn a_callback_hears_of_the_end_of_a_pool_that_its_own_task_has_dropped() {
    scenario(|| {
        let (start, gate) = (Gate::new(), Gate::new());
        let pool = pool(Backend::Thread, 1);
        let before = pool.apply_async(wait_at, (start.name(), 1));
        let (sender, called) = channel();
        let dropping = pool.apply_async(drop_pool_and_wait_at, (gate.name(),));
        dropping.on_done(move |ending| sender.send(ending).unwrap());
        *POOL.lock().unwrap() = Some(Arc::new(pool));
        drop(start);
        // Who has waited is taken to wait again: nobody leads for a moment.
        assert!(before.wait().is_ok());
        assert!(called.recv().unwrap().unwrap_err().is_closed(), "while the task runs on");
        drop(gate);
    });
}
