//! `map`, `starmap` and their kin: order, laziness, failures, inputs of every kind.

use crate::gate::{Gate, knock};
use mp::sync::Barrier;
use mp::{Backend, ErrorKind, Pool};
use mp_tests::{is_emulated, scenario};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
fn power(base: i64, exponent: u32) -> i64 {
    base.pow(exponent)
}

/// Fails on multiples of `modulus`, other than zero.
#[mp::task]
fn not_multiple(x: i64, modulus: i64) -> i64 {
    assert!(x % modulus != 0 || x == 0, "{x} is a multiple of {modulus}");
    x
}

#[mp::task]
fn not_ten(x: i64) -> i64 {
    assert!(x != 10, "ten");
    x
}

/// Works for a while that differs from item to item, so that items end in another order than they began.
#[mp::task]
fn uneven(x: u64) -> u64 {
    let rounds = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
    (0..rounds).fold(x, |x, _| std::hint::black_box(x))
}

/// Items with a gate wait there; others return at once.
#[mp::task]
fn at_gate(gate: Option<&str>, word: i64) -> i64 {
    if let Some(gate) = gate {
        knock(gate, word);
    }
    word
}

/// As `at_gate`, and negative words fail.
#[mp::task]
fn fail_if_negative(gate: Option<&str>, word: i64) -> i64 {
    if let Some(gate) = gate {
        knock(gate, word);
    }
    assert!(word >= 0, "negative");
    word
}

fn count(pulled: &AtomicU64) {
    pulled.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn results_are_in_the_order_of_the_items() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let items: Vec<u64> = (0..3000).rev().collect();
        assert_eq!(pool.map(uneven, &items).unwrap(), items);
        assert_eq!(pool.map_async(uneven, &items).wait().unwrap(), items);
        let each: Vec<u64> = pool.try_map(uneven, &items).into_iter().map(Result::unwrap).collect();
        assert_eq!(each, items);
    });
}

/// Returns when as many items run at the same time as the barrier has parties.
#[mp::task]
fn meet(all: Barrier) -> bool {
    all.wait().is_ok()
}

/// There are more workers than processors, and no item ends before the last one has begun.
#[test]
fn items_that_wait_for_each_other_run_all_at_once() {
    scenario(|| {
        for (backend, workers) in [(Backend::Process, 24), (Backend::Thread, 64)] {
            let pool = Pool::builder().workers(workers).backend(backend).build().unwrap();
            let all = Barrier::new(workers as u32).unwrap();
            // What is known of short items must not stand in the way.
            assert_eq!(pool.map(square, 0..1000).unwrap().len(), 1000);
            let met = vec![true; workers];
            assert_eq!(pool.map(meet, (0..workers).map(|_| all.clone())).unwrap(), met);
            assert_eq!(pool.map_async(meet, (0..workers).map(|_| all.clone())).wait().unwrap(), met);
            let imap = pool.imap_unordered(meet, (0..workers).map(|_| all.clone()));
            assert!(imap.map(|(_, met)| met.unwrap()).eq(met));
        }
    });
}

#[test]
fn any_collection_is_an_input() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let squares = [0, 1, 4, 9];
        assert_eq!(pool.map(square, 0..4).unwrap(), squares);
        let kept = [0, 1, 2, 3];
        assert_eq!(pool.map(square, kept.iter()).unwrap(), squares);
        assert_eq!(pool.map(square, kept).unwrap(), squares);
        assert_eq!(pool.map(square, vec![0, 1, 2, 3]).unwrap(), squares);
        assert_eq!(pool.map(square, std::collections::BTreeSet::from([3, 1, 0, 2])).unwrap(), squares);
        assert_eq!(
            pool.map(square, std::iter::successors(Some(0), |x| (*x < 3).then_some(x + 1))).unwrap(),
            squares
        );
        let (sender, receiver) = std::sync::mpsc::channel();
        for x in 0..4 {
            sender.send(x).unwrap();
        }
        drop(sender);
        assert_eq!(pool.map(square, receiver).unwrap(), squares);
    });
}

#[test]
fn empty_inputs_have_empty_results() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let none = || std::iter::empty::<i64>();
        assert_eq!(pool.map(square, none()).unwrap(), []);
        assert_eq!(pool.map_async(square, none()).wait().unwrap(), []);
        assert_eq!(pool.starmap(power, Vec::<(i64, u32)>::new()).unwrap(), []);
        assert_eq!(pool.starmap_async(power, Vec::<(i64, u32)>::new()).wait().unwrap(), []);
        assert!(pool.try_map(square, none()).is_empty());
        assert!(pool.try_starmap(power, Vec::<(i64, u32)>::new()).is_empty());
        assert!(pool.imap(square, none()).next().is_none());
        assert!(pool.imap_unordered(square, none()).next().is_none());
    });
}

#[test]
fn tuples_feed_several_parameters() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let pairs: Vec<(i64, u32)> = (0..100).map(|n| (i64::from(n), n % 4)).collect();
        let expected: Vec<i64> = pairs.iter().map(|(base, exponent)| base.pow(*exponent)).collect();
        assert_eq!(pool.starmap(power, pairs.clone()).unwrap(), expected);
        assert_eq!(pool.starmap(power, &pairs).unwrap(), expected);
        assert_eq!(pool.apply(power, pairs.first().unwrap()).unwrap(), expected[0]);
        assert_eq!(pool.starmap_async(power, pairs.clone()).wait().unwrap(), expected);
        assert_eq!(pool.starmap(power, (0..3).zip([1, 2, 3])).unwrap(), [0, 1, 8]);
        let each: Result<Vec<i64>, _> = pool.try_starmap(power, pairs).into_iter().collect();
        assert_eq!(each.unwrap(), expected);
    });
}

#[test]
fn the_error_is_that_of_the_earliest_failing_item() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let pairs = || (0..2000_i64).map(|x| (x, 700));
        for _ in 0..10 {
            let error = pool.starmap(not_multiple, pairs()).unwrap_err();
            assert!(error.is_panic() && error.item() == Some(700), "{error}");
            assert!(
                error.to_string().contains("failed on item 700: ")
                    && error.to_string().contains("not_multiple"),
                "{error}"
            );
            let error = pool.starmap_async(not_multiple, pairs()).wait().unwrap_err();
            assert_eq!(error.item(), Some(700));
        }
    });
}

#[test]
fn an_earlier_failure_counts_even_if_it_comes_later() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(2).unwrap();
        // Item 0 fails only after item 1 has failed.
        let handle = pool.starmap_async(fail_if_negative, [(Some(gate.name()), -1), (None, -2), (None, 3)]);
        let guest = gate.guest();
        assert!(handle.wait_timeout(std::time::Duration::ZERO).unwrap_err().is_timeout());
        drop(guest);
        assert_eq!(handle.wait().unwrap_err().item(), Some(0));
    });
}

#[test]
fn items_after_a_failure_are_dropped() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        // One worker: when the first item fails, nobody has started the others, which would knock.
        let items = [(None, -1)].into_iter().chain((1..50).map(|word| (Some(gate.name()), word)));
        assert_eq!(pool.starmap(fail_if_negative, items).unwrap_err().item(), Some(0));
        assert_eq!(pool.apply(square, (3,)).unwrap(), 9, "they are out of the way");
        assert!(gate.guest_now().is_none());
    });
}

#[test]
fn an_endless_input_ends_with_the_first_failure() {
    scenario(|| {
        let pulled = AtomicU64::new(0);
        let pool = Pool::new(2).unwrap();
        let endless = (0..).inspect(|_| count(&pulled));
        let error = pool.map(not_ten, endless).unwrap_err();
        assert_eq!(error.item(), Some(10));
        assert_eq!(error.panic().unwrap().message, "ten");
    });
}

#[test]
fn every_item_has_its_own_outcome() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let outcomes = pool.try_starmap(not_multiple, (0..1000).map(|x| (x, 3)));
        assert_eq!(outcomes.len(), 1000);
        for (x, outcome) in (0..).zip(outcomes) {
            match outcome {
                Ok(value) => assert!(value == x && (x == 0 || x % 3 != 0)),
                Err(error) => {
                    assert!(
                        x % 3 == 0 && error.is_panic() && error.item() == Some(x.cast_unsigned()),
                        "{error}"
                    );
                    let report = error.panic().unwrap();
                    assert_eq!(report.message, format!("{x} is a multiple of 3"));
                    assert!(report.location.as_ref().unwrap().starts_with(file!()));
                    assert!(report.task.ends_with("not_multiple") && report.worker.is_some());
                }
            }
        }
    });
}

#[test]
fn the_input_is_pulled_as_results_come() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(2).unwrap();
        let pulled = AtomicU64::new(0);
        let gates = std::iter::repeat_n(Some(gate.name()), 2).chain(std::iter::repeat(None));
        let items = gates.zip(0..200_000).inspect(|_| count(&pulled));
        std::thread::scope(|scope| {
            let mapped = scope.spawn(|| pool.starmap(at_gate, items).unwrap().len());
            let guests = [gate.guest(), gate.guest()];
            // Both workers wait, so nothing ends: the backlog alone bounds what is pulled.
            mp_tests::until(|| pulled.load(Ordering::Relaxed) > 1000);
            for _ in 0..1000 {
                std::thread::yield_now();
                assert!(pulled.load(Ordering::Relaxed) < 100_000);
            }
            drop(guests);
            assert_eq!(mapped.join().unwrap(), 200_000);
        });
    });
}

#[test]
fn a_million_items_come_back_in_order() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        // An emulator takes minutes for as many.
        let count = if is_emulated() { 100_000 } else { 1_000_000 };
        let squares = pool.map(square, 0..count).unwrap();
        assert_eq!(squares.len() as i64, count);
        assert!(squares.into_iter().zip(0..).all(|(square, x)| square == x * x));
    });
}

#[test]
fn an_input_that_panics_takes_only_its_call_along() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let broken = || (0..100).inspect(|x| assert!(*x != 60, "the input broke"));
        let check = |call: &dyn Fn()| {
            let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
            assert_eq!(payload.downcast_ref::<&str>(), Some(&"the input broke"));
            assert_eq!(pool.map(square, 0..3).unwrap(), [0, 1, 4]);
        };
        check(&|| drop(pool.map(square, broken())));
        check(&|| drop(pool.try_map(square, broken())));
        check(&|| drop(pool.map_async(square, broken())));
        check(&|| pool.imap(square, broken()).for_each(drop));
        check(&|| pool.imap_unordered(square, broken()).for_each(drop));
        // What became of the input is asked once: the iteration is over then.
        let mut ordered = pool.imap(square, broken());
        assert!(catch_unwind(AssertUnwindSafe(|| ordered.by_ref().for_each(drop))).is_err());
        assert!(ordered.next().is_none());
        let mut unordered = pool.imap_unordered(square, broken());
        assert!(catch_unwind(AssertUnwindSafe(|| unordered.by_ref().for_each(drop))).is_err());
        assert!(unordered.next().is_none());
        // Nobody waits for what these calls have not got.
        pool.shutdown(false).unwrap();
    });
}

#[test]
fn the_input_may_use_the_same_pool() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let squares = || (0..50).map(|x| pool.apply(square, (x,)).unwrap());
        let expected: Vec<i64> = (0..50).map(|x| x * x * x * x).collect();
        assert_eq!(pool.map(square, squares()).unwrap(), expected);
        assert_eq!(pool.map_async(square, squares()).wait().unwrap(), expected);
        assert_eq!(pool.imap(square, squares()).collect::<Result<Vec<_>, _>>().unwrap(), expected);
        let chained = pool.imap(square, pool.imap(square, 0..50).map(Result::unwrap));
        assert_eq!(chained.collect::<Result<Vec<_>, _>>().unwrap(), expected);
        let nested = pool.map(square, pool.map(square, 0..50).unwrap());
        assert_eq!(nested.unwrap(), expected);
    });
}

#[test]
fn an_input_that_closes_the_pool_gets_an_error() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let items = (0..10_000).inspect(|x| {
            if *x == 5 {
                pool.terminate();
            }
        });
        let error = pool.map(square, items).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        let none: [i64; 0] = [];
        assert_eq!(pool.map(square, none).unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(pool.map_async(square, none).wait().unwrap_err().kind(), ErrorKind::Closed);
    });
}

#[test]
fn a_chunk_size_is_how_many_neighbours_a_worker_gets_at_once() {
    scenario(|| {
        let pool = Pool::builder().workers(2).chunk_size(3).build().unwrap();
        let all = Barrier::new(2).unwrap();
        assert_eq!(pool.map(meet, [all.clone(), all]).unwrap(), [true, true]);
        let gate = Gate::new();
        let words = pool.starmap_async(at_gate, (0..9).map(|word| (Some(gate.name()), word)));
        let mut first = [gate.guest(), gate.guest()];
        first.sort_by_key(|guest| guest.word);
        let [held, other] = first;
        assert_eq!((held.word, other.word), (0, 3), "each worker has begun with a chunk of its own");
        let pid = other.pid;
        drop(other);
        // The rest of its chunk and the last one; only then what stands behind the item that is held.
        for word in [4, 5, 6, 7, 8, 1, 2] {
            let guest = gate.guest();
            assert_eq!((guest.word, guest.pid), (word, pid));
        }
        drop(held);
        assert_eq!(words.wait().unwrap(), (0..9).collect::<Vec<_>>());
    });
}

#[test]
fn chunks_of_every_size_lose_nothing() {
    scenario(|| {
        for size in [1, 2, 7, 100, 5000, usize::MAX] {
            let pool = Pool::builder().workers(2).chunk_size(size).build().unwrap();
            let squares: Vec<i64> = (0..10_000).map(|x| x * x).collect();
            assert_eq!(pool.map(square, 0..10_000).unwrap(), squares, "{size}");
            assert_eq!(pool.map_async(square, 0..10_000).wait().unwrap(), squares, "{size}");
            let lazily: Vec<i64> = pool.imap(square, 0..).take(500).map(Result::unwrap).collect();
            assert_eq!(lazily, squares[..500], "{size}");
            let each = pool.try_starmap(not_multiple, (0..100).map(|x| (x, 7)));
            let failed = each.iter().zip(0..).filter_map(|(each, x)| each.is_err().then_some(x));
            assert_eq!(failed.collect::<Vec<i64>>(), (7..100).step_by(7).collect::<Vec<_>>(), "{size}");
        }
    });
}
