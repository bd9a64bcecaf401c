//! What holds when many use a pool, and when its own tasks do.

use crate::Kind;
use crate::verbs::{no_sevens, square};
use mp::{ErrorKind, Pool};
use mp_tests::until;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

/// Pools that tasks of this process can find. A task in another process finds none.
static POOLS: Mutex<Option<HashMap<u32, Arc<Pool>>>> = Mutex::new(None);

/// Lets tasks find the pool until the result is dropped.
struct Shown {
    pool: Arc<Pool>,
    number: u32,
}

impl Shown {
    fn new(kind: Kind) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (pool, number) = (Arc::new(kind.pool()), NEXT.fetch_add(1, Ordering::Relaxed));
        POOLS.lock().unwrap().get_or_insert_default().insert(number, pool.clone());
        Self { pool, number }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        POOLS.lock().unwrap().as_mut().unwrap().remove(&self.number);
    }
}

fn shown(number: u32) -> Option<Arc<Pool>> {
    POOLS.lock().unwrap().as_ref()?.get(&number).cloned()
}

/// Tries every way to wait for the pool that runs it; whether it found the pool, and what it was told.
#[mp::task]
fn wait_inside(number: u32) -> Option<Vec<bool>> {
    let pool = shown(number)?;
    let refused = |kind| kind == ErrorKind::Deadlock;
    let map = pool.map_async(square, 0..3);
    let one = pool.apply_async(square, (1,));
    Some(vec![
        refused(pool.apply(square, (1,)).unwrap_err().kind()),
        refused(pool.map(square, 0..3).unwrap_err().kind()),
        refused(pool.try_map(square, 0..3).pop().unwrap().unwrap_err().kind()),
        refused(pool.imap(square, 0..3).next().unwrap().unwrap_err().kind()),
        refused(pool.imap_unordered(square, 0..3).next().unwrap().1.unwrap_err().kind()),
        refused(map.wait().unwrap_err().kind()),
        refused(one.wait().unwrap_err().kind()),
        refused(pool.shutdown(false).unwrap_err().kind()),
        refused(pool.join().unwrap_err().kind()),
        mp::wait([&one], mp::When::FirstFailed, None).done.len() <= 1,
        mp::as_completed([&one]).count() == 1,
    ])
}

/// Starts another call of the same pool, and does not wait.
#[mp::task]
fn submit_inside(number: u32, left: u32) -> bool {
    let Some(pool) = shown(number) else { return false };
    if left > 0 {
        drop(pool.apply_async(submit_inside, (number, left - 1)));
    } else if let Some(done) = DONE.lock().unwrap().take() {
        done.send(()).unwrap();
    }
    true
}

static DONE: Mutex<Option<std::sync::mpsc::Sender<()>>> = Mutex::new(None);

#[mp::task]
fn with_own_pool(n: i64) -> i64 {
    let pool = Pool::new(1).unwrap();
    pool.map(square, 0..n).unwrap().into_iter().sum()
}

pub fn sixteen_threads_use_one_pool(kind: Kind) {
    let pool = kind.pool();
    thread::scope(|scope| {
        for thread in 0..16_i64 {
            let pool = &pool;
            scope.spawn(move || {
                let items = || thread..thread + 60;
                let expected: Vec<i64> = items().map(|x| x * x).collect();
                for round in 0..6 {
                    match (thread + round) % 6 {
                        0 => assert_eq!(pool.map(square, items()).unwrap(), expected),
                        1 => assert!(items().all(|x| pool.apply(square, (x,)).unwrap() == x * x)),
                        2 => assert_eq!(pool.map_async(square, items()).wait().unwrap(), expected),
                        3 => assert!(pool.imap(square, items()).map(Result::unwrap).eq(expected.clone())),
                        4 => {
                            let handles: Vec<_> = items().map(|x| pool.apply_async(square, (x,))).collect();
                            let sum: i64 =
                                mp::as_completed(handles).map(|handle| handle.wait().unwrap()).sum();
                            assert_eq!(sum, expected.iter().sum::<i64>());
                        }
                        _ => assert_eq!(pool.map(no_sevens, 0..60).unwrap_err().item(), Some(7)),
                    }
                }
            });
        }
    });
}

pub fn threads_wait_for_each_others_handles(kind: Kind) {
    let pool = kind.pool();
    let (sender, handles) = channel();
    let handles = Mutex::new(handles);
    let take = || handles.lock().unwrap().recv();
    thread::scope(|scope| {
        let pool = &pool;
        scope.spawn(move || (0..300).for_each(|x| sender.send((x, pool.apply_async(square, (x,)))).unwrap()));
        for _ in 0..4 {
            scope.spawn(|| {
                while let Ok((x, handle)) = take() {
                    assert_eq!(handle.wait().unwrap(), x * x);
                }
            });
        }
        while let Ok((x, handle)) = take() {
            assert_eq!(handle.wait().unwrap(), x * x);
        }
    });
}

pub fn waiting_for_the_own_pool_is_refused(kind: Kind) {
    let shown = Shown::new(kind);
    let told = shown.pool.apply(wait_inside, (shown.number,)).unwrap();
    if let Some(told) = &told {
        assert_eq!(*told, [true; 11]);
    }
    assert_eq!(told.is_some(), kind.backend != mp::Backend::Process, "another process has no such pool");
    if told.is_none() {
        assert_eq!(shown.pool.apply(square, (3,)).unwrap(), 9);
    }
}

pub fn a_task_may_submit_without_waiting(kind: Kind) {
    let shown = Shown::new(kind);
    let (sender, done) = channel();
    *DONE.lock().unwrap() = Some(sender);
    let found = shown.pool.apply(submit_inside, (shown.number, 20)).unwrap();
    if !found {
        assert_eq!(kind.backend, mp::Backend::Process);
        return;
    }
    if kind.runs_by_itself() {
        done.recv().unwrap();
    }
    // Each has its turn when somebody waits for a later one.
    until(|| shown.pool.apply(square, (1,)).is_ok() && DONE.lock().unwrap().is_none());
}

pub fn pools_nest(kind: Kind) {
    let pool = kind.pool();
    assert_eq!(pool.map(with_own_pool, [3, 4, 0, 10]).unwrap(), [5, 14, 0, 285]);
}
