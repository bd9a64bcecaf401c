//! A worker that has no descriptors left.

use crate::scratch::Scratch;
use mp::{ErrorKind, Pool};
use mp_tests::scenario;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::sync::Mutex;

/// Longer than what goes without a descriptor.
const LONG: usize = 1 << 20;

/// What uses the descriptors up, and how many there may be otherwise.
static HELD: Mutex<Option<(Vec<File>, Rlimit)>> = Mutex::new(None);

#[mp::task]
fn fill_up() {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..before }).unwrap();
    let files = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    *HELD.lock().unwrap() = Some((files, before));
}

#[mp::task]
fn make_room() {
    let (files, before) = HELD.lock().unwrap().take().unwrap();
    drop(files);
    setrlimit(Resource::Nofile, before).unwrap();
}

#[mp::task]
fn zeros(len: usize) -> Vec<u8> {
    vec![0; len]
}

#[mp::task]
fn len(bytes: &[u8]) -> usize {
    bytes.len()
}

#[mp::task]
fn number() -> u32 {
    std::process::id()
}

#[test]
fn a_result_for_which_there_is_no_descriptor_fails_its_call_alone() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let worker = pool.apply(number, ()).unwrap();
        pool.apply(fill_up, ()).unwrap();
        let error = pool.apply(zeros, (LONG,)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Os);
        let text = error.to_string();
        assert!(text.contains("zeros") && text.contains("os error 24"), "{text}");
        let outcomes = pool.try_map(zeros, [10, LONG, 20]);
        let lens: Vec<_> =
            outcomes.into_iter().map(|outcome| outcome.map(|bytes| bytes.len()).ok()).collect();
        assert_eq!(lens, [Some(10), None, Some(20)]);
        pool.apply(make_room, ()).unwrap();
        assert_eq!(pool.apply(zeros, (LONG,)).unwrap().len(), LONG);
        assert_eq!(pool.apply(number, ()).unwrap(), worker);
    });
}

#[test]
fn an_argument_for_which_a_worker_has_no_descriptor_goes_to_another_and_nobody_complains() {
    scenario(|| {
        let scratch = Scratch::new();
        let stderr = scratch.file("stderr");
        let pool = Pool::builder().workers(1).stderr(File::create(&stderr).unwrap()).build().unwrap();
        let worker = pool.apply(number, ()).unwrap();
        pool.apply(fill_up, ()).unwrap();
        assert_eq!(pool.apply(len, (&vec![0; LONG][..],)).unwrap(), LONG);
        assert_ne!(pool.apply(number, ()).unwrap(), worker);
        assert_eq!(std::fs::read_to_string(stderr).unwrap(), "");
    });
}
