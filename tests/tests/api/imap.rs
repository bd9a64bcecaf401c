//! `imap` and `imap_unordered`: lazy, in order or as they come, with bounded read-ahead.

use crate::gate::{Gate, Guest, knock};
use mp::{ErrorKind, Pool};
use mp_tests::scenario;
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A time after which a call that waits for a closed gate gives up. What it is does not matter.
const A_WHILE: Duration = Duration::from_millis(20);

#[mp::task]
pub fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
pub fn no_sevens(x: i64) -> i64 {
    assert!(x % 10 != 7, "a seven");
    x
}

/// Words below `limit` wait at the gate.
#[mp::task]
fn first_wait((gate, limit, word): (String, i64, i64)) -> i64 {
    if word < limit {
        knock(&gate, word);
    }
    word
}

/// An endless input of which the first `limit` wait, and how many were pulled.
fn counted<'a>(
    gate: &'a Gate,
    limit: i64,
    pulled: &'a Cell<u64>,
) -> impl Iterator<Item = (String, i64, i64)> + 'a {
    (0..).map(move |word| {
        pulled.set(pulled.get() + 1);
        (gate.name().to_owned(), limit, word)
    })
}

fn some(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

#[test]
fn outcomes_come_in_order_one_by_one() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let mut squares = pool.imap(square, 0..1000);
        for x in 0..1000 {
            assert_eq!(squares.next().unwrap().unwrap(), x * x);
        }
        assert!(squares.next().is_none());
        assert!(squares.next().is_none(), "the end stays the end");
    });
}

#[test]
fn outcomes_that_come_as_they_come_carry_their_position() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let mut squares: Vec<_> = pool.imap_unordered(square, (0..1000).map(|x| 3 * x)).collect();
        squares.sort_by_key(|(position, _)| *position);
        assert_eq!(squares.len(), 1000);
        for ((position, square), expected) in squares.into_iter().zip(0..) {
            assert_eq!((position, square.unwrap()), (expected, 9 * (expected * expected) as i64));
        }
    });
}

#[test]
fn endless_inputs_work() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let firsts: Vec<i64> = pool.imap(square, 0..).take(5).map(Result::unwrap).collect();
        assert_eq!(firsts, [0, 1, 4, 9, 16]);
        assert_eq!(pool.imap(square, 0..).nth(10_000).unwrap().unwrap(), 100_000_000);
        assert_eq!(
            pool.imap_unordered(square, std::iter::repeat(3))
                .take(500)
                .filter(|(_, r)| *r.as_ref().unwrap() == 9)
                .count(),
            500
        );
    });
}

#[test]
fn nothing_is_pulled_before_the_first_is_asked_for() {
    scenario(|| {
        let (gate, pulled) = (Gate::new(), Cell::new(0));
        let pool = Pool::new(2).unwrap();
        drop(pool.imap(first_wait, counted(&gate, 0, &pulled)));
        drop(pool.imap_unordered(first_wait, counted(&gate, 0, &pulled)));
        assert_eq!(pulled.get(), 0);
    });
}

#[test]
fn no_more_is_pulled_than_the_read_ahead_allows() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let gate = Gate::new();
        for ahead in [1, 2, 5, 64, 1000] {
            let pulled = Cell::new(0);
            let mut ordered = pool.imap(first_wait, counted(&gate, 0, &pulled)).read_ahead(some(ahead));
            for yielded in 0..100 {
                assert_eq!(ordered.next().unwrap().unwrap(), yielded);
                assert!(
                    pulled.get() <= yielded.cast_unsigned() + ahead as u64,
                    "{} after {yielded}",
                    pulled.get()
                );
            }
            drop(ordered);
            pulled.set(0);
            let mut any = pool.imap_unordered(first_wait, counted(&gate, 0, &pulled)).read_ahead(some(ahead));
            for yielded in 0..100 {
                assert!(any.next().unwrap().1.is_ok());
                assert!(pulled.get() <= yielded + ahead as u64, "{} after {yielded}", pulled.get());
            }
        }
        let all = pool.imap(square, 0..1000).read_ahead(NonZeroUsize::MAX).map(Result::unwrap);
        assert!(all.eq((0..1000).map(|x| x * x)), "as much as there is may be read ahead");
        let pulled = Cell::new(0);
        assert!(pool.imap(first_wait, counted(&gate, 0, &pulled)).next().unwrap().is_ok());
        assert!(pulled.get() <= 2 * 64, "by default 64 for each worker: {}", pulled.get());
    });
}

#[test]
fn while_there_are_outcomes_the_input_is_pulled_in_batches() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let pulled = Cell::new(0);
        let input = (0..).inspect(|_| pulled.set(pulled.get() + 1));
        let mut squares = pool.imap_unordered(square, input).read_ahead(some(32));
        squares.next().unwrap().1.unwrap();
        assert_eq!(pulled.get(), 32);
        // Behind all of them.
        assert_eq!(pool.apply(square, (5,)).unwrap(), 25);
        let mut batches = 0;
        for yielded in 2..30 {
            let before = pulled.get();
            squares.next().unwrap().1.unwrap();
            assert!(pulled.get() <= yielded + 31);
            batches += i32::from(pulled.get() > before);
        }
        assert!(
            (3..=6).contains(&batches),
            "28 outcomes were handed on, and the input was pulled {batches} times"
        );
    });
}

#[test]
fn the_input_is_pulled_while_outcomes_are_handed_on_that_came_early() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(2).unwrap();
        let pulled = Cell::new(0);
        let input = counted(&gate, 1, &pulled).inspect(|word| assert!(word.2 < 60, "the input ends badly"));
        let mut words = pool.imap(first_wait, input).read_ahead(some(32));
        let guest = std::thread::scope(|scope| {
            let guest = scope.spawn(|| gate.guest());
            assert!(words.next_timeout(A_WHILE).unwrap().is_err_and(|error| error.is_timeout()));
            guest.join().unwrap()
        });
        // All but the first are there: behind them, on the other worker.
        assert_eq!(pool.apply(square, (5,)).unwrap(), 25);
        assert!(words.next_timeout(Duration::ZERO).unwrap().is_err());
        assert_eq!(pulled.get(), 32);
        drop(guest);
        for word in 0..20 {
            assert_eq!(words.next().unwrap().unwrap(), word);
        }
        assert!((40..=52).contains(&pulled.get()), "{} were pulled", pulled.get());
        let rest = catch_unwind(AssertUnwindSafe(|| words.by_ref().all(|word| word.is_ok())));
        assert!(rest.is_err() && words.next().is_none(), "a panic of the input ends the iteration");
    });
}

#[test]
fn the_read_ahead_counts_from_the_oldest_that_was_not_yielded() {
    scenario(|| {
        let (gate, pulled) = (Gate::new(), Cell::new(0));
        let pool = Pool::new(2).unwrap();
        let mut ordered = pool.imap(first_wait, counted(&gate, 1, &pulled)).read_ahead(some(7));
        assert!(ordered.next_timeout(A_WHILE).unwrap().unwrap_err().is_timeout());
        assert!(ordered.next_timeout(A_WHILE).unwrap().unwrap_err().is_timeout());
        assert_eq!(pulled.get(), 7, "item 0 is still out, whatever has come of the others");
        drop(gate.guest());
        for expected in 0..20 {
            assert_eq!(ordered.next().unwrap().unwrap(), expected);
        }
    });
}

#[test]
fn a_slow_item_holds_nobody_up_when_order_does_not_matter() {
    scenario(|| {
        let (gate, pulled) = (Gate::new(), Cell::new(0));
        let pool = Pool::new(2).unwrap();
        let mut any = pool.imap_unordered(first_wait, counted(&gate, 1, &pulled));
        for _ in 0..300 {
            let (position, word) = any.next().unwrap();
            assert_ne!(position, 0);
            assert_eq!(position as i64, word.unwrap());
        }
        drop(gate.guest());
        assert!(any.any(|(position, _)| position == 0), "the slow one comes at last");
    });
}

#[test]
fn a_time_out_is_not_the_end() {
    scenario(|| {
        let (gate, pulled) = (Gate::new(), Cell::new(0));
        let pool = Pool::new(1).unwrap();
        let mut ordered = pool.imap(first_wait, counted(&gate, 2, &pulled).take(3));
        let error = ordered.next_timeout(Duration::ZERO).unwrap().unwrap_err();
        assert!(error.is_timeout() && error.task_name().unwrap().contains("first_wait"), "{error}");
        drop(gate.guest());
        assert_eq!(ordered.next_timeout(Duration::MAX).unwrap().unwrap(), 0);
        assert!(ordered.next_timeout(A_WHILE).unwrap().unwrap_err().is_timeout());
        drop(gate.guest());
        assert_eq!(ordered.by_ref().map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
        assert!(ordered.next_timeout(Duration::ZERO).is_none());
        let mut any = pool.imap_unordered(first_wait, counted(&gate, 1, &pulled).take(1));
        assert!(any.next_timeout(A_WHILE).unwrap().1.unwrap_err().is_timeout());
        drop(gate.guest());
        assert_eq!(any.next_timeout(Duration::MAX).unwrap().1.unwrap(), 0);
        assert!(any.next_timeout(Duration::ZERO).is_none());
    });
}

#[test]
fn a_failing_item_is_an_error_in_its_place() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        for (x, outcome) in (0..100).zip(pool.imap(no_sevens, 0..100)) {
            match outcome {
                Ok(value) => assert!(value == x && x % 10 != 7),
                Err(error) => {
                    assert!(error.is_panic() && error.item() == Some(x.cast_unsigned()) && x % 10 == 7);
                }
            }
        }
        let failed = pool.imap_unordered(no_sevens, 0..100).filter(|(_, outcome)| outcome.is_err());
        let mut failed: Vec<_> =
            failed.map(|(position, error)| (position, error.unwrap_err().item())).collect();
        failed.sort_unstable();
        assert_eq!(failed, [7, 17, 27, 37, 47, 57, 67, 77, 87, 97].map(|x| (x, Some(x as u64))));
    });
}

#[test]
fn dropping_drops_what_nobody_has_started() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let check = |drop_after_first: &dyn Fn(&Gate) -> Guest| {
            let gate = Gate::new();
            drop(drop_after_first(&gate));
            assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
            assert!(gate.guest_now().is_none(), "an item of the dropped iterator has run");
        };
        check(&|gate| {
            let pulled = Cell::new(0);
            let mut ordered = pool.imap(first_wait, counted(gate, i64::MAX, &pulled));
            assert!(ordered.next_timeout(Duration::ZERO).unwrap().is_err());
            gate.guest()
        });
        check(&|gate| {
            let pulled = Cell::new(0);
            let mut any = pool.imap_unordered(first_wait, counted(gate, i64::MAX, &pulled));
            assert!(any.next_timeout(Duration::ZERO).unwrap().1.is_err());
            gate.guest()
        });
    });
}

#[test]
fn several_iterators_share_a_pool() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let pairs = pool.imap(square, 0..500).zip(pool.imap(no_sevens, (0..500).map(|x| 10 * x)));
        for (x, (square, ten)) in (0..).zip(pairs) {
            assert_eq!((square.unwrap(), ten.unwrap()), (x * x, 10 * x));
        }
    });
}

#[test]
fn an_iterator_of_a_closed_pool_says_so_and_ends() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let mut squares = pool.imap(square, 0..1000).read_ahead(some(4));
        assert_eq!(squares.next().unwrap().unwrap(), 0);
        pool.terminate();
        let rest: Vec<_> = squares.collect();
        assert!(rest.iter().any(|outcome| outcome.as_ref().is_err_and(mp::Error::is_closed)));
        assert!(pool.imap(square, 0..3).all(|outcome| outcome.unwrap_err().kind() == ErrorKind::Closed));
    });
}

#[test]
fn outcomes_are_handed_on_while_a_slow_input_goes_on() {
    scenario(|| {
        const ITEMS: i64 = 12;
        let pool = Pool::new(2).unwrap();
        for ordered in [true, false] {
            let handed = Cell::new(0);
            let before_the_last = Cell::new(None);
            let input = (0..ITEMS).inspect(|&item| {
                // Longer than a fast one takes, and much longer than the task.
                let began = Instant::now();
                while began.elapsed() < Duration::from_millis(12) {
                    std::hint::spin_loop();
                }
                if item == ITEMS - 1 {
                    before_the_last.set(Some(handed.get()));
                }
            });
            let count = |outcome: Result<i64, mp::Error>| {
                handed.set(handed.get() + 1);
                outcome.unwrap()
            };
            let mut squares: Vec<_> = if ordered {
                pool.imap(square, input).map(count).collect()
            } else {
                pool.imap_unordered(square, input).map(|(_, outcome)| count(outcome)).collect()
            };
            squares.sort_unstable();
            assert_eq!(squares, (0..ITEMS).map(|x| x * x).collect::<Vec<_>>());
            let early = before_the_last.get().unwrap();
            assert!(early > 0, "none of {ITEMS} was handed on before the last was pulled");
        }
    });
}

#[test]
fn an_iterator_that_has_ended_gives_nothing_more_whatever_the_pool_does() {
    fn is_fused(_: &impl std::iter::FusedIterator) {}
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let (mut ordered, mut unordered) = (pool.imap(square, 0..3), pool.imap_unordered(square, 0..3));
        is_fused(&ordered);
        is_fused(&unordered);
        assert_eq!((ordered.by_ref().count(), unordered.by_ref().count()), (3, 3));
        assert!(ordered.next().is_none() && unordered.next().is_none());
        pool.terminate();
        assert!(ordered.next().is_none() && unordered.next().is_none());
    });
}

#[test]
fn what_comes_before_a_panic_of_the_input_is_yielded_before_it() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        for until in [0_i64, 3, 1500] {
            let input = || (0..).inspect(move |x| assert!(*x != until, "no more"));
            let expected: Vec<i64> = (0..until).map(|x| x * x).collect();
            let (mut ordered, mut yielded) = (pool.imap(square, input()), Vec::new());
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                yielded.extend(ordered.by_ref().map(Result::unwrap));
            }));
            assert!(panicked.is_err() && ordered.next().is_none());
            assert_eq!(yielded, expected);
            let (mut any, mut yielded) = (pool.imap_unordered(square, input()), Vec::new());
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                yielded.extend(any.by_ref().map(|(_, square)| square.unwrap()));
            }));
            assert!(panicked.is_err() && any.next().is_none());
            yielded.sort_unstable();
            assert_eq!(yielded, expected);
        }
    });
}

#[test]
fn the_end_of_a_pool_ends_an_endless_iteration() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let (mut ordered, mut any) = (pool.imap(square, 0..), pool.imap_unordered(square, 0..));
        assert_eq!(ordered.next().unwrap().unwrap(), 0);
        assert!(any.next().unwrap().1.is_ok());
        pool.terminate();
        let last = ordered.by_ref().last().unwrap().unwrap_err();
        assert!(last.is_closed() && ordered.next().is_none(), "{last}");
        let last = any.by_ref().last().unwrap().1.unwrap_err();
        assert!(last.is_closed() && any.next().is_none(), "{last}");
        // One that begins then says so for each item that it reads ahead, or has.
        let refused: Vec<_> = pool.imap(square, 0..3).collect();
        assert!(refused.len() == 3 && refused.iter().all(|item| item.as_ref().unwrap_err().is_closed()));
        assert!(pool.imap(square, 0..).all(|item| item.unwrap_err().is_closed()));
        assert!(pool.imap_unordered(square, 0..).all(|(_, item)| item.unwrap_err().is_closed()));
    });
}

#[test]
fn a_pool_that_is_ended_behind_the_last_item_leaves_as_many_outcomes_as_items() {
    scenario(|| {
        for ordered in [true, false] {
            let (gate, pulled) = (Gate::new(), Cell::new(0));
            let pool = Pool::builder().workers(1).grace(Duration::ZERO).build().unwrap();
            // All is read ahead at once, and that it is all nobody knows yet.
            let input = counted(&gate, i64::MAX, &pulled).take(4);
            let outcomes: Vec<_> = if ordered {
                let mut words = pool.imap(first_wait, input).read_ahead(some(4));
                assert!(words.next_timeout(A_WHILE).unwrap().unwrap_err().is_timeout());
                pool.terminate();
                words.collect()
            } else {
                let mut words = pool.imap_unordered(first_wait, input).read_ahead(some(4));
                assert!(words.next_timeout(A_WHILE).unwrap().1.unwrap_err().is_timeout());
                pool.terminate();
                words.map(|(_, outcome)| outcome).collect()
            };
            assert!(outcomes.len() == 4 && outcomes.iter().all(Result::is_err), "{outcomes:?}");
        }
    });
}

#[test]
fn an_iteration_whose_pool_has_ended_still_says_that_its_input_panicked() {
    scenario(|| {
        let (gate, pulled) = (Gate::new(), Cell::new(0));
        let pool = Pool::builder().workers(1).grace(Duration::ZERO).build().unwrap();
        let input = counted(&gate, i64::MAX, &pulled).inspect(|word| assert!(word.2 < 4, "four"));
        let mut words = pool.imap(first_wait, input).read_ahead(some(4));
        assert!(words.next_timeout(A_WHILE).unwrap().unwrap_err().is_timeout());
        pool.terminate();
        assert!(words.by_ref().take(4).all(|outcome| outcome.is_err()));
        assert!(catch_unwind(AssertUnwindSafe(|| words.next())).is_err());
        assert!(words.next().is_none());
    });
}
