//! Pools of workers that are copies.

use crate::scratch::Scratch;
use crate::server::double;
use crate::{How, about_copies, clean};
use mp::shm::Atomic;
use mp::sync::Event;
use mp::{ErrorKind, Pool, PoolBuilder};
use mp_tests::{lives, living_children, scenario, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

fn builder(workers: usize) -> PoolBuilder {
    How::Server.context().pool_builder().workers(workers)
}

#[mp::task]
fn add(x: u64, y: u64) -> u64 {
    x + y
}

#[mp::task]
fn stuck(begun: Event) {
    begun.set();
    loop {
        std::thread::park();
    }
}

#[mp::task]
fn note(path: PathBuf) {
    std::fs::write(path.join(std::process::id().to_string()), "").unwrap();
}

#[mp::task]
fn pid(_item: u64) -> u32 {
    std::process::id()
}

#[test]
fn every_verb_works_on_copies() {
    about_copies(|| {
        let pool = builder(2).build().unwrap();
        let doubled: Vec<u64> = (0..100).map(|x| 2 * x).collect();
        let pairs: Vec<(u64, u64)> = (0..100).map(|x| (x, x)).collect();
        assert_eq!(pool.apply(double, (4,)).unwrap(), 8);
        assert_eq!(pool.apply_async(double, (4,)).wait().unwrap(), 8);
        assert_eq!(pool.map(double, 0..100_u64).unwrap(), doubled);
        assert_eq!(pool.map_async(double, 0..100_u64).wait().unwrap(), doubled);
        assert_eq!(pool.starmap(add, pairs.clone()).unwrap(), doubled);
        assert_eq!(pool.starmap_async(add, pairs.clone()).wait().unwrap(), doubled);
        assert!(pool.try_starmap(add, pairs).into_iter().map(Result::unwrap).eq(doubled.iter().copied()));
        assert!(pool.try_map(double, 0..100_u64).into_iter().map(Result::unwrap).eq(doubled.iter().copied()));
        assert_eq!(pool.imap(double, 0..100_u64).collect::<Result<Vec<_>, _>>().unwrap(), doubled);
        for (index, value) in pool.imap_unordered(double, 0..100_u64) {
            assert_eq!(value.unwrap(), doubled[index]);
        }
        let long = vec![3_u8; 3 << 20];
        assert_eq!(pool.apply(length, (long,)).unwrap(), 3 << 20);
    });
}

#[mp::task]
fn length(bytes: &[u8]) -> usize {
    bytes.len()
}

#[test]
fn initializer_finalizer_and_recycling_are_as_with_fresh_processes() {
    about_copies(|| {
        let scratch = Scratch::new();
        let [started, ended] = ["started", "ended"].map(|name| {
            std::fs::create_dir(scratch.file(name)).unwrap();
            scratch.file(name)
        });
        let pool = builder(2)
            .initializer(note, (started.clone(),))
            .finalizer(note, (ended.clone(),))
            .max_tasks_per_worker(3)
            .build()
            .unwrap();
        let mut calls = std::collections::BTreeMap::<u32, usize>::new();
        for pid in pool.map(pid, 0..30_u64).unwrap() {
            *calls.entry(pid).or_default() += 1;
        }
        assert!(calls.len() >= 10 && calls.values().all(|count| *count <= 3), "{calls:?}");
        pool.shutdown(false).unwrap();
        let noted = |path: PathBuf| std::fs::read_dir(path).unwrap().count();
        assert_eq!(noted(started), noted(ended));
    });
}

#[test]
fn a_terminated_or_dropped_pool_leaves_nobody() {
    about_copies(|| {
        for terminate in [true, false] {
            let begun = Event::new().unwrap();
            let pool = builder(2).grace(Duration::from_millis(100)).build().unwrap();
            let handle = pool.apply_async(stuck, (begun.clone(),));
            begun.wait();
            let workers: Vec<u32> = pool.workers().iter().map(|worker| worker.pid).collect();
            assert_eq!(workers.len(), 2);
            if terminate {
                pool.terminate();
            }
            drop(pool);
            assert!(handle.wait().is_err());
            assert!(workers.iter().all(|pid| !lives(*pid)));
        }
    });
}

/// A worker with pools of its own, by each method, and somebody stuck in each.
#[mp::task]
fn nested(begun: Event, pids: mp::Queue<u32>) {
    let pools: Vec<_> = clean().iter().map(|how| how.context().pool(1).unwrap()).collect();
    for pool in &pools {
        assert_eq!(pool.apply(double, (2,)).unwrap(), 4);
        drop(pool.apply_async(stuck, (begun.clone(),)));
    }
    for pid in living_children(std::process::id()) {
        pids.put(pid).unwrap();
    }
    pids.put(0).unwrap();
    stuck(begun);
    drop(pools);
}

#[test]
fn what_a_copy_has_started_ends_with_it() {
    about_copies(|| {
        let (begun, pids) = (Event::new().unwrap(), mp::Queue::unbounded().unwrap());
        let pool: Pool = builder(1).build().unwrap();
        let handle = pool.apply_async(nested, (begun, pids.clone()));
        let below: Vec<u32> = std::iter::from_fn(|| pids.get().ok().filter(|pid| *pid != 0)).collect();
        assert_eq!(below.len(), 3, "a spawned worker, a copied one and their own server");
        pool.terminate();
        assert!(handle.wait().is_err());
        until(|| !below.iter().any(|pid| lives(*pid)));
    });
}

#[mp::task]
fn long(byte: u8, runs: Atomic<AtomicU32>) -> Vec<u8> {
    runs.fetch_add(1, Ordering::SeqCst);
    vec![byte; 1 << 20]
}

#[test]
fn a_pool_without_descriptors_fails_a_long_result_for_that_reason_and_runs_it_once() {
    scenario(|| {
        /// Beyond what is open and what there is to be left.
        const DESCRIPTORS: u64 = 128;
        let before = getrlimit(Resource::Nofile);
        let (mut refused, runs) = (0, Atomic::new(AtomicU32::new(0)).unwrap());
        // Each of them is the one too many once.
        for left in 0..8 {
            let pool = Pool::new(1).unwrap();
            assert_eq!(pool.apply(double, (1,)).unwrap(), 2);
            runs.store(0, Ordering::SeqCst);
            setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), ..before }).unwrap();
            let mut held: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            held.truncate(held.len() - left);
            let outcome = pool.apply(long, (7, &runs));
            drop(held);
            setrlimit(Resource::Nofile, before).unwrap();
            match outcome {
                Ok(bytes) => assert_eq!(bytes, [7; 1 << 20]),
                // The argument needs one as well.
                Err(error) if error.kind() == ErrorKind::Encode => {}
                Err(error) => {
                    let text = error.to_string();
                    assert!(error.is_worker_lost(), "{left} left: {text}");
                    assert!(!text.contains("broke the protocol"), "{left} left: {text}");
                    let reasons = ["no descriptors left for what it was sent", "os error 24"];
                    assert!(reasons.iter().any(|reason| text.contains(reason)), "{left} left: {text}");
                    refused += 1;
                }
            }
            assert!(runs.load(Ordering::SeqCst) <= 1, "{left} left: it ran more than once");
            assert_eq!(pool.apply(long, (8, &runs)).unwrap(), [8; 1 << 20]);
        }
        assert_ne!(refused, 0);
    });
}
