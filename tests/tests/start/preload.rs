//! What a fork server runs once.

use crate::scratch::Scratch;
use crate::server::{double, servers, signal};
use crate::{How, about_copies};
use mp::ErrorKind;
use mp_tests::until;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
static SUM: AtomicU64 = AtomicU64::new(0);

/// Leaves a line in `says` for each time it runs.
#[mp::task]
fn load(table: Vec<u8>, says: PathBuf) {
    let mut lines = fs::read_to_string(&says).unwrap_or_default();
    lines.push_str("loaded\n");
    fs::write(says, lines).unwrap();
    TABLE.set(table).unwrap();
}

/// Takes a moment to go.
struct Lingering;

impl Drop for Lingering {
    fn drop(&mut self) {
        let begun = Instant::now();
        until(|| begun.elapsed() > Duration::from_millis(20));
    }
}

thread_local!(static LINGERING: Lingering = const { Lingering });

/// With helpers, which it waits for: a scope ends before the last values of its threads are dropped.
#[mp::task]
fn add_in_parallel(numbers: Vec<u64>) {
    std::thread::scope(|scope| {
        for number in numbers {
            scope.spawn(move || {
                LINGERING.with(|_| ());
                SUM.fetch_add(number, Ordering::Relaxed);
            });
        }
    });
}

#[mp::task]
fn take_ends(ends: Vec<mp::Sender<u8>>) {
    drop(ends);
}

/// The length of what was loaded, its sum, and the process that found it.
#[mp::task]
fn find() -> (Option<usize>, u64, u32) {
    (TABLE.get().map(Vec::len), SUM.load(Ordering::Relaxed), std::process::id())
}

fn times(says: &Path) -> usize {
    fs::read_to_string(says).unwrap_or_default().lines().count()
}

#[test]
fn what_is_preloaded_runs_once_for_each_server_and_is_found_by_all() {
    about_copies(|| {
        let scratch = Scratch::new();
        let says = scratch.file("says");
        let plain = How::Server.context();
        // One argument is longer than a message may be.
        let context = plain
            .clone()
            .preload(load, (vec![7_u8; 1 << 20], says.clone()))
            .preload(add_in_parallel, (vec![1_u64, 2, 3, 4, 5, 6, 7, 8],));
        assert_eq!(times(&says), 0, "nothing runs before a process is asked for");
        let pool = context.pool(3).unwrap();
        let found: Vec<_> = (0..12).map(|_| pool.apply_async(find, ())).collect();
        for handle in found {
            assert_eq!(handle.wait().unwrap().0, Some(1 << 20));
        }
        let (len, sum, _) = context.spawn(find, ()).unwrap().join().unwrap();
        assert_eq!((len, sum, times(&says)), (Some(1 << 20), 36, 1));
        assert_eq!(plain.spawn(find, ()).unwrap().join().unwrap().0, None, "another server");
        servers().into_iter().for_each(|server| signal(server, Signal::KILL));
        let (len, sum, _) = context.spawn(find, ()).unwrap().join().unwrap();
        assert_eq!((len, sum, times(&says)), (Some(1 << 20), 36, 2), "a new server loads it again");
        assert!(TABLE.get().is_none(), "not here");
    });
}

#[test]
fn helpers_that_a_preloaded_task_waited_for_are_no_threads_left_behind() {
    about_copies(|| {
        for _ in 0..crate::rounds(3) {
            let context = How::Server.context().preload(add_in_parallel, (vec![1_u64; 16],));
            assert_eq!(context.spawn(find, ()).unwrap().join().unwrap().1, 16);
        }
    });
}

#[mp::task]
fn panics() {
    panic!("no table");
}

#[mp::task]
fn exits(code: i32) {
    std::process::exit(code);
}

#[mp::task]
fn aborts() {
    std::process::abort();
}

#[mp::task]
fn leaves_a_thread() {
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
}

#[derive(Serialize, Deserialize)]
#[serde(try_from = "u8")]
struct Unreadable(u8);

impl TryFrom<u8> for Unreadable {
    type Error = &'static str;

    fn try_from(_: u8) -> Result<Self, &'static str> {
        Err("unreadable on purpose")
    }
}

#[mp::task]
fn takes(_unreadable: Unreadable) {}

#[mp::task]
fn refuses() -> Result<u8, String> {
    Err("no key".into())
}

#[test]
fn what_is_wrong_with_a_preloaded_task_is_told_by_each_start() {
    about_copies(|| {
        let context = || How::Server.context();
        let check = |context: mp::Context, kind: ErrorKind, words: &[&str]| {
            for error in
                [context.spawn(double, (1,)).unwrap_err(), context.process(double, (1,)).start().unwrap_err()]
            {
                assert_eq!(error.kind(), kind, "{error:?}");
                let text = error.to_string();
                assert!(words.iter().all(|word| text.contains(word)), "{words:?} in {text}");
            }
            assert!(servers().is_empty());
        };
        check(context().preload(panics, ()), ErrorKind::InitializerFailed, &["panics", "no table"]);
        check(
            context().preload(refuses, ()),
            ErrorKind::InitializerFailed,
            &["refuses", "returned an error: no key"],
        );
        check(context().preload(exits, (3,)), ErrorKind::Os, &["code 3", "must return", "mp::main!()"]);
        check(context().preload(aborts, ()), ErrorKind::Os, &["SIGABRT", "must return", "3 times in a row"]);
        check(context().preload(leaves_a_thread, ()), ErrorKind::InvalidInput, &["1 thread"]);
        check(
            context().preload(takes, (Unreadable(1),)),
            ErrorKind::InitializerFailed,
            &["takes", "cannot be decoded"],
        );
        let ends = |count: u32| (0..count).map(|_| mp::pipe().unwrap().0).collect::<Vec<mp::Sender<u8>>>();
        let many = context().preload(take_ends, (ends(40),)).preload(take_ends, (ends(25),));
        check(many, ErrorKind::InvalidInput, &["65 descriptors", "can take 64"]);
        let spawn = How::Spawn.context().preload(panics, ());
        check(spawn, ErrorKind::InvalidInput, &["StartMethod::ForkServer"]);
        // In the order in which they were named.
        let both = context().preload(panics, ()).preload(exits, (3,));
        check(both, ErrorKind::InitializerFailed, &["no table"]);
    });
}

#[test]
fn a_pool_whose_server_cannot_start_says_why() {
    about_copies(|| {
        let context = How::Server.context().preload(panics, ());
        let error = match context.pool(2) {
            Ok(pool) => pool.apply(double, (1,)).unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains("no table"), "{error:?}");
    });
}
