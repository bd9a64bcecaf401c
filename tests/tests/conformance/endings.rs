//! What the end of a pool means.

use crate::Kind;
use crate::verbs::square;
use mp::{ErrorKind, Pool};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

#[mp::task]
fn panic_with(message: &str) {
    panic!("{message}")
}

/// Leaves a file that tells which worker was here.
#[mp::task]
fn leave_mark(folder: &Path, what: &str) {
    let worker = mp::worker().unwrap();
    fs::write(folder.join(format!("{what}-{}", worker.index)), "").unwrap();
}

fn check_refuses(pool: &Pool) {
    assert!(pool.apply(square, (1,)).unwrap_err().is_closed());
    assert!(pool.apply_async(square, (1,)).wait().unwrap_err().is_closed());
    assert!(pool.map(square, 0..5).unwrap_err().is_closed());
    assert!(pool.map_async(square, 0..5).wait().unwrap_err().is_closed());
    let outcomes = pool.try_map(square, 0..5);
    assert!(outcomes.len() == 5 && outcomes.into_iter().all(|outcome| outcome.unwrap_err().is_closed()));
    assert!(pool.imap(square, 0..5).next().unwrap().unwrap_err().is_closed());
    assert!(pool.imap_unordered(square, 0..5).next().unwrap().1.unwrap_err().is_closed());
}

pub fn a_closed_pool_finishes_and_refuses(kind: Kind) {
    let pool = kind.pool();
    let handles: Vec<_> = (0..50).map(|x| pool.apply_async(square, (x,))).collect();
    let map = pool.map_async(square, 0..500);
    assert_eq!(pool.join().unwrap_err().kind(), ErrorKind::InvalidInput, "it is open");
    pool.close();
    check_refuses(&pool);
    pool.join().unwrap();
    assert!(handles.into_iter().zip(0..).all(|(handle, x)| handle.wait().unwrap() == x * x));
    assert_eq!(map.wait().unwrap().len(), 500);
    assert!(pool.workers().is_empty());
    check_refuses(&pool);
}

pub fn a_terminated_pool_resolves_everything(kind: Kind) {
    let pool = kind.pool();
    let handles: Vec<_> = (0..200).map(|x| pool.apply_async(square, (x,))).collect();
    let map = pool.map_async(square, 0..5000);
    pool.terminate();
    assert!(pool.workers().is_empty());
    assert!(handles.iter().all(mp::TaskHandle::is_ready) && map.is_ready());
    for (handle, x) in handles.into_iter().zip(0..) {
        assert!(handle.wait().map_or_else(|error| error.is_closed(), |value| value == x * x));
    }
    assert!(map.wait().map_or_else(|error| error.is_closed(), |all| all.len() == 5000));
    check_refuses(&pool);
}

pub fn a_shutdown_cancels_or_finishes(kind: Kind) {
    for cancel in [false, true] {
        let pool = kind.pool();
        let handles: Vec<_> = (0..200).map(|x| pool.apply_async(square, (x,))).collect();
        pool.shutdown(cancel).unwrap();
        for (handle, x) in handles.into_iter().zip(0..) {
            assert!(handle.is_ready());
            match handle.wait() {
                Ok(value) => assert_eq!(value, x * x),
                Err(error) => assert!(cancel && error.is_cancelled(), "{error}"),
            }
        }
        check_refuses(&pool);
    }
}

pub fn ending_twice_is_ending_once(kind: Kind) {
    type Step = fn(&Pool);
    let steps: [Step; 4] = [
        |pool| pool.close(),
        |pool| pool.terminate(),
        |pool| drop(pool.join()),
        |pool| pool.shutdown(false).unwrap(),
    ];
    for one in steps {
        for two in steps {
            let pool = kind.pool();
            let handle = pool.apply_async(square, (3,));
            one(&pool);
            two(&pool);
            two(&pool);
            pool.shutdown(false).unwrap();
            assert!(handle.wait().map_or_else(|error| error.is_closed(), |nine| nine == 9));
            check_refuses(&pool);
        }
    }
}

pub fn a_dropped_pool_leaves_nothing_unresolved(kind: Kind) {
    for count in [0, 1, 100] {
        let pool = kind.pool();
        let handles: Vec<_> = (0..count).map(|x| pool.apply_async(square, (x,))).collect();
        drop(pool);
        for (handle, x) in handles.into_iter().zip(0..) {
            assert!(handle.is_ready());
            assert!(handle.wait().map_or_else(|error| error.is_closed(), |value| value == x * x));
        }
    }
    drop(kind.pool());
}

pub fn initializers_and_finalizers_run_in_each_worker(kind: Kind) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("mp-test-marks-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    let builder = Pool::builder()
        .workers(kind.workers)
        .backend(kind.backend)
        .grace(std::time::Duration::from_secs(3600));
    let builder = builder.initializer(leave_mark, (&folder, "came")).finalizer(leave_mark, (&folder, "left"));
    let pool = builder.build().unwrap();
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
    assert!(!marks(&folder).iter().any(|mark| mark.starts_with("left")));
    pool.shutdown(false).unwrap();
    let expected = ["came", "left"].map(|what| (0..kind.workers).map(move |index| format!("{what}-{index}")));
    assert_eq!(marks(&folder), expected.into_iter().flatten().collect::<Vec<_>>());
    fs::remove_dir_all(folder).unwrap();
}

fn marks(folder: &PathBuf) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

pub fn a_failing_initializer_ends_the_pool(kind: Kind) {
    let builder = Pool::builder().workers(kind.workers).backend(kind.backend);
    let pool = builder.initializer(panic_with, ("no luck",)).build().unwrap();
    for _ in 0..2 {
        let error = pool.apply(square, (1,)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InitializerFailed, "{error}");
        assert_eq!(error.panic().unwrap().message, "no luck");
    }
    assert_eq!(pool.map(square, 0..5).unwrap_err().kind(), ErrorKind::InitializerFailed);
    assert_eq!(pool.imap(square, 0..5).next().unwrap().unwrap_err().kind(), ErrorKind::InitializerFailed);
    pool.join().unwrap();
}
