//! What a handle promises.

use crate::Kind;
use crate::verbs::{no_sevens, square};
use mp::{ErrorKind, When, as_completed, wait};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

pub fn an_outcome_is_taken_once(kind: Kind) {
    let pool = kind.pool();
    let handle = pool.apply_async(square, (3,));
    assert_eq!(handle.wait().unwrap(), 9);
    assert!(handle.is_ready() && !handle.is_running());
    assert_eq!(handle.wait().unwrap_err().kind(), ErrorKind::AlreadyTaken);
    let handle = pool.map_async(no_sevens, [7]);
    assert!(handle.wait().unwrap_err().is_panic());
    assert_eq!(handle.wait().unwrap_err().kind(), ErrorKind::AlreadyTaken);
}

pub fn a_time_out_is_not_the_end(kind: Kind) {
    let pool = kind.pool();
    let handle = pool.map_async(square, 0..3000);
    let outcome = loop {
        match handle.wait_timeout(Duration::ZERO) {
            Err(error) if error.is_timeout() => thread::yield_now(),
            outcome => break outcome,
        }
    };
    assert_eq!(outcome.unwrap().len(), 3000);
    assert_eq!(pool.apply_async(square, (3,)).wait_timeout(Duration::MAX).unwrap(), 9);
}

pub fn a_callback_runs_once(kind: Kind) {
    let pool = kind.pool();
    let (sender, outcomes) = channel();
    for x in 0..100 {
        let sender = sender.clone();
        pool.apply_async(no_sevens, (x,)).on_done(move |outcome| sender.send((x, outcome.is_ok())).unwrap());
    }
    drop(sender);
    let mut outcomes: Vec<_> = outcomes.into_iter().collect();
    outcomes.sort_unstable();
    assert!(outcomes.into_iter().eq((0..100).map(|x| (x, x % 10 != 7))));
}

pub fn a_handle_is_a_future(kind: Kind) {
    let pool = kind.pool();
    let sum = block_on(async {
        let mut sum = 0;
        for x in 0..50 {
            sum += pool.apply_async(square, (x,)).await.unwrap();
        }
        sum + pool.map_async(square, 0..50).await.unwrap().into_iter().sum::<i64>()
    });
    assert_eq!(sum, 2 * (0..50).map(|x| x * x).sum::<i64>());
    assert!(block_on(pool.apply_async(no_sevens, (7,))).unwrap_err().is_panic());
}

pub fn several_handles_are_waited_for(kind: Kind) {
    let pool = kind.pool();
    let handles: Vec<_> = (0..100).map(|x| pool.apply_async(no_sevens, (x,))).collect();
    assert!(!wait(&handles, When::FirstCompleted, None).done.is_empty());
    let failed = wait(&handles, When::FirstFailed, None).done;
    assert!(failed.iter().any(|handle| handle.is_ready()));
    let waited = wait(&handles, When::All, None);
    assert_eq!((waited.done.len(), waited.not_done.len()), (100, 0));
    let mut completed = as_completed(handles);
    assert_eq!(completed.remaining(), 100);
    let sum: u64 = completed.by_ref().filter_map(|handle| handle.wait().ok()).sum();
    assert_eq!(sum, (0..100).filter(|x| x % 10 != 7).sum());
    assert!(completed.next().is_none());
}

pub fn what_has_not_started_is_cancelled(kind: Kind) {
    let pool = kind.pool();
    for _ in 0..20 {
        let handles: Vec<_> = (0..50).map(|x| pool.apply_async(square, (x,))).collect();
        let cancelled: Vec<bool> = handles.iter().map(mp::TaskHandle::cancel).collect();
        for ((handle, was_cancelled), x) in handles.iter().zip(cancelled).zip(0..) {
            match handle.wait() {
                Ok(value) => assert!(value == x * x && !was_cancelled),
                Err(error) => assert!(error.is_cancelled() && was_cancelled, "{error}"),
            }
        }
        let map = pool.map_async(square, 0..1000);
        let was_cancelled = map.cancel();
        assert_eq!(map.wait().map_err(|error| error.is_cancelled()).is_err(), was_cancelled);
    }
    assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
}
