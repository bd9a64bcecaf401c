//! A worker that forges answers: it knows where the parent looks for them.

use crate::hostile::double;
use crate::rounds;
use crate::table::builder;
use mp_tests::{scenario, shared_memory};
use std::sync::atomic::{AtomicU64, Ordering};

/// Of `shm::layout`: where the end of the responses is counted, and how long their ring is, which is the last in a region.
const TAIL_AT: usize = 256;
const RING_BYTES: usize = 1 << 20;

/// Answers its own call, number `seq`, and the next one, which it does not have, and says for ever that it runs one.
#[mp::task]
fn answers_twice(seq: u64) {
    let region = shared_memory().into_iter().find(|region| region.len() > 2 * RING_BYTES).unwrap();
    let word = |at: usize| -> &AtomicU64 {
        // SAFETY: in bounds and aligned, for all that are named below; atomics have no invalid bits; mapped for ever.
        unsafe { &*std::ptr::with_exposed_provenance(region.start + at) }
    };
    let notes: Vec<_> = (0..region.len() - 2 * RING_BYTES).step_by(8).map(word).collect();
    let running: Vec<_> = notes.iter().filter(|note| note.load(Ordering::Relaxed) == 2 * seq + 1).collect();
    assert_eq!(running.len(), 1, "the note of the call that runs");
    running[0].store(u64::MAX, Ordering::Relaxed);
    let tail = word(TAIL_AT).load(Ordering::Relaxed);
    for frame in [0, 8] {
        // Short, without a payload: what a call without a result answers.
        // The ring may have started over: `tail` is how much was ever written.
        word(region.len() - RING_BYTES + tail as usize % RING_BYTES + frame).store(1, Ordering::Relaxed);
    }
    word(TAIL_AT).store(tail + 16, Ordering::Release);
    loop {
        std::thread::park();
    }
}

#[test]
fn a_worker_that_was_caught_is_given_no_more_calls() {
    scenario(|| {
        const BEFORE: u64 = 1000;
        for _ in 0..rounds(5) {
            let pool = builder(1).build().unwrap();
            pool.map(double, 0..BEFORE).unwrap();
            pool.apply(answers_twice, (BEFORE + 1,)).unwrap();
            // It is not known to be dead yet, and would take this call with it: it says that it runs.
            assert_eq!(pool.apply(double, (1,)).unwrap(), 2);
        }
    });
}
