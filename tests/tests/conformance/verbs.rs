//! What a call gives back.

use crate::Kind;
use mp::{ErrorKind, Pool};
use mp_tests::Random;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::num::NonZeroUsize;

#[mp::task]
pub fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
fn joined(text: &str, numbers: &[u32], times: usize) -> Result<String, usize> {
    if times > 3 { Err(times) } else { Ok(format!("{text}{numbers:?}").repeat(times)) }
}

/// Fails on items that end in 7.
#[mp::task]
pub fn no_sevens(x: u64) -> u64 {
    assert!(x % 10 != 7, "{x} ends in seven");
    x
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
}

#[mp::task]
fn untagged(number: i64) -> Untagged {
    Untagged::Number(number)
}

pub fn apply_returns_what_the_task_returns(kind: Kind) {
    let pool = kind.pool();
    assert_eq!(pool.apply(square, (7,)).unwrap(), 49);
    assert_eq!(pool.apply(joined, ("a", [1, 2], 2)).unwrap(), Ok("a[1, 2]a[1, 2]".to_owned()));
    assert_eq!(pool.apply(joined, ("a".to_owned(), vec![], 4)).unwrap(), Err(4));
    assert_eq!(pool.apply_async(square, (8,)).wait().unwrap(), 64);
}

pub fn maps_keep_the_order_of_their_items(kind: Kind) {
    let pool = kind.pool();
    for count in [0, 1, 2, 3, 100, 5000] {
        let expected: Vec<i64> = (0..count).map(|x| x * x).collect();
        assert_eq!(pool.map(square, 0..count).unwrap(), expected);
        assert_eq!(pool.map_async(square, 0..count).wait().unwrap(), expected);
        assert_eq!(pool.starmap(square, (0..count).map(|x| (x,))).unwrap(), expected);
        assert_eq!(pool.starmap_async(square, (0..count).map(|x| (x,))).wait().unwrap(), expected);
        assert_eq!(pool.imap(square, 0..count).collect::<Result<Vec<_>, _>>().unwrap(), expected);
        let mut any: Vec<_> =
            pool.imap_unordered(square, 0..count).map(|(n, r)| (n as i64, r.unwrap())).collect();
        any.sort_unstable();
        assert!(any.into_iter().eq((0..).zip(expected)));
    }
}

pub fn every_item_has_its_own_outcome(kind: Kind) {
    let pool = kind.pool();
    let check = |outcomes: Vec<Result<u64, mp::Error>>| {
        assert_eq!(outcomes.len(), 50);
        for (x, outcome) in (0..).zip(outcomes) {
            match outcome {
                Ok(value) => assert!(value == x && x % 10 != 7),
                Err(error) => assert!(error.item() == Some(x) && error.is_panic() && x % 10 == 7, "{error}"),
            }
        }
    };
    check(pool.try_map(no_sevens, 0..50));
    check(pool.try_starmap(no_sevens, (0..50).map(|x| (x,))));
    check(pool.imap(no_sevens, 0..50).collect());
}

pub fn the_earliest_failure_is_the_error(kind: Kind) {
    let pool = kind.pool();
    assert_eq!(pool.map(no_sevens, 0..100).unwrap_err().item(), Some(7));
    assert_eq!(pool.map(no_sevens, 8..).unwrap_err().item(), Some(9), "of an endless input");
    assert_eq!(pool.starmap(no_sevens, [(1,), (17,), (7,)]).unwrap_err().item(), Some(1));
    assert_eq!(pool.map_async(no_sevens, 0..100).wait().unwrap_err().item(), Some(7));
    assert_eq!(pool.apply(no_sevens, (7,)).unwrap_err().item(), None);
}

pub fn lazy_maps_pull_what_they_need(kind: Kind) {
    let pool = kind.pool();
    let pulled = Cell::new(0_u64);
    let endless = || (0..).inspect(|_| pulled.set(pulled.get() + 1));
    let three = NonZeroUsize::new(3).unwrap();
    let mut ordered = pool.imap(square, endless()).read_ahead(three);
    assert_eq!(pulled.get(), 0);
    for x in 0..20 {
        assert_eq!(ordered.next().unwrap().unwrap(), x * x);
        assert!(pulled.get() <= x.cast_unsigned() + 3);
    }
    drop(ordered);
    pulled.set(0);
    let mut any = pool.imap_unordered(square, endless()).read_ahead(three);
    assert!((0..20).all(|x| any.next().is_some_and(|(_, outcome)| outcome.is_ok()) && pulled.get() <= x + 3));
}

pub fn a_panic_is_reported_and_harms_nobody(kind: Kind) {
    let pool = kind.pool();
    for _ in 0..20 {
        let error = pool.apply(no_sevens, (17,)).unwrap_err();
        let report = error.panic().unwrap();
        assert_eq!(report.message, "17 ends in seven");
        assert!(report.location.as_ref().unwrap().starts_with(file!()), "{report:?}");
        assert!(report.task.ends_with("verbs::no_sevens") && report.worker.is_some_and(|index| index < 2));
        assert_eq!(pool.apply(no_sevens, (1,)).unwrap(), 1);
    }
}

pub fn values_that_cannot_travel_are_refused(kind: Kind) {
    let pool = kind.pool();
    let error = pool.apply(untagged, (1,)).unwrap_err();
    assert!(error.kind() == ErrorKind::Decode && error.to_string().contains("Untagged"), "{error}");
    let error = pool.apply(|x: i64| x, (1,)).unwrap_err();
    assert!(error.kind() == ErrorKind::NotATask && error.to_string().contains(file!()), "{error}");
    assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
}

/// Calls of all kinds, in an order that nobody has thought of.
pub fn a_random_mix_of_calls_comes_out_right(kind: Kind) {
    let mut random = Random::new();
    let pool = kind.pool();
    let mut open = Vec::new();
    for _ in 0..300 {
        one_of_many(&pool, &mut random, &mut open);
    }
    for (expected, handle) in open {
        assert_eq!(handle.wait().unwrap(), expected);
    }
}

fn one_of_many(pool: &Pool, random: &mut Random, open: &mut Vec<(i64, mp::TaskHandle<i64>)>) {
    let count = random.below(30).cast_signed();
    let from = random.below(1000).cast_signed();
    let expected: Vec<i64> = (from..from + count).map(|x| x * x).collect();
    match random.below(7) {
        0 => assert_eq!(pool.map(square, from..from + count).unwrap(), expected),
        1 => assert_eq!(pool.apply(square, (from,)).unwrap(), from * from),
        2 => open.push((from * from, pool.apply_async(square, (from,)))),
        3 => assert_eq!(pool.map_async(square, from..from + count).wait().unwrap(), expected),
        4 => {
            let some: Vec<i64> = pool.imap(square, from..).map(Result::unwrap).take(count as usize).collect();
            assert_eq!(some, expected);
        }
        5 => assert!(pool.map(no_sevens, [1, 7, 2]).is_err()),
        _ => {
            if let Some((expected, handle)) = open.pop() {
                assert_eq!(handle.wait().unwrap(), expected);
            }
        }
    }
}
