//! A program that closes what is not its own, as code does that makes a daemon of a program.

use mp::{Error, Pool};
use mp_tests::scenario;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;

#[mp::task]
fn double(x: u32) -> u32 {
    2 * x
}

#[mp::task]
fn endless() {
    loop {
        std::thread::park();
    }
}

/// The descriptors of this process, and what each is.
fn descriptors() -> BTreeMap<i32, PathBuf> {
    let entries = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let described = entries.filter_map(|entry| {
        Some((entry.file_name().to_str()?.parse().ok()?, fs::read_link(entry.path()).ok()?))
    });
    // The one that lists them is gone afterwards, and its number is another's.
    described.filter(|(_, what)| !what.ends_with("fd")).collect()
}

/// Puts the null device in their place, so that nothing else gets their numbers.
fn cover(descriptors: impl Iterator<Item = i32>) {
    let null = File::open("/dev/null").unwrap();
    for descriptor in descriptors {
        // SAFETY: duty: none, the call takes numbers. Who owns the descriptor learns it from its errors, which is the test.
        assert_eq!(unsafe { libc::dup2(null.as_raw_fd(), descriptor) }, descriptor);
    }
}

/// In a process of its own, which has lost what it sleeps on. Its workers are there.
#[mp::task]
fn without_its_poller() -> Result<Vec<u32>, Error> {
    let pool = Pool::builder().workers(2).grace(Duration::ZERO).build()?;
    pool.map(double, 0..4)?;
    let is_poller = |what: &PathBuf| what.to_str().is_some_and(|what| what.contains("eventpoll"));
    cover(descriptors().into_iter().filter(|(_, what)| is_poller(what)).map(|(descriptor, _)| descriptor));
    let doubled = pool.map(double, 0..1000);
    let stuck = pool.apply_async(endless, ());
    drop(pool);
    assert!(stuck.wait().unwrap_err().is_closed());
    doubled
}

/// In a process of its own, which has lost all that its pool had.
#[mp::task]
fn without_anything() -> Result<(), Error> {
    let before = descriptors();
    let pool = Pool::builder().workers(2).grace(Duration::ZERO).build()?;
    let stuck = pool.apply_async(endless, ());
    cover(descriptors().into_keys().filter(|descriptor| !before.contains_key(descriptor)));
    for x in 0..3 {
        // Some may be answered through memory, which is still there.
        let _ = pool.apply(double, (x,));
    }
    drop(pool);
    assert!(stuck.wait().is_err());
    Ok(())
}

#[test]
fn a_program_that_has_closed_its_pools_descriptors_hears_of_an_end_all_the_same() {
    scenario(|| {
        let doubled = mp::spawn(without_its_poller, ()).unwrap().join().unwrap().unwrap();
        assert_eq!(doubled, (0..1000).map(|x| 2 * x).collect::<Vec<u32>>());
        mp::spawn(without_anything, ()).unwrap().join().unwrap().unwrap();
    });
}
