//! Outcomes of `imap` and `imap_unordered` for an executor.

use crate::futures::{block_on, unpark};
use crate::gate::{Gate, wait_at};
use crate::imap::{no_sevens, square};
use futures_core::Stream;
use mp::{Backend, Pool};
use mp_tests::{scenario, until};
use std::cell::Cell;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

#[mp::task]
fn exit_at((last, x): (i64, i64)) -> i64 {
    if x == last {
        std::process::exit(3);
    }
    x
}

#[mp::task]
fn waits((gate, word): (String, i64)) -> i64 {
    wait_at(&gate, word)
}

/// An item takes this long to come: more than what counts as slow.
fn slow_input(items: i64, pulled: &Cell<i64>) -> impl Iterator<Item = i64> {
    (0..items).inspect(move |_| {
        pulled.set(pulled.get() + 1);
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(6) {
            std::hint::spin_loop();
        }
    })
}

#[test]
fn outcomes_are_awaited_in_order_and_end() {
    scenario(|| {
        for backend in [Backend::Process, Backend::Thread, Backend::Inline] {
            let pool = Pool::builder().workers(2).backend(backend).build().unwrap();
            block_on(async {
                let mut outcomes = pool.imap(no_sevens, 0..1000).into_stream();
                for x in 0..1000 {
                    match outcomes.next().await.unwrap() {
                        Ok(value) => assert!(value == x && x % 10 != 7),
                        Err(error) => assert!(error.item() == Some(x as u64) && error.is_panic(), "{error}"),
                    }
                }
                assert!(outcomes.next().await.is_none());
                assert!(outcomes.next().await.is_none(), "the end stays the end");
            });
        }
    });
}

#[test]
fn outcomes_that_come_as_they_come_carry_their_position() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        block_on(async {
            let mut squares = pool.imap_unordered(square, (0..).map(|x| 3 * x)).into_stream();
            let mut seen = vec![false; 2000];
            for _ in 0..1000 {
                let (position, square) = squares.next().await.unwrap();
                assert_eq!(square.unwrap(), 9 * (position * position) as i64);
                assert!(!std::mem::replace(&mut seen[position], true));
            }
        });
        // What was read ahead is dropped with the stream, and the pool is free.
        pool.close();
        pool.join().unwrap();
    });
}

#[test]
fn a_stream_is_woken_for_each_outcome() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let gate = Gate::new();
        let mut words = pool.imap(waits, (0..3).map(|word| (gate.name().to_owned(), word))).into_stream();
        let woken = unpark();
        let waker = Waker::from(woken.clone());
        let mut poll = || words.poll_next(&mut Context::from_waker(&waker));
        assert!(poll().is_pending());
        for word in 0..3 {
            let guest = gate.guest();
            let before = woken.wakes.load(Ordering::SeqCst);
            drop(guest);
            until(|| woken.wakes.load(Ordering::SeqCst) > before);
            assert_eq!(poll().map(|next| next.unwrap().unwrap()), Poll::Ready(word));
            let next = poll();
            assert!(if word < 2 { next.is_pending() } else { matches!(next, Poll::Ready(None)) });
        }
    });
}

#[test]
fn a_stream_outlives_its_pool_and_says_so() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let gate = Gate::new();
        let mut words = pool.imap(waits, std::iter::repeat_n((gate.name().to_owned(), 1), 10)).into_stream();
        let mut unbegun = pool.imap(square, 0..3).into_stream();
        let waker = Waker::from(unpark());
        assert!(words.poll_next(&mut Context::from_waker(&waker)).is_pending());
        let guest = gate.guest();
        pool.terminate();
        drop(pool);
        drop(guest);
        block_on(async {
            let mut refused = 0;
            while let Some(outcome) = words.next().await {
                refused += usize::from(outcome.unwrap_err().is_closed());
            }
            assert!(refused >= 9, "{refused}");
            assert!(unbegun.next().await.unwrap().unwrap_err().is_closed());
        });
    });
}

#[test]
fn the_death_of_a_worker_is_the_outcome_of_its_item() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        block_on(async {
            let mut outcomes = pool.imap(exit_at, (0..200).map(|x| (100, x))).into_stream();
            for x in 0..200 {
                let outcome = outcomes.next().await.unwrap();
                assert!(if x == 100 { outcome.unwrap_err().is_worker_lost() } else { outcome.unwrap() == x });
            }
            assert!(outcomes.next().await.is_none());
        });
    });
}

#[test]
fn a_stream_is_one_of_the_trait_and_goes_to_other_threads() {
    async fn sum(mut outcomes: impl Stream<Item = Result<i64, mp::Error>> + Unpin) -> i64 {
        let mut sum = 0;
        while let Some(outcome) = poll_fn(|context| Pin::new(&mut outcomes).poll_next(context)).await {
            sum += outcome.unwrap();
        }
        sum
    }
    async fn places(outcomes: impl Stream<Item = (usize, Result<i64, mp::Error>)>) -> usize {
        let mut outcomes = pin!(outcomes);
        let mut sum = 0;
        while let Some((place, _)) = poll_fn(|context| outcomes.as_mut().poll_next(context)).await {
            sum += place;
        }
        sum
    }
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async {
            let sums: Vec<_> =
                (0..20).map(|_| tokio::spawn(sum(pool.imap(square, 0..100).into_stream()))).collect();
            let place = tokio::spawn(places(pool.imap_unordered(square, 0..100).into_stream()));
            for sum in sums {
                assert_eq!(sum.await.unwrap(), 328_350);
            }
            assert_eq!(place.await.unwrap(), 4950);
        });
    });
}

#[test]
fn between_two_slow_items_others_have_their_turn() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let gate = Gate::new();
        let pulled = Cell::new(0);
        let name = gate.name().to_owned();
        let input = slow_input(6, &pulled).map(|word| (name.clone(), word));
        let mut words = pool.imap(waits, input).into_stream();
        let woken = unpark();
        let waker = Waker::from(woken.clone());
        for polls in 1..=6 {
            let before = woken.wakes.load(Ordering::SeqCst);
            assert!(words.poll_next(&mut Context::from_waker(&waker)).is_pending());
            assert_eq!(pulled.get(), polls, "one for each poll");
            assert!(woken.wakes.load(Ordering::SeqCst) > before, "it wants to go on");
        }
        drop(gate);
        block_on(async {
            for word in 0..6 {
                assert_eq!(words.next().await.unwrap().unwrap(), word);
            }
            assert!(words.next().await.is_none());
        });
    });
}

#[test]
fn a_slow_input_goes_on_for_who_only_looks() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let pulled = Cell::new(0);
        let mut squares = pool.imap(square, slow_input(8, &pulled));
        let mut any = pool.imap_unordered(square, slow_input(8, &pulled));
        let (mut ended, mut ended_any) = (Vec::new(), 0);
        // No time at all: each look pulls an item, or there would never be another.
        while let Some(outcome) = squares.next_timeout(Duration::ZERO) {
            match outcome {
                Ok(square) => ended.push(square),
                Err(error) => assert!(error.is_timeout(), "{error}"),
            }
        }
        while let Some((_, outcome)) = any.next_timeout(Duration::ZERO) {
            ended_any += usize::from(outcome.is_ok());
        }
        assert_eq!((ended, ended_any), ((0..8).map(|x| x * x).collect(), 8));
    });
}

#[test]
fn what_a_stream_reads_ahead_is_bounded() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let pulled = Cell::new(0);
        let input = (0..).inspect(|_| pulled.set(pulled.get() + 1));
        let ahead = NonZeroUsize::new(5).unwrap();
        let mut squares = pool.imap(square, input).read_ahead(ahead).into_stream();
        block_on(async {
            for yielded in 0..100 {
                assert_eq!(squares.next().await.unwrap().unwrap(), yielded * yielded);
                assert!(pulled.get() <= yielded + 5, "{} after {yielded}", pulled.get());
            }
        });
    });
}

#[test]
fn a_task_that_knocks_is_cancelled_with_its_stream() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let gate = Gate::new();
        let mut words = pool.imap(waits, (0..).map(|word| (gate.name().to_owned(), word))).into_stream();
        let waker = Waker::from(unpark());
        assert!(words.poll_next(&mut Context::from_waker(&waker)).is_pending());
        let first = gate.guest();
        drop(words);
        drop(first);
        pool.close();
        pool.join().unwrap();
        assert!(gate.guest_now().is_none(), "none of the rest has begun");
    });
}
