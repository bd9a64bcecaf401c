//! One death costs one item, and too many deaths in a row end the pool.

use crate::kinds::{End, Kind, Order, Place, one};
use crate::table::{builder, whole};
use mp::shm::Atomic;
use mp::{ErrorKind, Restart};
use mp_tests::{scenario, until};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const DEADLY: [(u64, Kind); 5] = [
    (17, Kind::Abort),
    (250, Kind::Kill),
    (499, Kind::PanicInDrop),
    (731, Kind::Exit0),
    (998, Kind::Segfault),
];

fn end_of(number: u64) -> Option<Kind> {
    DEADLY.iter().find(|(deadly, _)| *deadly == number).map(|(_, kind)| *kind)
}

fn dying(kind: Kind) -> End {
    End { place: Place::Running, kind, aloud: false }
}

fn thousand() -> impl Iterator<Item = Order> {
    (0..1000).map(|number| Order { number, end: end_of(number).map(dying) })
}

#[test]
fn of_a_thousand_items_exactly_the_five_deadly_ones_fail() {
    scenario(|| {
        let pool = builder(3).build().unwrap();
        let outcomes = pool.try_map(one, thousand());
        assert_eq!(outcomes.len(), 1000);
        for (number, outcome) in (0..).zip(outcomes) {
            match (outcome, end_of(number)) {
                (Ok(answer), None) => assert_eq!(answer.number, number),
                (Err(error), Some(kind)) => kind.check(&error, "::one", Some(number), false),
                (outcome, end) => panic!("item {number} with {end:?}: {outcome:?}"),
            }
        }
        whole(&pool, 3);
    });
}

/// How often `short` was started, in all processes.
static STARTED: OnceLock<Atomic<AtomicU64>> = OnceLock::new();

#[mp::task]
fn count_with(started: Atomic<AtomicU64>) {
    STARTED.set(started).unwrap();
}

#[mp::task]
fn short(number: u64) -> u64 {
    STARTED.get().unwrap().fetch_add(1, Ordering::Relaxed);
    if number % 1999 == 1998 {
        std::process::abort();
    }
    number + 1
}

/// Results of short items travel in runs: those before a death count and are not run again, those behind run elsewhere.
#[test]
fn a_death_in_the_middle_of_a_run_costs_one_item_and_runs_none_twice() {
    const ITEMS: u64 = 20_000;
    scenario(|| {
        let started = Atomic::new(AtomicU64::new(0)).unwrap();
        let pool = builder(2).initializer(count_with, (started.clone(),)).build().unwrap();
        let outcomes = pool.try_map(short, 0..ITEMS);
        assert_eq!(outcomes.len() as u64, ITEMS);
        for (number, outcome) in (0..).zip(outcomes) {
            match outcome {
                Ok(next) => assert!(next == number + 1 && number % 1999 != 1998, "item {number}: {next}"),
                Err(error) => {
                    assert_eq!(
                        (error.kind(), error.item()),
                        (ErrorKind::WorkerLost, Some(number)),
                        "{error:?}"
                    );
                    assert_eq!(number % 1999, 1998, "{error:?}");
                }
            }
        }
        assert_eq!(started.load(Ordering::Relaxed), ITEMS, "an item was run twice, or not at all");
    });
}

#[test]
fn a_map_reports_the_first_deadly_item_whichever_dies_first() {
    scenario(|| {
        for _ in 0..5 {
            let pool = builder(3).build().unwrap();
            let error = pool.map(one, thousand()).unwrap_err();
            Kind::Abort.check(&error, "::one", Some(17), false);
            whole(&pool, 3);
        }
    });
}

#[test]
fn a_task_that_always_dies_ends_the_pool_and_every_handle_resolves() {
    scenario(|| {
        for kind in [Kind::Abort, Kind::Kill, Kind::Exit7, Kind::StackOverflow] {
            let pool = builder(2).build().unwrap();
            let fatal = Order { number: 0, end: Some(dying(kind)) };
            let handles: Vec<_> = (0..50).map(|_| pool.apply_async(one, (fatal,))).collect();
            let outcomes = pool.try_map(one, (0..10_000).map(|_| fatal));
            assert_eq!(outcomes.len(), 10_000);
            let mut lost = 0;
            for error in handles.iter().map(mp::TaskHandle::wait).chain(outcomes).map(Result::unwrap_err) {
                kind.check_death(error.worker_lost().unwrap());
                match error.kind() {
                    ErrorKind::WorkerLost => lost += 1,
                    other => assert_eq!(other, ErrorKind::CrashLoop, "{error:?}"),
                }
            }
            // Three deaths a worker are borne; the one too many has its victim, and so may the other worker.
            assert!((1..=8).contains(&lost), "{lost} items were lost");
            let late = pool.apply(one, (fatal,)).unwrap_err();
            assert_eq!(late.kind(), ErrorKind::CrashLoop, "{late:?}");
            kind.check_death(late.worker_lost().unwrap());
            until(|| pool.workers().is_empty());
            pool.join().unwrap();
        }
    });
}

#[test]
fn the_number_of_deaths_that_are_borne_can_be_chosen() {
    scenario(|| {
        let restart = Restart { at_most: 0, per: Duration::from_secs(60) };
        let pool = builder(1).restart(restart).build().unwrap();
        let fatal = Order { number: 0, end: Some(dying(Kind::Abort)) };
        let first = pool.apply(one, (fatal,)).unwrap_err();
        assert_eq!(first.kind(), ErrorKind::WorkerLost, "{first:?}");
        let second = pool.apply(one, (Order { number: 0, end: None },)).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::CrashLoop, "{second:?}");
    });
}

#[test]
fn items_that_end_between_deaths_keep_the_pool_alive() {
    scenario(|| {
        let pool = builder(1).build().unwrap();
        for number in 0..30 {
            let error = pool.apply(one, (Order { number, end: Some(dying(Kind::Abort)) },)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WorkerLost, "death {number}: {error:?}");
            assert_eq!(pool.apply(one, (Order { number, end: None },)).unwrap().number, number);
        }
    });
}

#[test]
fn workers_are_recycled_by_tasks_also_when_some_of_them_die() {
    scenario(|| {
        let pool = builder(2).max_tasks_per_worker(3).build().unwrap();
        let deadly = |number: u64| number % 7 == 5;
        let orders =
            (0..200).map(|number| Order { number, end: deadly(number).then_some(dying(Kind::Kill)) });
        for (number, outcome) in (0..).zip(pool.try_map(one, orders)) {
            match outcome {
                Ok(answer) => assert_eq!((answer.number, deadly(number)), (number, false)),
                Err(error) if deadly(number) => Kind::Kill.check(&error, "::one", Some(number), false),
                Err(error) => panic!("item {number} was innocent: {error:?}"),
            }
        }
        whole(&pool, 2);
    });
}
