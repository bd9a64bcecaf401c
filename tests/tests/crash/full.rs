//! A worker that has no descriptors left, and a parent that has none.

use crate::scratch::Scratch;
use mp::shm::Atomic;
use mp::sync::Event;
use mp::{Backend, ErrorKind, Pool, PoolBuilder, Restart, spawn};
use mp_tests::scenario;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// Longer than what goes without a descriptor.
const LONG: usize = 1 << 20;

/// What uses the descriptors up, and how many there may be otherwise.
static HELD: Mutex<Option<(Vec<File>, Rlimit)>> = Mutex::new(None);

#[mp::task]
fn fill_up() {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..before }).unwrap();
    let files = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    *HELD.lock().unwrap() = Some((files, before));
}

#[mp::task]
fn make_room() {
    let (files, before) = HELD.lock().unwrap().take().unwrap();
    drop(files);
    setrlimit(Resource::Nofile, before).unwrap();
}

#[mp::task]
fn zeros(len: usize) -> Vec<u8> {
    vec![0; len]
}

#[mp::task]
fn len(bytes: &[u8]) -> usize {
    bytes.len()
}

#[mp::task]
fn number() -> u32 {
    std::process::id()
}

#[test]
fn a_result_for_which_there_is_no_descriptor_fails_its_call_alone() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let worker = pool.apply(number, ()).unwrap();
        pool.apply(fill_up, ()).unwrap();
        let error = pool.apply(zeros, (LONG,)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Os);
        let text = error.to_string();
        assert!(text.contains("zeros") && text.contains("os error 24"), "{text}");
        let outcomes = pool.try_map(zeros, [10, LONG, 20]);
        let lens: Vec<_> =
            outcomes.into_iter().map(|outcome| outcome.map(|bytes| bytes.len()).ok()).collect();
        assert_eq!(lens, [Some(10), None, Some(20)]);
        pool.apply(make_room, ()).unwrap();
        assert_eq!(pool.apply(zeros, (LONG,)).unwrap().len(), LONG);
        assert_eq!(pool.apply(number, ()).unwrap(), worker);
    });
}

#[test]
fn an_argument_for_which_a_worker_has_no_descriptor_goes_to_another_and_nobody_complains() {
    scenario(|| {
        let scratch = Scratch::new();
        let stderr = scratch.file("stderr");
        let pool = Pool::builder().workers(1).stderr(File::create(&stderr).unwrap()).build().unwrap();
        let worker = pool.apply(number, ()).unwrap();
        pool.apply(fill_up, ()).unwrap();
        assert_eq!(pool.apply(len, (&vec![0; LONG][..],)).unwrap(), LONG);
        assert_ne!(pool.apply(number, ()).unwrap(), worker);
        assert_eq!(std::fs::read_to_string(stderr).unwrap(), "");
    });
}

/// How many calls there were, of all workers of a pool.
static CALLS: OnceLock<Atomic<AtomicU64>> = OnceLock::new();

#[mp::task]
fn count_in(calls: Atomic<AtomicU64>) {
    assert!(CALLS.set(calls).is_ok(), "once");
}

#[mp::task]
fn event_if_even(item: u64) -> Option<Event> {
    CALLS.get().unwrap().fetch_add(1, Ordering::Relaxed);
    item.is_multiple_of(2).then(|| Event::new().unwrap())
}

#[mp::task]
fn long_at_first(item: u64) -> Vec<u8> {
    CALLS.get().unwrap().fetch_add(1, Ordering::Relaxed);
    vec![1; if item == 0 { LONG } else { 1 }]
}

fn counting(workers: usize, calls: &Atomic<AtomicU64>) -> PoolBuilder {
    Pool::builder().workers(workers).initializer(count_in, (calls,))
}

#[mp::task]
fn receive_events_without_room() {
    let calls = Atomic::new(AtomicU64::new(0)).unwrap();
    let pool = counting(1, &calls).build().unwrap();
    let worker = pool.apply(number, ()).unwrap();
    fill_up();
    let outcomes = pool.try_map(event_if_even, 0..100);
    make_room();
    for (outcome, item) in outcomes.into_iter().zip(0..) {
        match outcome {
            Ok(event) => assert!(event.is_none() && item % 2 == 1, "{item}: {event:?}"),
            Err(error) => {
                assert_eq!((error.kind(), item % 2), (ErrorKind::Os, 0), "{error}");
                let text = error.to_string();
                assert!(text.contains("event_if_even") && text.contains("no descriptors left"), "{text}");
            }
        }
    }
    assert_eq!(calls.load(Ordering::Relaxed), 100);
    assert!(pool.apply(event_if_even, (0,)).unwrap().is_some());
    assert_eq!(pool.apply(number, ()).unwrap(), worker);
}

/// The other worker does what the one that is killed has not begun; no new one can be started.
#[mp::task]
fn receive_a_long_result_without_room() {
    for _ in 0..20 {
        let calls = Atomic::new(AtomicU64::new(0)).unwrap();
        let restart = Restart { at_most: u32::MAX, per: Duration::from_secs(1) };
        let pool = counting(2, &calls).chunk_size(100).restart(restart).build().unwrap();
        pool.apply(number, ()).unwrap();
        fill_up();
        let outcomes = pool.try_map(long_at_first, 0..400);
        make_room();
        for (outcome, item) in outcomes.into_iter().zip(0..) {
            match outcome {
                Ok(bytes) => assert_eq!((bytes.len(), item > 0), (1, true)),
                Err(error) => assert!(error.is_worker_lost(), "{item}: {error}"),
            }
        }
        assert!(calls.load(Ordering::Relaxed) <= 400, "{calls:?}");
    }
}

#[mp::task]
fn is_set(event: Event) -> bool {
    event.is_set()
}

#[mp::task]
fn call_a_thread_without_room() {
    let pool = Pool::builder().workers(1).backend(Backend::Thread).build().unwrap();
    let event = Event::new().unwrap();
    event.set();
    let handle = pool.apply_async(is_set, (&event,));
    assert!(handle.wait().unwrap());
    // There is room for one copy: the one that waits for the thread.
    fill_up();
    HELD.lock().unwrap().as_mut().unwrap().0.pop();
    let error = pool.apply(is_set, (&event,)).unwrap_err();
    make_room();
    let text = error.to_string();
    assert!(text.contains("cannot be decoded") && text.contains("no descriptors left"), "{text}");
    assert!(pool.apply(is_set, (&event,)).unwrap());
}

#[test]
fn a_call_whose_descriptors_have_no_room_in_a_pool_of_threads_says_so() {
    scenario(|| spawn(call_a_thread_without_room, ()).unwrap().join().unwrap());
}

#[mp::task]
fn event_when(go: Event) -> Event {
    go.wait();
    Event::new().unwrap()
}

#[mp::task]
fn join_a_process_without_room() {
    let go = Event::new().unwrap();
    let process = spawn(event_when, (&go,)).unwrap();
    fill_up();
    go.set();
    let outcome = process.join();
    make_room();
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Os);
    let text = error.to_string();
    assert!(text.contains("event_when") && text.contains("no descriptors left"), "{text}");
}

#[test]
fn a_result_whose_descriptors_who_joins_a_process_cannot_take_says_so() {
    scenario(|| spawn(join_a_process_without_room, ()).unwrap().join().unwrap());
}

#[test]
fn a_result_whose_descriptors_the_parent_cannot_take_fails_its_call_alone() {
    scenario(|| spawn(receive_events_without_room, ()).unwrap().join().unwrap());
}

#[test]
fn what_a_worker_has_done_and_its_parent_cannot_take_is_not_done_again() {
    scenario(|| spawn(receive_a_long_result_without_room, ()).unwrap().join().unwrap());
}
