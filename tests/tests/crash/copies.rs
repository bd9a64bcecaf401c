//! Copies of a worker that a task makes with the system's `fork`, and that come to the end of the task.

use crate::hostile::{double, patient, serves};
use mp::shm::Atomic;
use mp_tests::scenario;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// Exit code of a copy that mp ended.
const COPIED: i32 = 71;

/// Makes a copy, which gets `None`. The original waits for its end and gets its exit code.
fn copied() -> Option<i32> {
    // SAFETY: duty: the copy can live with what other threads were at: the only other one is the watch thread, which allocates nothing
    // while nobody dies.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        return None;
    }
    let mut status = 0;
    // SAFETY: duty: a valid pointer: a live local.
    assert_eq!(unsafe { libc::waitpid(copy, &raw mut status, 0) }, copy);
    Some(libc::WEXITSTATUS(status))
}

#[mp::task]
fn short(number: i32) -> i32 {
    number + copied().unwrap_or(1000)
}

#[mp::task]
fn long(length: usize) -> Vec<i32> {
    vec![copied().unwrap_or(1000); length]
}

#[mp::task]
fn panics() -> i32 {
    copied().expect("this is the copy")
}

/// The original adds the exit code of its copy.
#[mp::task]
fn adds(codes: Atomic<AtomicI32>) {
    if let Some(code) = copied() {
        codes.fetch_add(code, Relaxed);
    }
}

#[mp::task]
fn exits() -> bool {
    let daemon = mp::Process::new(sleeps, ()).daemon(true).start().unwrap();
    if copied().is_none() {
        std::process::exit(3);
    }
    daemon.is_alive()
}

#[mp::task]
fn sleeps() {
    loop {
        std::thread::park();
    }
}

#[test]
fn a_copy_that_a_task_has_made_answers_no_call() {
    scenario(|| {
        let pool = patient();
        assert_eq!(pool.map(short, 0..20).unwrap(), (COPIED..COPIED + 20).collect::<Vec<_>>());
        for length in [0, 100, 1 << 20] {
            assert_eq!(pool.apply(long, (length,)).unwrap(), vec![COPIED; length]);
        }
        assert_eq!(pool.apply(panics, ()).unwrap(), COPIED);
        assert_eq!(mp::spawn(short, (1,)).unwrap().join().unwrap(), COPIED + 1);
        serves(&pool);
    });
}

#[test]
fn a_copy_that_an_initializer_or_a_finalizer_has_made_takes_no_call() {
    scenario(|| {
        let codes = Atomic::new(AtomicI32::new(0)).unwrap();
        let builder = mp::Pool::builder().workers(1).initializer(adds, (&codes,));
        let pool = builder.finalizer(adds, (&codes,)).build().unwrap();
        assert_eq!(pool.map(double, 0..3).unwrap(), [0, 2, 4]);
        assert_eq!(
            codes.load(Relaxed),
            COPIED,
            "the initializer's copy ended, and the original took the calls"
        );
        pool.close();
        pool.join().unwrap();
        assert_eq!(codes.load(Relaxed), 2 * COPIED, "and so did the finalizer's");
    });
}

#[test]
fn a_copy_that_exits_leaves_the_children_of_its_original_alone() {
    scenario(|| assert!(patient().apply(exits, ()).unwrap()));
}
