//! Copies of this very process.

use crate::server::double;
use crate::{How, about_copies, clean};
use mp::Pool;
use mp::sync::Event;
use mp_tests::{lives, until};
use std::io::Read;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};

static STATE: AtomicU64 = AtomicU64::new(0);

#[mp::task]
fn state() -> u64 {
    STATE.fetch_add(1, Ordering::Relaxed)
}

#[mp::task]
fn wait_for(event: Event) {
    event.wait();
}

#[mp::task]
fn children() -> usize {
    mp::active_children().len()
}

#[mp::task]
fn nested_sum() -> u64 {
    clean()
        .iter()
        .map(|how| how.context().pool(2).unwrap().map(double, 0..5_u64).unwrap().iter().sum::<u64>())
        .sum()
}

#[mp::task]
fn nested_names() -> [String; 2] {
    [(); 2].map(|()| mp::spawn(state, ()).unwrap().name().to_owned())
}

#[test]
fn children_of_a_copy_are_counted_from_one() {
    about_copies(|| {
        for how in [How::Spawn, How::Server, How::Fork] {
            let copy = how.context().process(nested_names, ()).name("copy-7").start().unwrap();
            assert_eq!(copy.join().unwrap(), ["process-7:1", "process-7:2"]);
        }
    });
}

#[test]
fn a_copy_finds_the_state_of_its_original_and_changes_its_own() {
    about_copies(|| {
        let context = How::Fork.context();
        STATE.store(41, Ordering::Relaxed);
        assert_eq!(context.spawn(state, ()).unwrap().join().unwrap(), 41);
        assert_eq!(STATE.load(Ordering::Relaxed), 41);
        let pool = context.pool(1).unwrap();
        assert_eq!([pool.apply(state, ()).unwrap(), pool.apply(state, ()).unwrap()], [41, 42]);
    });
}

#[test]
fn a_copy_neither_knows_nor_ends_its_siblings() {
    about_copies(|| {
        let context = How::Fork.context();
        let go_on = Event::new().unwrap();
        let sibling = context.process(wait_for, (go_on.clone(),)).start().unwrap();
        let pool = context.pool(1).unwrap();
        // It leaves by `exit`, which does not wait for the sibling: this test would hang.
        assert_eq!(context.spawn(children, ()).unwrap().join().unwrap(), 0);
        assert_eq!(pool.apply(children, ()).unwrap(), 0);
        drop(pool);
        assert!(sibling.is_alive() && lives(sibling.pid()));
        go_on.set();
        sibling.join().unwrap();
    });
}

#[test]
fn a_copy_has_pools_of_its_own() {
    about_copies(|| {
        // One that is at work in the original is none of the copy's business.
        let server = How::Server.context();
        let pool = server.pool(1).unwrap();
        assert_eq!(pool.apply(double, (1,)).unwrap(), 2);
        assert_eq!(How::Fork.context().spawn(nested_sum, ()).unwrap().join().unwrap(), 40);
        assert_eq!(pool.apply(double, (1,)).unwrap(), 2);
        assert_eq!(server.spawn(double, (2,)).unwrap().join().unwrap(), 4);
    });
}

#[test]
fn what_is_buffered_is_written_once() {
    about_copies(|| {
        for case in ["fork", "server"] {
            let output = Command::new(env!("CARGO_BIN_EXE_start_program")).arg(case).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(
                said,
                "half a line, and the rest\n",
                "{case}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    });
}

#[test]
fn a_copy_reads_nothing_of_its_originals_input() {
    about_copies(|| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_start_program"))
            .arg("input")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"for the original").unwrap();
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(said, "0 bytes, then 16\n");
    });
}

/// A pool that copies of this process find.
static POOL: Mutex<Option<Pool>> = Mutex::new(None);

/// What each thing that one can do with the pool of another process says.
#[mp::task]
fn use_the_pool_of_another() -> Vec<String> {
    let pool = POOL.lock().unwrap().take().expect("it was there when this copy was made");
    let mut said = vec![
        pool.apply(double, (1,)).unwrap_err(),
        pool.apply_async(double, (1,)).wait().unwrap_err(),
        pool.map(double, 0..3).unwrap_err(),
        pool.map_async(double, 0..3).wait().unwrap_err(),
        pool.try_map(double, 0..1).remove(0).unwrap_err(),
        pool.imap(double, 0..3).next().unwrap().unwrap_err(),
        pool.join().unwrap_err(),
        pool.shutdown(true).unwrap_err(),
    ];
    said.retain(|error| error.kind() == mp::ErrorKind::InvalidInput);
    pool.close();
    pool.terminate();
    let quiet = format!("{} {pool:?}", pool.workers().len());
    drop(pool);
    said.iter().map(ToString::to_string).chain([quiet]).collect()
}

#[test]
fn a_pool_is_of_no_use_to_copies_of_its_process_and_goes_on_as_if_there_were_none() {
    about_copies(|| {
        let pool = Pool::new(2).unwrap();
        assert_eq!(pool.map(double, 0..3_u64).unwrap(), [0, 2, 4]);
        let workers: Vec<_> = pool.workers().iter().map(|worker| worker.pid).collect();
        *POOL.lock().unwrap() = Some(pool);
        let context = How::Fork.context();
        for _ in 0..3 {
            let said = context.spawn(use_the_pool_of_another, ()).unwrap().join().unwrap();
            assert_eq!(said.len(), 9, "{said:?}");
            assert!(said[..8].iter().all(|said| said.contains("forked from: make a pool here")), "{said:?}");
            assert!(said[8].starts_with("0 Pool"), "{said:?}");
        }
        let pool = POOL.lock().unwrap().take().unwrap();
        assert_eq!(pool.map(double, 0..100_u64).unwrap(), (0..100).map(|x| 2 * x).collect::<Vec<_>>());
        assert_eq!(pool.workers().iter().map(|worker| worker.pid).collect::<Vec<_>>(), workers);
    });
}

/// An iteration that copies of this process find begun.
static OUTCOMES: Mutex<Option<Outcomes>> = Mutex::new(None);

type Outcomes = mp::ImapStream<std::ops::Range<u64>, u64>;

/// What comes next, whoever is to be woken for it.
fn next_of(outcomes: &mut Outcomes) -> Option<Result<u64, mp::Error>> {
    let mut next = Poll::Pending;
    until(|| {
        next = outcomes.poll_next(&mut std::task::Context::from_waker(Waker::noop()));
        next.is_ready()
    });
    if let Poll::Ready(next) = next { next } else { unreachable!("it was waited for") }
}

#[mp::task]
fn go_on_with_the_outcomes_of_another() -> (String, bool) {
    let mut outcomes = OUTCOMES.lock().unwrap().take().expect("they were there when this copy was made");
    let refused = next_of(&mut outcomes).expect("not the end").unwrap_err().to_string();
    (refused, next_of(&mut outcomes).is_none())
}

#[test]
fn an_iteration_that_has_begun_does_not_seem_to_be_over_in_a_copy() {
    about_copies(|| {
        let pool = Pool::new(1).unwrap();
        let mut outcomes = pool.imap(double, 0..100_u64).into_stream();
        assert_eq!(next_of(&mut outcomes).unwrap().unwrap(), 0);
        *OUTCOMES.lock().unwrap() = Some(outcomes);
        let in_copy = How::Fork.context().spawn(go_on_with_the_outcomes_of_another, ()).unwrap();
        let (refused, ended) = in_copy.join().unwrap();
        assert!(refused.contains("forked from: make a pool here") && ended, "{refused}");
        let mut outcomes = OUTCOMES.lock().unwrap().take().unwrap();
        for x in 1..100 {
            assert_eq!(next_of(&mut outcomes).unwrap().unwrap(), 2 * x);
        }
        assert!(next_of(&mut outcomes).is_none());
    });
}

static CHILD: Mutex<Option<mp::JoinHandle<()>>> = Mutex::new(None);

/// What a copy of its parent sees of a child: whether it lives, and, after `end`, what its end gives.
#[mp::task]
fn look_at_the_child_of_another(end: Event) -> (bool, bool, String) {
    let child = CHILD.lock().unwrap().take().expect("it was there when this copy was made");
    let alive = child.is_alive();
    end.set();
    let ended = child.wait().is_err() && !child.is_alive();
    (alive, ended, child.join().unwrap_err().to_string())
}

#[test]
fn a_copy_sees_whether_a_child_of_its_original_lives_and_leaves_the_rest_to_it() {
    about_copies(|| {
        let end = Event::new().unwrap();
        *CHILD.lock().unwrap() = Some(mp::spawn(wait_for, (end.clone(),)).unwrap());
        let copy = How::Fork.context().spawn(look_at_the_child_of_another, (end,)).unwrap();
        let (alive, ended, said) = copy.join().unwrap();
        assert!(alive && ended, "{said}");
        assert!(said.contains("forked from, which has its result"), "{said}");
        CHILD.lock().unwrap().take().unwrap().join().unwrap();
    });
}
