//! Handles as futures, `mp::wait` and `mp::as_completed`.

use crate::gate::{Gate, wait_at};
use mp::{Backend, Pool, When, as_completed, wait};
use mp_tests::{scenario, until};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
fn fail(message: &str) -> i64 {
    panic!("{message}")
}

/// Wakes a parked thread, and counts.
pub struct Unpark {
    thread: Thread,
    /// How often it was woken.
    pub wakes: AtomicU32,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// One that wakes this thread.
pub fn unpark() -> Arc<Unpark> {
    Arc::new(Unpark { thread: thread::current(), wakes: AtomicU32::new(0) })
}

/// The smallest executor: one future on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(unpark());
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// An executor of many futures that polls only those that were woken.
fn block_on_all<F: Future + Unpin>(futures: Vec<F>) -> Vec<F::Output> {
    struct Send(std::sync::mpsc::Sender<usize>, usize);
    impl Wake for Send {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(self.1);
        }
    }
    let (sender, woken) = channel();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    let mut futures: Vec<Option<F>> = futures.into_iter().map(Some).collect();
    (0..futures.len()).for_each(|index| sender.send(index).unwrap());
    while futures.iter().any(Option::is_some) {
        let index = woken.recv().unwrap();
        let Some(future) = &mut futures[index] else { continue };
        let waker = Waker::from(Arc::new(Send(sender.clone(), index)));
        if let Poll::Ready(output) = Pin::new(future).poll(&mut Context::from_waker(&waker)) {
            outputs[index] = Some(output);
            futures[index] = None;
        }
    }
    outputs.into_iter().map(Option::unwrap).collect()
}

#[test]
fn a_handle_is_a_future() {
    scenario(|| {
        for backend in [Backend::Process, Backend::Thread, Backend::Inline] {
            let pool = Pool::builder().workers(2).backend(backend).build().unwrap();
            let sum = async {
                let nine = pool.apply_async(square, (3,)).await?;
                let many = pool.map_async(square, 0..4).await?;
                Ok::<_, mp::Error>(nine + many.into_iter().sum::<i64>())
            };
            assert_eq!(block_on(sum).unwrap(), 9 + 14);
            assert_eq!(
                block_on(async { pool.apply_async(fail, ("x",)).await })
                    .unwrap_err()
                    .panic()
                    .unwrap()
                    .message,
                "x"
            );
        }
    });
}

#[test]
fn a_future_is_woken_once_and_by_the_last_waker() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let mut handle = pin!(pool.apply_async(wait_at, (gate.name(), 3)));
        let (first, last) = (unpark(), unpark());
        for waker in [&first, &first, &last] {
            let waker = Waker::from(waker.clone());
            assert!(handle.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(gate.guest());
        until(|| last.wakes.load(Ordering::SeqCst) > 0);
        let waker = Waker::from(last.clone());
        let Poll::Ready(outcome) = handle.as_mut().poll(&mut Context::from_waker(&waker)) else { panic!() };
        assert_eq!(outcome.unwrap(), 3);
        assert_eq!((first.wakes.load(Ordering::SeqCst), last.wakes.load(Ordering::SeqCst)), (0, 1));
    });
}

#[test]
fn a_future_may_move_between_threads() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let mut handle = Box::pin(pool.apply_async(wait_at, (gate.name(), 3)));
        let waker = Waker::from(unpark());
        assert!(handle.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let other = thread::spawn(move || block_on(handle));
        drop(gate.guest());
        assert_eq!(other.join().unwrap().unwrap(), 3);
    });
}

#[test]
fn ten_thousand_futures_on_one_executor() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let handles: Vec<_> = (0..10_000).map(|x| pool.apply_async(square, (x,))).collect();
        let squares = block_on_all(handles);
        assert!(squares.into_iter().zip(0..).all(|(square, x)| square.unwrap() == x * x));
    });
}

#[test]
fn futures_of_an_ended_pool_resolve() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let handles: Vec<_> = (0..5).map(|word| pool.apply_async(wait_at, (gate.name(), word))).collect();
        let guest = gate.guest();
        let waiting = thread::spawn(move || block_on_all(handles));
        pool.terminate();
        drop(guest);
        assert!(waiting.join().unwrap().into_iter().all(|outcome| outcome.unwrap_err().is_closed()));
    });
}

#[test]
fn a_dropped_future_leaves_the_call_going_on() {
    scenario(|| {
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        let mut handle = Box::pin(pool.apply_async(wait_at, (gate.name(), 3)));
        let waker = Waker::from(unpark());
        assert!(handle.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(handle);
        drop(gate.guest());
        assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
    });
}

#[test]
fn tokio_runs_handles_like_any_future() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        runtime.block_on(async {
            let gate = Gate::new();
            let spawned: Vec<_> = (0..100).map(|x| tokio::spawn(pool.apply_async(square, (x,)))).collect();
            for (x, task) in (0..).zip(spawned) {
                assert_eq!(task.await.unwrap().unwrap(), x * x);
            }
            let held = pool.apply_async(wait_at, (gate.name(), 1));
            let late = tokio::time::timeout(Duration::from_millis(5), held).await;
            assert!(late.is_err(), "tokio's own time-out works on it");
            let either = tokio::select! {
                nine = pool.apply_async(square, (3,)) => nine.unwrap(),
                word = pool.apply_async(wait_at, (gate.name(), 2)) => word.unwrap(),
            };
            assert_eq!(either, 9);
        });
    });
}

#[test]
fn wait_returns_when_it_is_told_to() {
    scenario(|| {
        let gate = Gate::new();
        let pools = [Pool::new(1).unwrap(), Pool::new(1).unwrap()];
        let held = pools[0].apply_async(wait_at, (gate.name(), 1));
        let guest = gate.guest();
        let quick = pools[1].apply_async(square, (3,));
        let bad = pools[1].apply_async(fail, ("x",));
        let handles = [&held, &quick, &bad];
        let check = |when, timeout, done: &[usize]| {
            let waited = wait(handles, when, timeout);
            let is_in =
                |list: &[&mp::TaskHandle<i64>], handle| list.iter().any(|one| std::ptr::eq(*one, handle));
            for (index, handle) in handles.into_iter().enumerate() {
                let expected = (done.contains(&index), !done.contains(&index));
                assert_eq!(
                    (is_in(&waited.done, handle), is_in(&waited.not_done, handle)),
                    expected,
                    "{index}"
                );
            }
        };
        assert!(!wait(handles, When::FirstCompleted, None).done.is_empty());
        check(When::FirstFailed, None, &[1, 2]);
        check(When::FirstCompleted, None, &[1, 2]);
        check(When::All, Some(Duration::from_millis(5)), &[1, 2]);
        check(When::All, Some(Duration::ZERO), &[1, 2]);
        drop(guest);
        check(When::All, None, &[0, 1, 2]);
        assert_eq!((held.wait().unwrap(), quick.wait().unwrap()), (1, 9), "the outcomes stay in the handles");
        assert!(bad.wait().unwrap_err().is_panic());
    });
}

#[test]
fn a_failure_counts_also_when_its_outcome_was_taken() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let gate = Gate::new();
        let bad = pool.apply_async(fail, ("x",));
        assert!(bad.wait().unwrap_err().is_panic());
        let held = pool.apply_async(wait_at, (gate.name(), 1));
        let waited = wait([&bad, &held], When::FirstFailed, None);
        assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
        let others = [pool.apply_async(wait_at, (gate.name(), 2)), pool.apply_async(square, (3,))];
        let running = [gate.guest(), gate.guest()];
        assert!(others[1].cancel(), "it waits behind those two");
        let waited = wait([&held, &others[1]], When::FirstFailed, Some(Duration::from_millis(5)));
        assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
        assert!(others[1].wait().unwrap_err().is_cancelled());
        let opened = thread::spawn(move || drop((running, gate)));
        assert_eq!(
            wait([&held, &others[1]], When::FirstFailed, None).done.len(),
            2,
            "no failure ends the wait"
        );
        opened.join().unwrap();
        assert_eq!(others[0].wait().unwrap(), 2);
        assert_eq!(held.wait().unwrap(), 1);
    });
}

#[test]
fn wait_without_a_failure_waits_for_all() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let handles: Vec<_> = (0..100).map(|x| pool.apply_async(square, (x,))).collect();
        let waited = wait(handles, When::FirstFailed, None);
        assert_eq!((waited.done.len(), waited.not_done.len()), (100, 0));
        assert!(
            waited.done.into_iter().map(|handle| handle.wait().unwrap()).eq((0..100).map(|x| x * x)),
            "in order"
        );
        for when in [When::All, When::FirstCompleted, When::FirstFailed] {
            let none = wait(Vec::<mp::TaskHandle<i64>>::new(), when, None);
            assert!(
                none.done.is_empty() && none.not_done.is_empty(),
                "nothing to wait for is no reason to wait"
            );
        }
    });
}

#[test]
fn as_completed_yields_what_is_ready_first() {
    scenario(|| {
        let gates = [Gate::new(), Gate::new(), Gate::new()];
        let pools = [Pool::new(2).unwrap(), Pool::new(1).unwrap()];
        let handles = [0, 1, 2].map(|word| {
            let pool = &pools[usize::from(word == 2)];
            pool.apply_async(wait_at, (gates[word].name(), word as i64))
        });
        let guests = gates.each_ref().map(Gate::guest);
        let mut completed = as_completed(handles);
        assert!(completed.next_timeout(Duration::from_millis(5)).is_none());
        let mut remaining = 3;
        let order = [2, 0, 1];
        let mut guests = guests.map(Some);
        for word in order {
            assert_eq!((completed.remaining(), completed.size_hint().0), (remaining, remaining));
            drop(guests[word].take());
            assert_eq!(completed.next().unwrap().wait().unwrap(), word as i64);
            remaining -= 1;
        }
        assert!(completed.next().is_none() && completed.next_timeout(Duration::MAX).is_none());
    });
}

#[test]
fn as_completed_takes_ten_thousand_handles_of_several_pools() {
    scenario(|| {
        let pools =
            [Pool::new(2).unwrap(), Pool::builder().workers(2).backend(Backend::Thread).build().unwrap()];
        let handles: Vec<_> =
            (0..10_000).map(|x: i64| pools[usize::from(x % 2 == 0)].apply_async(square, (x,))).collect();
        let mut squares: Vec<i64> = as_completed(handles).map(|handle| handle.wait().unwrap()).collect();
        squares.sort_unstable();
        assert!(squares.into_iter().eq((0..10_000).map(|x| x * x)));
    });
}

#[test]
fn as_completed_takes_references_and_maps() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let maps: Vec<_> = (1..5).map(|n| pool.map_async(square, 0..n)).collect();
        let mut lengths: Vec<usize> = as_completed(&maps).map(|map| map.wait().unwrap().len()).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [1, 2, 3, 4]);
        assert!(maps.iter().all(mp::MapHandle::is_ready));
    });
}
