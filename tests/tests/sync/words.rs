//! Semaphores, events and barriers, by threads of one process.

use mp::ErrorKind;
use mp::sync::{Barrier, BoundedSemaphore, Event, Semaphore};
use mp_tests::{scenario, until};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(30);

#[test]
fn a_semaphore_counts() {
    scenario(|| {
        let semaphore = Semaphore::new(2).unwrap();
        semaphore.acquire();
        assert!(semaphore.try_acquire() && semaphore.value() == 0);
        assert!(!semaphore.try_acquire());
        assert!(!semaphore.acquire_timeout(Duration::ZERO));
        let start = Instant::now();
        assert!(!semaphore.acquire_timeout(SHORT));
        assert!(start.elapsed() >= SHORT);
        semaphore.release_many(5).unwrap();
        assert!(semaphore.acquire_timeout(Duration::ZERO));
        assert_eq!(semaphore.value(), 4);
        assert_eq!(semaphore.release_many(u32::MAX).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(semaphore.value(), 4);
        assert_eq!(Semaphore::new(u32::MAX).unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_bounded_semaphore_refuses_what_was_not_taken() {
    scenario(|| {
        let semaphore = BoundedSemaphore::new(1).unwrap();
        assert_eq!(semaphore.release().unwrap_err().kind(), ErrorKind::InvalidInput);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        semaphore.acquire();
                        assert_eq!(semaphore.value(), 0);
                        semaphore.release().unwrap();
                    }
                });
            }
        });
        assert_eq!(semaphore.value(), 1);
    });
}

#[test]
fn an_event_is_set_until_it_is_cleared() {
    scenario(|| {
        let event = Event::new().unwrap();
        assert!(!event.is_set() && !event.wait_timeout(Duration::ZERO) && !event.wait_timeout(SHORT));
        event.set();
        event.set();
        assert!(event.is_set() && event.wait_timeout(Duration::ZERO));
        event.wait();
        event.clear();
        assert!(!event.is_set());
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..3).map(|_| scope.spawn(|| event.wait_timeout(Duration::MAX))).collect();
            // Who waits goes on, also when the event is cleared at once.
            until(|| {
                event.set();
                event.clear();
                waiters.iter().all(thread::ScopedJoinHandle::is_finished)
            });
            assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
        });
    });
}

#[test]
fn a_barrier_lets_all_go_at_once_each_with_another_number() {
    scenario(|| {
        let barrier = Barrier::new(4).unwrap();
        let acted = AtomicU32::new(0);
        let act = || {
            acted.fetch_add(1, Ordering::SeqCst);
        };
        thread::scope(|scope| {
            let parties: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut numbers = Vec::new();
                        for round in 1..=50 {
                            numbers.push(barrier.wait().unwrap());
                            barrier.wait_with_action(act).unwrap();
                            assert_eq!(acted.load(Ordering::SeqCst), round);
                            barrier.wait().unwrap();
                        }
                        numbers
                    })
                })
                .collect();
            let all: Vec<_> = parties.into_iter().map(|party| party.join().unwrap()).collect();
            for round in 0..50 {
                let mut numbers: Vec<_> = all.iter().map(|numbers| numbers[round]).collect();
                numbers.sort_unstable();
                assert_eq!(numbers, [0, 1, 2, 3]);
            }
        });
        assert_eq!((barrier.n_waiting(), barrier.parties(), barrier.is_broken()), (0, 4, false));
        assert_eq!(Barrier::new(0).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(Barrier::new(1).unwrap().wait().unwrap(), 0);
    });
}

/// What an error says about a barrier that broke.
fn why(error: &mp::Error) -> String {
    assert_eq!(error.kind(), ErrorKind::BrokenBarrier);
    error.to_string()
}

/// One party waits; `end` is done meanwhile. Says how the wait ended.
fn one_waits(barrier: &Barrier, end: impl FnOnce()) -> Result<u32, String> {
    thread::scope(|scope| {
        let party = scope.spawn(|| barrier.wait().map_err(|error| why(&error)));
        until(|| barrier.n_waiting() == 1);
        end();
        party.join().unwrap()
    })
}

#[test]
fn a_barrier_breaks_and_can_be_reset() {
    scenario(|| {
        let check = |ended: Result<u32, String>, part: &str| {
            let text = ended.unwrap_err();
            assert!(text.contains(part), "{part:?} is not in {text}");
        };
        let barrier = Barrier::new(2).unwrap();
        let wait_for = |timeout| barrier.wait_timeout(timeout).map_err(|error| why(&error));
        check(one_waits(&barrier, || barrier.abort()), "Barrier::abort");
        assert!(barrier.is_broken());
        check(wait_for(Duration::MAX), "Barrier::abort");
        barrier.reset();
        assert!(!barrier.is_broken());
        check(one_waits(&barrier, || barrier.reset()), "was reset");
        assert!(!barrier.is_broken());
        for timeout in [SHORT, Duration::ZERO] {
            check(wait_for(timeout), "a time-out passed");
            assert!(barrier.is_broken());
            barrier.abort();
            check(wait_for(timeout), "a time-out passed");
            barrier.reset();
        }
        let mut acted = 0;
        let timed = barrier.wait_timeout_with_action(SHORT, || acted += 1);
        check(timed.map_err(|error| why(&error)), "a time-out passed");
        barrier.reset();
        let mut acts =
            || assert_eq!(barrier.wait_timeout_with_action(Duration::MAX, || acted += 1).unwrap(), 1);
        assert_eq!(one_waits(&barrier, &mut acts), Ok(0));
        assert_eq!(acted, 1, "the last to come acts, and nobody when a time-out passes");
        let panics = || {
            let action = || std::panic::resume_unwind(Box::new(()));
            assert!(catch_unwind(AssertUnwindSafe(|| barrier.wait_with_action(action))).is_err());
        };
        check(one_waits(&barrier, panics), "its action did not end well");
        barrier.reset();
        assert_eq!(one_waits(&barrier, || assert_eq!(barrier.wait().unwrap(), 1)), Ok(0));
    });
}

/// How often this process has acted.
static ACTED: AtomicU32 = AtomicU32::new(0);

#[mp::task]
fn act() {
    ACTED.fetch_add(1, Ordering::SeqCst);
}

#[mp::task]
fn act_and_fail() {
    panic!("no action");
}

/// Waits so often; says how often this process has acted.
#[mp::task]
fn meet(barrier: Barrier, rounds: u32) -> Result<u32, mp::Error> {
    for _ in 0..rounds {
        barrier.wait()?;
    }
    Ok(ACTED.load(Ordering::SeqCst))
}

#[test]
fn the_action_of_a_barrier_runs_once_a_round_in_the_process_that_comes_last() {
    scenario(|| {
        let barrier = Barrier::with_action(3, act).unwrap();
        let others = [0; 2].map(|_| mp::spawn(meet, (barrier.clone(), 100)).unwrap());
        let mut acted = meet(barrier.clone(), 100).unwrap();
        for other in others {
            acted += other.join().unwrap().unwrap();
        }
        assert_eq!(acted, 100);

        let barrier = Barrier::with_action(2, act_and_fail).unwrap();
        let other = mp::spawn(meet, (barrier.clone(), 1)).unwrap();
        let mut kinds = [barrier.wait(), other.join().unwrap()].map(|met| met.unwrap_err().kind());
        kinds.sort_by_key(|kind| *kind != ErrorKind::Panicked);
        assert_eq!(kinds, [ErrorKind::Panicked, ErrorKind::BrokenBarrier]);

        let refused = Barrier::with_action(2, || ()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotATask);
    });
}
