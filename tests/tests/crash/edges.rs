//! Deaths before, after and between calls: they cost no item.

use crate::kinds::{Kind, Order};
use crate::rounds;
use crate::scratch::Scratch;
use crate::table::{builder, whole};
use crate::verbs::{Outcome, VERBS, Verb, verbs};
use mp::{Error, ErrorKind};
use mp_tests::{Signal, lives, scenario, send, until};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const WORKERS: usize = 2;

/// Strikes the first that comes here.
#[mp::task]
fn strike_once(kind: Kind, flag: &Path) {
    if File::create_new(flag).is_ok() {
        kind.strike(false);
    }
}

/// Returns, and dies a moment later if told so.
#[mp::task]
fn die_behind(_event: mp::sync::Event, dies: bool) {
    if dies {
        std::thread::spawn(|| Kind::Kill.strike(false));
    }
}

#[test]
fn what_a_worker_answered_before_it_died_counts_also_if_the_next_call_has_descriptors() {
    scenario(|| {
        let restart = mp::Restart { at_most: 10_000, per: std::time::Duration::from_secs(1) };
        let pool = builder(WORKERS).restart(restart).build().unwrap();
        let event = mp::sync::Event::new().unwrap();
        for _ in 0..rounds(30) {
            for outcome in pool.try_starmap(die_behind, (0..30).map(|number| (&event, number % 10 == 9))) {
                // Those that were running are lost, to who killed them and not to the call behind them.
                let said = outcome.err().map(|error| error.to_string());
                assert!(said.is_none_or(|said| !said.contains("could not be sent")));
            }
        }
    });
}

/// Leaves a byte in `log` and strikes.
#[mp::task]
fn strike_always(kind: Kind, log: PathBuf) {
    OpenOptions::new().append(true).create(true).open(log).unwrap().write_all(b".").unwrap();
    kind.strike(false);
}

pub fn orders(count: u64) -> Vec<Order> {
    (0..count).map(|number| Order { number, end: None }).collect()
}

/// The values of orders of which none may fail.
pub fn values(outcome: Outcome) -> Vec<u64> {
    match outcome {
        Outcome::Each(outcomes) => outcomes.into_iter().collect::<Result<_, _>>().unwrap(),
        Outcome::All(outcome) => outcome.unwrap(),
    }
}

/// The errors of orders of which all must fail.
pub fn errors(outcome: Outcome) -> Vec<Error> {
    match outcome {
        Outcome::Each(outcomes) => outcomes.into_iter().map(|outcome| outcome.unwrap_err()).collect(),
        Outcome::All(outcome) => vec![outcome.unwrap_err()],
    }
}

#[test]
fn a_death_in_the_initializer_costs_no_item() {
    scenario(|| {
        for kind in Kind::deadly().filter(|kind| *kind != Kind::Panic) {
            for &verb in verbs() {
                let scratch = Scratch::new();
                let pool =
                    builder(WORKERS).initializer(strike_once, (kind, &scratch.file("flag"))).build().unwrap();
                let numbers = values(verb.run(&pool, &orders(6)));
                assert_eq!(numbers, [0, 1, 2, 3, 4, 5], "{kind:?} in {verb:?}");
                assert!(scratch.file("flag").exists(), "nobody was struck");
                whole(&pool, WORKERS);
            }
        }
    });
}

#[test]
fn an_initializer_that_always_dies_ends_the_pool_and_names_the_last_death() {
    scenario(|| {
        for kind in Kind::deadly().filter(|kind| *kind != Kind::Panic) {
            let few = [Verb::Apply, Verb::Await, Verb::Map, Verb::TryMap, Verb::Imap];
            for verb in few.into_iter().filter(|verb| !mp_tests::is_slow() || verbs().contains(verb)) {
                let scratch = Scratch::new();
                let pool =
                    builder(WORKERS).initializer(strike_always, (kind, scratch.file("log"))).build().unwrap();
                for error in errors(verb.run(&pool, &orders(6))) {
                    assert_eq!(error.kind(), ErrorKind::CrashLoop, "{kind:?} in {verb:?}: {error:?}");
                    kind.check_death(error.worker_lost().unwrap());
                }
                // Three deaths a worker are borne, and when it is over each place may have one more under way.
                let started = fs::metadata(scratch.file("log")).unwrap().len();
                assert!((4..=4 * WORKERS as u64 + 1).contains(&started), "{started} processes were started");
                until(|| pool.workers().is_empty());
            }
        }
    });
}

#[test]
fn an_initializer_that_panics_ends_the_pool_with_its_panic() {
    scenario(|| {
        for verb in VERBS {
            let scratch = Scratch::new();
            let pool = builder(WORKERS)
                .initializer(strike_always, (Kind::Panic, scratch.file("log")))
                .build()
                .unwrap();
            for round in 0..2 {
                for error in errors(verb.run(&pool, &orders(6))) {
                    assert_eq!(
                        error.kind(),
                        ErrorKind::InitializerFailed,
                        "{verb:?}, round {round}: {error:?}"
                    );
                    assert_eq!(error.panic().unwrap().message, "struck by Panic");
                }
            }
            assert!(fs::metadata(scratch.file("log")).unwrap().len() <= WORKERS as u64);
            until(|| pool.workers().is_empty());
        }
    });
}

#[test]
fn a_finalizer_that_dies_or_gets_stuck_costs_no_item_and_holds_nobody_up() {
    scenario(|| {
        for kind in Kind::deadly().chain([Kind::Stuck, Kind::Stopped]) {
            let scratch = Scratch::new();
            let log = scratch.file("log");
            let pool = builder(WORKERS).finalizer(strike_always, (kind, log.clone())).build().unwrap();
            assert_eq!(values(Verb::Map.run(&pool, &orders(6))), [0, 1, 2, 3, 4, 5], "{kind:?}");
            pool.shutdown(false).unwrap();
            assert!(pool.workers().is_empty(), "{kind:?}");
            assert!(log.exists(), "{kind:?}: no finalizer ran");
        }
    });
}

#[test]
fn workers_whose_finalizers_die_are_recycled_like_others() {
    scenario(|| {
        for kind in Kind::deadly() {
            let scratch = Scratch::new();
            let pool = builder(WORKERS)
                .finalizer(strike_always, (kind, scratch.file("log")))
                .max_tasks_per_worker(2)
                .build()
                .unwrap();
            let numbers = values(Verb::TryMap.run(&pool, &orders(20)));
            assert_eq!(numbers, (0..20).collect::<Vec<_>>(), "{kind:?}");
            whole(&pool, WORKERS);
            let finalized = fs::metadata(scratch.file("log")).unwrap().len();
            assert!(finalized >= 8, "{kind:?}: {finalized} finalizers for 20 items");
        }
    });
}

#[test]
fn a_worker_killed_while_idle_costs_no_item() {
    scenario(|| {
        for verb in VERBS {
            let pool = builder(WORKERS).build().unwrap();
            whole(&pool, WORKERS);
            for signals in [
                &[Signal::Kill][..],
                &[Signal::Terminate],
                &[Signal::Segfault],
                &[Signal::Abort],
                &[Signal::User],
                &[Signal::Stop, Signal::Kill],
            ] {
                let victim = pool.workers()[0].pid;
                for signal in signals {
                    send(victim, *signal).unwrap();
                }
                if signals.contains(&Signal::Segfault) {
                    // It has a handler, which any thread may run: until that is through, the others go on, and may take an
                    // item that dies with them.
                    until(|| !lives(victim));
                }
                assert_eq!(
                    values(verb.run(&pool, &orders(6))),
                    [0, 1, 2, 3, 4, 5],
                    "{signals:?} in {verb:?}"
                );
                until(|| !lives(victim));
                whole(&pool, WORKERS);
                assert!(pool.workers().iter().all(|worker| worker.pid != victim));
            }
        }
    });
}

#[test]
fn all_workers_killed_at_once_while_idle_cost_no_item() {
    scenario(|| {
        let pool = builder(4).build().unwrap();
        whole(&pool, 4);
        for worker in pool.workers() {
            send(worker.pid, Signal::Kill).unwrap();
        }
        assert_eq!(values(Verb::Map.run(&pool, &orders(100))), (0..100).collect::<Vec<_>>());
        whole(&pool, 4);
    });
}

/// Says who worked, once so many are at work.
#[mp::task]
fn meet(all: mp::sync::Barrier) -> u32 {
    all.wait().unwrap();
    std::process::id()
}

#[test]
fn of_many_workers_each_is_heard_and_replaced() {
    const MANY: usize = 80;
    scenario(|| {
        let pool = builder(MANY).build().unwrap();
        let all = mp::sync::Barrier::new(MANY as u32).unwrap();
        let everybody = || {
            let handles: Vec<_> = (0..MANY).map(|_| pool.apply_async(meet, (all.clone(),))).collect();
            handles.iter().map(|handle| handle.wait().unwrap()).collect::<BTreeSet<u32>>()
        };
        let before = everybody();
        assert_eq!(before.len(), MANY);
        let victim = pool.workers().last().unwrap().pid;
        send(victim, Signal::Kill).unwrap();
        until(|| !lives(victim));
        let after = everybody();
        assert_eq!(after.len(), MANY);
        assert_eq!(before.difference(&after).collect::<Vec<_>>(), [&victim]);
    });
}

#[test]
fn a_worker_killed_while_it_starts_costs_no_item() {
    scenario(|| {
        for verb in VERBS {
            let pool = builder(WORKERS).build().unwrap();
            for worker in pool.workers() {
                send(worker.pid, Signal::Kill).unwrap();
            }
            assert_eq!(values(verb.run(&pool, &orders(6))), [0, 1, 2, 3, 4, 5], "{verb:?}");
            whole(&pool, WORKERS);
        }
    });
}
