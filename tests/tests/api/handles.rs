//! Handles: waiting, looking, cancelling, callbacks.

use crate::gate::{Gate, wait_at};
use mp::{Error, ErrorKind, Pool};
use mp_tests::{scenario, until};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
fn fail(message: &str) -> i64 {
    panic!("{message}")
}

#[test]
fn an_outcome_is_taken_once() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let check = |first: Result<i64, Error>, second: Error| {
            assert_eq!((first.unwrap(), second.kind()), (49, ErrorKind::AlreadyTaken));
            assert!(second.to_string().contains("square"), "{second}");
        };
        let handle = pool.apply_async(square, (7,));
        check(handle.wait(), handle.wait().unwrap_err());
        let handle = pool.apply_async(square, (7,));
        check(handle.wait_timeout(Duration::MAX), handle.wait_timeout(Duration::ZERO).unwrap_err());
        let handle = pool.map_async(square, [7]);
        check(handle.wait().map(|all| all[0]), handle.wait().unwrap_err());
        let handle = pool.apply_async(fail, ("x",));
        assert!(handle.wait().unwrap_err().is_panic());
        assert_eq!(handle.wait().unwrap_err().kind(), ErrorKind::AlreadyTaken);
    });
}

#[test]
fn a_time_out_leaves_the_call_going_on() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let handle = pool.apply_async(wait_at, (gate.name(), 5));
        let guest = gate.guest();
        for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(5)] {
            let error = handle.wait_timeout(timeout).unwrap_err();
            assert!(error.is_timeout() && error.to_string().contains("wait_at"), "{error}");
        }
        drop(guest);
        assert_eq!(handle.wait_timeout(Duration::MAX).unwrap(), 5);
    });
}

#[test]
fn a_handle_tells_how_far_its_call_is() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let first = pool.apply_async(wait_at, (gate.name(), 1));
        let second = pool.apply_async(wait_at, (gate.name(), 2));
        let guest = gate.guest();
        assert_eq!((first.is_running(), first.is_ready()), (true, false));
        assert_eq!((second.is_running(), second.is_ready()), (false, false));
        drop(guest);
        let guest = gate.guest();
        until(|| first.is_ready());
        assert_eq!((first.is_running(), second.is_running(), second.is_ready()), (false, true, false));
        drop(guest);
        until(|| second.is_ready());
        assert!(!second.is_running());
        assert_eq!((first.wait().unwrap(), second.wait().unwrap()), (1, 2));
        assert!(first.is_ready(), "also when the outcome was taken");
        assert!(format!("{first:?}").contains("wait_at"));
    });
}

#[test]
fn only_a_call_that_has_not_started_is_cancelled() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let finished = pool.apply_async(square, (2,));
        until(|| finished.is_ready());
        let running = pool.apply_async(wait_at, (gate.name(), 1));
        let guest = gate.guest();
        let pending: Vec<_> = (2..6).map(|word| pool.apply_async(wait_at, (gate.name(), word))).collect();
        assert!(!finished.cancel() && !running.cancel());
        assert!(pending[1].cancel() && pending[1].is_ready() && pending[1].cancel(), "and stays so");
        assert!(pending[3].cancel());
        drop(guest);
        let words: Vec<i64> = (0..2).map(|_| gate.guest().word).collect();
        assert_eq!(words, [2, 4], "the others run, in order");
        assert_eq!((finished.wait().unwrap(), running.wait().unwrap()), (4, 1));
        let outcomes = pending.iter().map(mp::TaskHandle::wait);
        let outcomes: Vec<_> =
            outcomes.map(|outcome| outcome.map_err(|error| error.is_cancelled())).collect();
        assert_eq!(outcomes, [Ok(2), Err(true), Ok(4), Err(true)]);
        let cancelled: Vec<_> = pending.iter().map(mp::TaskHandle::cancel).collect();
        assert_eq!(cancelled, [false, true, false, true], "also when the outcome was taken");
        assert!(gate.guest_now().is_none());
    });
}

#[test]
fn cancelling_a_map_stops_what_has_not_started() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let handle = pool.starmap_async(wait_at, (0..100).map(|word| (gate.name(), word)));
        let guest = gate.guest();
        assert!(handle.cancel());
        assert!(!handle.is_ready(), "the first item runs");
        drop(guest);
        assert!(handle.wait().unwrap_err().is_cancelled());
        assert!(handle.cancel(), "there were some");
        assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
        assert!(gate.guest_now().is_none());
        let done = pool.map_async(square, 0..3);
        until(|| done.is_ready());
        assert!(!done.cancel());
        assert_eq!(done.wait().unwrap(), [0, 1, 4]);
    });
}

#[test]
fn a_cancelled_call_makes_room_for_the_next() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(2).unwrap();
        for round in 0..50 {
            let blocked = [0, 1].map(|word| pool.apply_async(wait_at, (gate.name(), word)));
            let guests = [gate.guest(), gate.guest()];
            let pending: Vec<_> = (0..20).map(|_| pool.apply_async(wait_at, (gate.name(), 9))).collect();
            assert!(pending.iter().all(mp::TaskHandle::cancel), "round {round}");
            drop(guests);
            assert_eq!(pool.apply(square, (round,)).unwrap(), round * round);
            assert_eq!(blocked.map(|handle| handle.wait().unwrap()), [0, 1]);
        }
        assert!(gate.guest_now().is_none());
    });
}

#[test]
fn a_callback_gets_the_outcome() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let (sender, outcomes) = channel();
        let tell = |name: &'static str| {
            let sender = sender.clone();
            move |outcome: Result<i64, Error>| sender.send((name, outcome, thread::current().id())).unwrap()
        };
        let ready = pool.apply_async(square, (3,));
        until(|| ready.is_ready());
        ready.on_done(tell("ready"));
        let (name, outcome, thread) = outcomes.try_recv().unwrap();
        assert_eq!((name, outcome.unwrap(), thread), ("ready", 9, thread::current().id()), "at once, here");
        pool.apply_async(wait_at, (gate.name(), 4)).on_done(tell("later"));
        pool.apply_async(fail, ("x",)).on_done(tell("failed"));
        let guest = gate.guest();
        assert!(outcomes.try_recv().is_err());
        drop(guest);
        let (name, outcome, _) = outcomes.recv().unwrap();
        assert_eq!((name, outcome.unwrap()), ("later", 4), "nobody waits for the pool");
        let (name, outcome, _) = outcomes.recv().unwrap();
        assert!(name == "failed" && outcome.unwrap_err().is_panic());
        pool.apply_async(|x: i64| x, (1,)).on_done(tell("refused"));
        assert_eq!(outcomes.recv().unwrap().1.unwrap_err().kind(), ErrorKind::NotATask);
        let all = Arc::new(Mutex::new(Vec::new()));
        let kept = all.clone();
        pool.map_async(square, 0..4).on_done(move |outcome| *kept.lock().unwrap() = outcome.unwrap());
        until(|| !all.lock().unwrap().is_empty());
        assert_eq!(*all.lock().unwrap(), [0, 1, 4, 9]);
    });
}

#[test]
fn a_callback_is_called_when_the_one_who_led_for_long_has_given_up() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(2).unwrap();
        for _ in 0..10 {
            let (sender, outcomes) = channel();
            let held = pool.apply_async(wait_at, (gate.name(), 1));
            let first = gate.guest();
            pool.apply_async(wait_at, (gate.name(), 2))
                .on_done(move |two| sender.send(two.unwrap()).unwrap());
            let second = gate.guest();
            // Long enough for the one who stands in for waiting threads to trust in this one.
            assert!(held.wait_timeout(Duration::from_millis(50)).unwrap_err().is_timeout());
            drop(second);
            assert_eq!(outcomes.recv().unwrap(), 2, "nobody waits for the pool");
            drop(first);
            assert_eq!(held.wait().unwrap(), 1);
        }
    });
}

#[test]
fn a_callback_may_use_the_pool() {
    scenario(|| {
        let pool = Arc::new(Pool::new(2).unwrap());
        let (sender, results) = channel();
        let inner = pool.clone();
        pool.apply_async(square, (3,)).on_done(move |nine| {
            let waited = inner.apply(square, (nine.unwrap(),)).unwrap();
            let mapped = inner.map(square, 0..100).unwrap().len();
            let sent = sender.clone();
            inner
                .apply_async(square, (waited,))
                .on_done(move |last| sent.send((mapped, last.unwrap())).unwrap());
        });
        assert_eq!(results.recv().unwrap(), (100, 81 * 81));
    });
}

#[test]
fn a_callback_that_panics_harms_nobody() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let (sender, called) = channel();
        let panics = |handle: mp::TaskHandle<i64>| {
            let sender = sender.clone();
            handle.on_done(move |_| {
                sender.send(thread::current().id()).unwrap();
                panic!("this panic is part of the test");
            });
        };
        let ready = pool.apply_async(square, (3,));
        until(|| ready.is_ready());
        panics(ready);
        assert_eq!(called.try_recv().unwrap(), thread::current().id(), "the outcome was there");
        panics(pool.apply_async(|x: i64| x, (1,)));
        assert_eq!(called.try_recv().unwrap(), thread::current().id(), "the call was refused");
        panics(pool.apply_async(wait_at, (gate.name(), 4)));
        let guest = gate.guest();
        assert!(called.try_recv().is_err());
        drop(guest);
        called.recv().unwrap();
        assert_eq!(pool.map(square, 0..3).unwrap(), [0, 1, 4]);
    });
}

/// It panics whenever it is read.
#[derive(Debug, serde::Serialize)]
struct Unreadable;

impl<'de> serde::Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("this panic is part of the test");
    }
}

#[mp::task]
fn unreadable(_number: u8) -> Unreadable {
    Unreadable
}

#[test]
fn a_callback_hears_of_a_result_whose_reading_panics() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let (sender, told) = channel();
        let all = sender.clone();
        pool.apply_async(unreadable, (1,)).on_done(move |one| sender.send(one.map(|one| vec![one])).unwrap());
        pool.map_async(unreadable, 0..2).on_done(move |many| all.send(many).unwrap());
        for _ in 0..2 {
            let error = told.recv().unwrap().unwrap_err();
            let text = error.to_string();
            assert_eq!(error.kind(), mp::ErrorKind::Decode, "{text}");
            assert!(error.task_name().unwrap().contains("unreadable"), "{text}");
            assert!(text.ends_with("its `Deserialize` panicked: this panic is part of the test"), "{text}");
        }
    });
}

#[test]
fn a_callback_may_end_the_pool() {
    scenario(|| {
        let check = |end: fn(Arc<Pool>)| {
            let pool = Arc::new(Pool::new(2).unwrap());
            let (sender, ended) = channel();
            let inner = pool.clone();
            pool.apply_async(square, (3,)).on_done(move |_| {
                end(inner);
                sender.send(()).unwrap();
            });
            drop(pool);
            ended.recv().unwrap();
        };
        check(|pool| pool.close());
        check(|pool| pool.terminate());
        check(|pool| pool.shutdown(true).unwrap());
        check(drop);
    });
}

#[test]
fn dropping_a_handle_does_not_cancel_its_call() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        drop(pool.apply_async(wait_at, (gate.name(), 7)));
        drop(pool.starmap_async(wait_at, [(gate.name(), 8), (gate.name(), 9)]));
        let words: Vec<i64> = (0..3).map(|_| gate.guest().word).collect();
        assert_eq!(words, [7, 8, 9]);
        assert_eq!(pool.apply(square, (1,)).unwrap(), 1);
    });
}

#[test]
fn calls_go_on_while_nobody_waits() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(2).unwrap();
        let handles: Vec<_> = (0..500).map(|word| pool.apply_async(wait_at, (gate.name(), word))).collect();
        let mut words: Vec<i64> = (0..500).map(|_| gate.guest().word).collect();
        words.sort_unstable();
        assert!(words.into_iter().eq(0..500));
        assert_eq!(handles.into_iter().map(|handle| handle.wait().unwrap()).sum::<i64>(), 499 * 250);
    });
}

#[test]
fn a_handle_outlives_its_pool() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let ready = pool.apply_async(square, (3,));
        until(|| ready.is_ready());
        drop(pool);
        assert_eq!(ready.wait().unwrap(), 9, "what was there stays");
    });
}

#[test]
fn a_handle_may_be_waited_for_on_another_thread() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let handles: Vec<_> = (0..40).map(|x| pool.apply_async(square, (x,))).collect();
        let waiting = handles.into_iter().map(|handle| thread::spawn(move || handle.wait().unwrap()));
        let waiting: Vec<_> = waiting.collect();
        assert!(waiting.into_iter().map(|thread| thread.join().unwrap()).eq((0..40).map(|x| x * x)));
    });
}

/// The errors of calls in a process that gets no more threads.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[mp::task]
fn without_threads() -> Vec<String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let pool = Pool::builder().workers(1).name("alone").build().unwrap();
    assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB"));
    let before = getrlimit(Resource::As);
    // Less than the stack of a thread beyond what there is, and no stack left that an earlier one had.
    let most = size.unwrap().parse::<u64>().unwrap() * 1024 + (1 << 20);
    setrlimit(Resource::As, Rlimit { current: Some(most), ..before }).unwrap();
    while thread::Builder::new().spawn(thread::park).is_ok() {}
    let (called, hears) = channel();
    pool.apply_async(square, (3,)).on_done(move |outcome| called.send(outcome).unwrap());
    let outcomes = [
        hears.recv().unwrap().map(|_| ()),
        pool.map_async(square, [4]).wait().map(|_| ()),
        pool.starmap_async(square, [(5,)]).wait().map(|_| ()),
    ];
    assert_eq!(pool.map(square, [6, 7]).unwrap(), [36, 49], "who waits needs none");
    setrlimit(Resource::As, before).unwrap();
    assert_eq!(pool.apply_async(square, (8,)).wait().unwrap(), 64, "there are threads again");
    outcomes.map(|outcome| outcome.expect_err("nobody would drive it").to_string()).into()
}

#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[test]
fn a_call_that_nobody_would_drive_fails_and_says_so() {
    scenario(|| {
        for error in mp::spawn(without_threads, ()).unwrap().join().unwrap() {
            assert!(error.contains("cannot start the thread that drives the pool \"alone\""), "{error}");
        }
    });
}
