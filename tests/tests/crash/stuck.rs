//! Calls that never end, ended from outside; and stopping from every state.

use crate::edges::orders;
use crate::kinds::{End, Kind, Order, PLACES, Place, STRUCK, one};
use crate::scratch::Scratch;
use crate::table::{builder, whole};
use crate::verbs::{Outcome, Verb, verbs};
use mp::{Error, ErrorKind, Pool};
use mp_tests::{Signal, lives, scenario, send, until};
use std::path::PathBuf;
use std::thread;

const STUCK: [Kind; 2] = [Kind::Stuck, Kind::Stopped];
const DIES: u64 = 3;

fn with_one(kind: Kind, place: Place) -> Vec<Order> {
    let mut orders = orders(6);
    orders[DIES as usize].end = Some(End { place, kind, aloud: false });
    orders
}

fn check_ended(verb: Verb, outcome: Outcome, cell: &str) {
    match outcome {
        Outcome::All(outcome) => assert!(outcome.unwrap_err().is_closed(), "{cell}"),
        Outcome::Each(outcomes) => {
            assert_eq!(outcomes.len(), 6, "{cell}");
            assert!(outcomes[DIES as usize].as_ref().is_err_and(Error::is_closed), "{cell}: {outcomes:?}");
            for (number, outcome) in (0..).zip(&outcomes) {
                match outcome {
                    Ok(value) => assert_eq!(*value, number, "{cell}"),
                    Err(error) => {
                        assert!(error.is_closed(), "{cell}: {error:?}");
                        assert_eq!(error.item(), verb.item(number), "{cell}: {error:?}");
                    }
                }
            }
        }
    }
}

fn terminated_while(kind: Kind) {
    scenario(|| {
        for &verb in verbs() {
            for place in PLACES {
                let cell = format!("{kind:?} while {place:?} in {verb:?}");
                let scratch = Scratch::new();
                let pool = builder(2).env(STRUCK, scratch.file("struck")).build().unwrap();
                thread::scope(|scope| {
                    let caller = scope.spawn(|| verb.run(&pool, &with_one(kind, place)));
                    until(|| scratch.file("struck").exists());
                    pool.terminate();
                    pool.terminate();
                    check_ended(verb, caller.join().unwrap(), &cell);
                });
                assert!(pool.workers().is_empty(), "{cell}");
                pool.join().unwrap();
            }
        }
    });
}

#[test]
fn terminate_ends_a_call_that_loops() {
    terminated_while(Kind::Stuck);
}

#[test]
fn terminate_ends_a_call_that_is_stopped() {
    terminated_while(Kind::Stopped);
}

#[test]
fn a_drop_ends_calls_that_never_do_and_their_handles_resolve() {
    scenario(|| {
        for kind in STUCK {
            for place in PLACES {
                let scratch = Scratch::new();
                let pool = builder(2).env(STRUCK, scratch.file("struck")).build().unwrap();
                let handles: Vec<_> =
                    with_one(kind, place).into_iter().map(|order| pool.apply_async(one, (order,))).collect();
                let all = pool.map_async(one, with_one(kind, place));
                until(|| scratch.file("struck").exists());
                drop(pool);
                assert!(all.wait().unwrap_err().is_closed());
                for (number, handle) in (0..).zip(handles) {
                    match handle.wait() {
                        Ok(answer) => assert_eq!((answer.number, number == DIES), (number, false)),
                        Err(error) => assert!(error.is_closed(), "{kind:?} while {place:?}: {error:?}"),
                    }
                }
            }
        }
    });
}

#[test]
fn a_stuck_call_killed_from_outside_fails_alone() {
    scenario(|| {
        for kind in STUCK {
            for &verb in verbs() {
                let scratch = Scratch::new();
                let pool = builder(2).env(STRUCK, scratch.file("struck")).build().unwrap();
                thread::scope(|scope| {
                    let caller = scope.spawn(|| verb.run(&pool, &with_one(kind, Place::Running)));
                    let struck = || std::fs::read_to_string(scratch.file("struck")).ok()?.parse().ok();
                    until(|| struck().is_some());
                    let victim = struck().unwrap();
                    send(victim, Signal::Kill).unwrap();
                    match caller.join().unwrap() {
                        Outcome::All(outcome) => {
                            kind.check(&outcome.unwrap_err(), verb.task(), verb.item(DIES), false);
                        }
                        Outcome::Each(outcomes) => {
                            let error = outcomes[DIES as usize].as_ref().unwrap_err();
                            kind.check(error, verb.task(), verb.item(DIES), false);
                            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 5);
                        }
                    }
                });
                whole(&pool, 2);
            }
        }
    });
}

/// Never ends.
#[mp::task]
fn never_ready(mark: PathBuf) {
    std::fs::File::create(mark).unwrap();
    Kind::Stuck.strike(false);
}

/// Every state in which a pool can be stopped, by name.
fn states(scratch: &Scratch) -> Vec<(&'static str, Pool)> {
    let mark = scratch.file("initializing");
    let starting = builder(2).build().unwrap();
    let initializing = builder(2).initializer(never_ready, (mark.clone(),)).build().unwrap();
    drop(initializing.apply_async(one, (orders(1)[0],)));
    until(|| mark.exists());
    let idle = builder(2).build().unwrap();
    whole(&idle, 2);
    let busy = builder(2).build().unwrap();
    drop(busy.map_async(one, orders(5000)));
    let closed = builder(2).build().unwrap();
    drop(closed.map_async(one, orders(5000)));
    closed.close();
    let crashed = builder(2).build().unwrap();
    let fatal =
        Order { number: 0, end: Some(End { place: Place::Running, kind: Kind::Abort, aloud: false }) };
    assert_eq!(crashed.try_map(one, [fatal; 20])[19].as_ref().unwrap_err().kind(), ErrorKind::CrashLoop);
    let dying = builder(2).build().unwrap();
    for worker in dying.workers() {
        send(worker.pid, Signal::Kill).unwrap();
    }
    vec![
        ("starting", starting),
        ("initializing", initializing),
        ("idle", idle),
        ("busy", busy),
        ("closed", closed),
        ("crashed", crashed),
        ("dying", dying),
    ]
}

#[test]
fn terminate_works_from_every_state_and_by_several_threads_at_once() {
    scenario(|| {
        let scratch = Scratch::new();
        for (state, pool) in states(&scratch) {
            let pids: Vec<_> = pool.workers().iter().map(|worker| worker.pid).collect();
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| pool.terminate());
                }
            });
            assert!(pool.workers().is_empty() && !pids.into_iter().any(lives), "{state}");
            pool.join().unwrap();
            let error = pool.apply(one, (orders(1)[0],)).unwrap_err();
            assert!(error.is_closed() || error.kind() == ErrorKind::CrashLoop, "{state}: {error:?}");
        }
    });
}

#[test]
fn drop_works_from_every_state() {
    scenario(|| {
        let scratch = Scratch::new();
        for (state, pool) in states(&scratch) {
            let pids: Vec<_> = pool.workers().iter().map(|worker| worker.pid).collect();
            drop(pool);
            assert!(!pids.into_iter().any(lives), "{state}");
        }
    });
}

#[test]
fn callbacks_and_waits_on_several_handles_end_with_the_pool() {
    scenario(|| {
        let scratch = Scratch::new();
        let pool = builder(1).env(STRUCK, scratch.file("struck")).build().unwrap();
        let handles: Vec<_> = with_one(Kind::Stuck, Place::Running)
            .into_iter()
            .map(|order| pool.apply_async(one, (order,)))
            .collect();
        let (send, receive) = std::sync::mpsc::channel();
        pool.apply_async(one, (orders(1)[0],)).on_done(move |outcome| send.send(outcome.is_err()).unwrap());
        until(|| scratch.file("struck").exists());
        thread::scope(|scope| {
            let waiting = scope.spawn(|| mp::wait(&handles, mp::When::All, None).done.len());
            let completing = scope.spawn(|| mp::as_completed(&handles).count());
            pool.terminate();
            assert_eq!((waiting.join().unwrap(), completing.join().unwrap()), (6, 6));
        });
        assert!(receive.recv().unwrap(), "the callback hears of the end");
    });
}
