//! The crash table: each way to die, in each place of a call, under each verb.

use crate::kinds::{End, Kind, Order, PLACES, Place, one};
use crate::verbs::{Outcome, Verb, verbs};
use mp::{Pool, PoolBuilder};
use mp_tests::{lives, scenario, until};
use std::time::Duration;

/// Workers of each pool.
const WORKERS: usize = 2;

/// Items of each cell, and which of them dies.
const ITEMS: u64 = 6;
const DIES: u64 = 3;

/// Backtraces would make each panic take a tenth of a second.
pub fn builder(workers: usize) -> PoolBuilder {
    Pool::builder().workers(workers).grace(Duration::from_millis(200)).env_remove("RUST_BACKTRACE")
}

/// Waits until the pool is whole again and works.
pub fn whole(pool: &Pool, workers: usize) {
    until(|| {
        let answer = pool.apply(one, (Order { number: 77, end: None },)).unwrap();
        assert_eq!(answer.number, 77);
        let there = pool.workers();
        there.len() == workers && there.iter().all(|worker| lives(worker.pid))
    });
}

fn check_cell(pool: &Pool, kind: Kind, place: Place, verb: Verb) {
    // The words of a few, so that nobody has to read hundreds.
    let aloud = verb == Verb::TryMap && place == Place::Running;
    let end = End { place, kind, aloud };
    let orders: Vec<_> =
        (0..ITEMS).map(|number| Order { number, end: (number == DIES).then_some(end) }).collect();
    let cell = format!("{kind:?} while {place:?} in {verb:?}");
    match verb.run(pool, &orders) {
        Outcome::Each(outcomes) => {
            assert_eq!(outcomes.len() as u64, ITEMS, "{cell}");
            for (number, outcome) in (0..).zip(outcomes) {
                match outcome {
                    Ok(value) => assert_eq!((value, number == DIES), (number, false), "{cell}"),
                    Err(error) if number == DIES => kind.check(&error, verb.task(), verb.item(DIES), aloud),
                    Err(error) => panic!("{cell}: item {number} was innocent: {error:?}"),
                }
            }
        }
        Outcome::All(outcome) => {
            kind.check(&outcome.unwrap_err(), verb.task(), verb.item(DIES), aloud);
            let others: Vec<_> = orders.iter().copied().filter(|order| order.end.is_none()).collect();
            let Outcome::All(values) = verb.run(pool, &others) else { panic!("{cell}") };
            assert_eq!(values.unwrap(), [0, 1, 2, 4, 5], "{cell}");
        }
    }
    whole(pool, WORKERS);
}

fn check_kind(kind: Kind) {
    if !Kind::deadly().any(|deadly| deadly == kind) {
        return;
    }
    scenario(|| {
        for &verb in verbs() {
            let pool = builder(WORKERS).build().unwrap();
            for place in PLACES {
                check_cell(&pool, kind, place, verb);
            }
        }
    });
}

macro_rules! kinds {
    ($($(#[$where:meta])* $name:ident: $kind:ident,)*) => {
        $(
            $(#[$where])*
            #[test]
            fn $name() {
                check_kind(Kind::$kind);
            }
        )*

        #[test]
        fn the_table_has_a_row_for_each_kind() {
            assert_eq!([$($(#[$where])* Kind::$kind),*], Kind::DEADLY);
        }
    };
}

kinds! {
    a_panic_fails_its_item_and_no_other: Panic,
    a_panic_while_panicking_fails_its_item_and_no_other: PanicInDrop,
    an_abort_fails_its_item_and_no_other: Abort,
    a_segfault_fails_its_item_and_no_other: Segfault,
    an_illegal_instruction_fails_its_item_and_no_other: Illegal,
    a_stack_overflow_fails_its_item_and_no_other: StackOverflow,
    a_sigkill_fails_its_item_and_no_other: Kill,
    a_sigterm_fails_its_item_and_no_other: Terminate,
    an_exit_with_0_fails_its_item_and_no_other: Exit0,
    an_exit_with_7_fails_its_item_and_no_other: Exit7,
    a_huge_allocation_fails_its_item_and_no_other: Memory,
    #[cfg(not(windows))]
    a_memory_limit_fails_its_item_and_no_other: MemoryLimit,
}

#[test]
fn last_words_are_never_lost() {
    scenario(|| {
        let pool = builder(WORKERS).build().unwrap();
        let end = End { place: Place::Running, kind: Kind::Abort, aloud: true };
        for number in 0..crate::where_slow(150, 50) {
            let error = pool.apply(one, (Order { number, end: Some(end) },)).unwrap_err();
            end.kind.check(&error, "::one", None, true);
            assert_eq!(pool.apply(one, (Order { number, end: None },)).unwrap().number, number);
        }
    });
}

#[test]
fn a_lack_of_memory_is_told_from_other_aborts_also_behind_a_long_backtrace() {
    scenario(|| {
        let pool = builder(1).env("RUST_BACKTRACE", "1").build().unwrap();
        for kind in [Kind::Memory, Kind::Abort] {
            let end = End { place: Place::Running, kind, aloud: false };
            let error = pool.apply(one, (Order { number: 0, end: Some(end) },)).unwrap_err();
            kind.check(&error, "::one", None, false);
        }
    });
}
