//! The end of a pool, from every state, in every order, from everywhere.

use crate::gate::{Gate, knock, wait_at};
use mp::{ErrorKind, Pool};
use mp_tests::{is_emulated, lives, living_children, scenario, until};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
fn pid() -> u32 {
    std::process::id()
}

#[mp::task]
fn knock_first(gate: &str) {
    knock(gate, 0);
}

type Step = fn(&Pool);

/// What one can do to a pool that ends, or may end, it.
const STEPS: [(&str, Step); 5] = [
    ("close", |pool| pool.close()),
    ("terminate", |pool| pool.terminate()),
    ("join", |pool| {
        if let Err(error) = pool.join() {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        }
    }),
    ("shutdown", |pool| pool.shutdown(false).unwrap()),
    ("shutdown and cancel", |pool| pool.shutdown(true).unwrap()),
];

#[track_caller]
fn check_over(pool: &Pool) {
    assert!(pool.workers().is_empty());
    assert!(pool.join().is_ok(), "again at once");
    assert!(pool.apply(square, (1,)).unwrap_err().is_closed());
    assert!(pool.map(square, 0..3).unwrap_err().is_closed());
    assert!(
        pool.try_map(square, 0..3).iter().all(|outcome| outcome.as_ref().is_err_and(mp::Error::is_closed))
    );
    assert!(pool.apply_async(square, (1,)).wait().unwrap_err().is_closed());
    assert!(pool.map_async(square, 0..3).wait().unwrap_err().is_closed());
    assert!(pool.imap(square, 0..3).next().unwrap().unwrap_err().is_closed());
    assert!(pool.imap_unordered(square, 0..3).next().unwrap().1.unwrap_err().is_closed());
}

#[test]
fn a_pool_can_be_ended_in_every_order_and_twice() {
    scenario(|| {
        for (first, one) in STEPS {
            for (second, two) in STEPS {
                for used in [false, true] {
                    let pool = Pool::new(1).unwrap();
                    if used {
                        assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
                    }
                    one(&pool);
                    two(&pool);
                    if (first, second) != ("join", "join") {
                        two(&pool);
                        pool.join().unwrap();
                        check_over(&pool);
                    }
                    drop(pool);
                    assert!(living_children(std::process::id()).is_empty(), "{first}, {second}, {used}");
                }
            }
        }
    });
}

#[test]
fn joining_an_open_pool_is_an_error() {
    scenario(|| {
        let pool = Pool::builder().workers(1).name("open").build().unwrap();
        let error = pool.join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("\"open\"") && error.to_string().contains("close"), "{error}");
        assert_eq!(pool.apply(square, (3,)).unwrap(), 9, "no harm is done");
    });
}

#[test]
fn a_closed_pool_does_what_it_has_promised() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let handles: Vec<_> = (0..20).map(|word| pool.apply_async(wait_at, (gate.name(), word))).collect();
        let guest = gate.guest();
        pool.close();
        assert!(pool.apply(square, (1,)).unwrap_err().is_closed());
        drop(guest);
        (1..20).for_each(|word| assert_eq!(gate.guest().word, word));
        pool.join().unwrap();
        assert_eq!(handles.into_iter().map(|handle| handle.wait().unwrap()).sum::<i64>(), 190);
        check_over(&pool);
    });
}

#[test]
fn a_closed_pool_ends_by_itself() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let pids = pool.map(square, 0..10).unwrap();
        pool.close();
        until(|| living_children(std::process::id()).is_empty());
        assert_eq!(pids.len(), 10);
    });
}

#[test]
fn shutdown_cancels_or_runs_what_has_not_started() {
    scenario(|| {
        for cancel in [false, true] {
            let gate = Gate::new();
            let pool = Pool::new(1).unwrap();
            let handles: Vec<_> = (0..4).map(|word| pool.apply_async(wait_at, (gate.name(), word))).collect();
            let guest = gate.guest();
            thread::scope(|scope| {
                let ending = scope.spawn(|| pool.shutdown(cancel));
                if cancel {
                    until(|| handles[3].is_ready());
                }
                assert!(!handles[0].is_ready(), "what runs goes on");
                drop(guest);
                if !cancel {
                    (1..4).for_each(|_| drop(gate.guest()));
                }
                ending.join().unwrap().unwrap();
            });
            let outcomes: Vec<_> =
                handles.iter().map(|handle| handle.wait().map_err(|error| error.kind())).collect();
            let rest = |word| if cancel { Err(ErrorKind::Cancelled) } else { Ok(word) };
            assert_eq!(outcomes, [Ok(0), rest(1), rest(2), rest(3)]);
            check_over(&pool);
        }
    });
}

#[test]
fn terminating_ends_what_runs_and_what_waits() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(2).unwrap();
        let handles: Vec<_> = (0..10).map(|word| pool.apply_async(wait_at, (gate.name(), word))).collect();
        let guests = [gate.guest(), gate.guest()];
        pool.terminate();
        assert!(guests.iter().all(|guest| !lives(guest.pid)), "the workers are gone when it returns");
        assert!(handles.iter().all(|handle| handle.is_ready() && handle.wait().unwrap_err().is_closed()));
        check_over(&pool);
    });
}

#[test]
fn terminating_frees_those_who_wait_on_other_threads() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(2).unwrap();
        thread::scope(|scope| {
            let waiting = [
                scope.spawn(|| pool.apply(wait_at, (gate.name(), 1)).unwrap_err()),
                scope.spawn(|| pool.starmap(wait_at, [(gate.name(), 2), (gate.name(), 3)]).unwrap_err()),
                scope.spawn(|| pool.apply_async(wait_at, (gate.name(), 4)).wait().unwrap_err()),
                scope.spawn(|| {
                    let handle = pool.apply_async(wait_at, (gate.name(), 5));
                    assert_eq!(mp::wait([&handle], mp::When::All, None).done.len(), 1);
                    handle.wait().unwrap_err()
                }),
            ];
            let guests = [gate.guest(), gate.guest()];
            pool.terminate();
            drop(guests);
            for thread in waiting {
                assert!(thread.join().unwrap().is_closed());
            }
        });
    });
}

#[test]
fn a_pool_is_ended_by_several_threads_at_once() {
    scenario(|| {
        for round in 0..10 {
            let gate = Gate::new();
            let pool = Pool::new(2).unwrap();
            let handles: Vec<_> = (0..9).map(|word| pool.apply_async(wait_at, (gate.name(), word))).collect();
            let guest = gate.guest();
            thread::scope(|scope| {
                for (at, (_, step)) in STEPS.iter().enumerate() {
                    let pool = &pool;
                    scope.spawn(move || (0..(round + at) % 3).for_each(|_| step(pool)));
                }
                scope.spawn(|| pool.terminate());
            });
            drop(guest);
            assert!(handles.into_iter().all(|handle| handle.wait().is_err()));
            check_over(&pool);
        }
    });
}

#[test]
fn a_pool_can_be_ended_while_it_starts() {
    scenario(|| {
        for (_, step) in STEPS {
            let gate = Gate::new();
            let pool = Pool::builder().workers(2).initializer(knock_first, (gate.name(),)).build().unwrap();
            let handle = pool.apply_async(square, (3,));
            thread::scope(|scope| {
                let ending = scope.spawn(|| step(&pool));
                drop(gate);
                ending.join().unwrap();
            });
            pool.terminate();
            if let Err(error) = handle.wait() {
                assert!(error.is_closed() || error.is_cancelled(), "{error}");
            }
            check_over(&pool);
        }
    });
}

#[test]
fn a_pool_stuck_in_its_initializer_can_be_terminated() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::builder().workers(2).initializer(knock_first, (gate.name(),)).build().unwrap();
        let handle = pool.apply_async(square, (3,));
        let guests = [gate.guest(), gate.guest()];
        pool.terminate();
        assert!(guests.iter().all(|guest| !lives(guest.pid)));
        assert!(handle.wait().unwrap_err().is_closed());
    });
}

#[test]
fn dropping_a_pool_resolves_its_handles() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::builder().workers(1).grace(Duration::ZERO).build().unwrap();
        let handles: Vec<_> = (0..5).map(|word| pool.apply_async(wait_at, (gate.name(), word))).collect();
        let guest = gate.guest();
        drop(pool);
        assert!(!lives(guest.pid));
        assert!(handles.into_iter().all(|handle| handle.wait().unwrap_err().is_closed()));
    });
}

#[mp::task]
fn long(len: usize) -> Vec<u8> {
    vec![7; len]
}

#[test]
fn a_pool_can_be_dropped_in_the_middle_of_a_long_result() {
    scenario(|| {
        for _ in 0..100 {
            let pool = Pool::builder().workers(1).grace(Duration::ZERO).build().unwrap();
            let handle = pool.apply_async(long, (8 << 20,));
            thread::scope(|scope| {
                // Somebody who wants the lock all the time: the helper thread lets go of it between two pieces of a result.
                let looking = scope.spawn(|| until(|| handle.is_ready()));
                until(|| handle.is_running() || handle.is_ready());
                drop(pool);
                looking.join().unwrap();
            });
            assert!(handle.wait().map_or_else(|error| error.is_closed(), |bytes| bytes.len() == 8 << 20));
        }
    });
}

#[test]
fn a_dropped_pool_lets_what_runs_end_within_the_grace() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::builder().workers(1).grace(Duration::from_secs(3600)).build().unwrap();
        let running = pool.apply_async(wait_at, (gate.name(), 1));
        let waiting = pool.apply_async(wait_at, (gate.name(), 2));
        let guest = gate.guest();
        thread::scope(|scope| {
            let dropping = scope.spawn(|| drop(pool));
            assert!(waiting.wait().unwrap_err().is_closed());
            assert!(lives(guest.pid));
            drop(guest);
            dropping.join().unwrap();
        });
        assert_eq!(running.wait().unwrap(), 1);
    });
}

#[test]
fn the_grace_of_a_drop_ends_and_terminating_cuts_it_short() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::builder().workers(1).grace(Duration::from_millis(20)).build().unwrap();
        let running = pool.apply_async(wait_at, (gate.name(), 1));
        let guest = gate.guest();
        drop(pool);
        assert!(!lives(guest.pid) && running.wait().unwrap_err().is_closed());
        let pool = Arc::new(Pool::builder().workers(1).grace(Duration::from_secs(3600)).build().unwrap());
        let running = pool.apply_async(wait_at, (gate.name(), 1));
        let guest = gate.guest();
        let other = pool.clone();
        let shutting = thread::spawn(move || other.shutdown(true));
        pool.terminate();
        shutting.join().unwrap().unwrap();
        assert!(!lives(guest.pid) && running.wait().unwrap_err().is_closed());
    });
}

static LAST: Mutex<Option<Arc<Pool>>> = Mutex::new(None);

#[mp::task]
fn drop_own_pool(gate: &str) {
    let pool = LAST.lock().unwrap().take();
    knock(gate, 0);
    drop(pool);
}

#[test]
fn a_pool_dropped_by_its_own_task_leaves_nothing_behind() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Arc::new(Pool::builder().workers(2).backend(mp::Backend::Thread).build().unwrap());
        *LAST.lock().unwrap() = Some(pool.clone());
        let handle = pool.apply_async(drop_own_pool, (gate.name(),));
        let guest = gate.guest();
        drop(pool);
        drop(guest);
        assert!(handle.wait().unwrap_err().is_closed(), "its end was not waited for");
    });
}

#[test]
fn pools_come_and_go() {
    // A start is slow there.
    let rounds = if is_emulated() { 20 } else { 50 };
    scenario(|| {
        for round in 0..rounds {
            let pool = Pool::new(2).unwrap();
            if round % 3 == 0 {
                continue;
            }
            assert_eq!(pool.apply(square, (round,)).unwrap(), round * round);
        }
        let many: Vec<Pool> = (0..10).map(|_| Pool::new(1).unwrap()).collect();
        let pids: std::collections::BTreeSet<u32> =
            many.iter().map(|pool| pool.apply(pid, ()).unwrap()).collect();
        assert_eq!(pids.len(), 10);
    });
}

#[mp::task]
fn wait_for(end: &mp::sync::Event) {
    end.wait();
}

#[test]
fn calls_to_idle_workers_do_not_wait_for_a_thread_that_sleeps_on_another_call() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let end = mp::sync::Event::new().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| pool.apply(wait_for, (&end,)).unwrap());
            until(|| pool.workers().len() == 2);
            // A tenth of a second for each would be too long for the watchdog.
            for number in 0..3000 {
                assert_eq!(pool.apply(square, (number,)).unwrap(), number * number);
            }
            end.set();
        });
    });
}

#[test]
fn a_join_beside_an_open_imap_of_the_same_thread_is_a_deadlock_and_one_of_another_thread_is_waited_for() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let mut squares = pool.imap(square, 0..500);
        assert_eq!(squares.next().unwrap().unwrap(), 0);
        pool.close();
        for refused in [pool.join(), pool.shutdown(false)] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Deadlock);
            assert!(error.to_string().contains("take the rest, or drop it"), "{error}");
        }
        thread::scope(|scope| {
            let joined = scope.spawn(|| pool.join());
            let rest: Vec<_> = squares.by_ref().map(Result::unwrap).collect();
            assert_eq!(rest, (1..500).map(|x| x * x).collect::<Vec<_>>());
            assert!(squares.next().is_none());
            joined.join().unwrap().unwrap();
        });
        assert!(pool.workers().is_empty());
    });
}

#[test]
fn a_shutdown_that_cancels_ends_an_open_imap() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let mut squares = pool.imap(square, 0..);
        assert_eq!(squares.next().unwrap().unwrap(), 0);
        pool.shutdown(true).unwrap();
        assert!(pool.workers().is_empty());
        // What had run is there, the rest says why it is not.
        let first = squares.by_ref().find_map(Result::err).unwrap();
        assert!(first.is_cancelled() || first.is_closed(), "{first}");
        assert!(squares.by_ref().take(500).filter_map(Result::err).any(|error| error.is_closed()));
    });
}

#[test]
fn a_join_that_takes_too_long_is_an_error_and_the_pool_goes_on() {
    scenario(|| {
        let (pool, gate) = (Pool::new(1).unwrap(), Gate::new());
        assert_eq!(
            pool.join_timeout(Duration::ZERO).unwrap_err().kind(),
            ErrorKind::InvalidInput,
            "it is open"
        );
        let handle = pool.apply_async(wait_at, (gate.name(), 7));
        let guest = gate.guest();
        pool.close();
        for timeout in [Duration::ZERO, Duration::from_millis(5)] {
            let error = pool.join_timeout(timeout).unwrap_err();
            assert!(error.is_timeout() && error.to_string().contains("has not ended within"), "{error}");
        }
        drop(guest);
        pool.join_timeout(Duration::MAX).unwrap();
        assert_eq!(handle.wait().unwrap(), 7);
        pool.join_timeout(Duration::ZERO).unwrap();
    });
}
