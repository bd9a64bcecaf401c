//! Workers that overwrite the memory that they share with their parent.

use crate::hostile::{double, serves};
use crate::table::{builder, whole};
use crate::{rounds, where_slow};
use mp::{Error, ErrorKind, Restart};
use mp_tests::{Random, Signal, lives, scenario, send, shared_memory};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a task does to the memory that its worker shares with the parent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Scribble {
    seed: u64,
    /// How many words to overwrite.
    words: u64,
    /// Only this much from the start; the state of the rings is there.
    within: u64,
    /// Abort afterwards, or return.
    dies: bool,
}

#[mp::task]
fn scribble(what: Scribble) -> u64 {
    let mut random = Random::seeded(what.seed);
    let shared = shared_memory();
    assert!(!shared.is_empty());
    for _ in 0..what.words {
        for region in &shared {
            let len = region.len().min(what.within as usize) as u64;
            let address = region.start + (random.below(len) & !7) as usize;
            let value = match random.below(4) {
                0 => 0,
                1 => u64::MAX,
                2 => random.below(4096),
                _ => random.next(),
            };
            // SAFETY: in bounds and aligned, by the lines above; that the bytes are another's to write is the point.
            unsafe { std::ptr::with_exposed_provenance_mut::<u64>(address).write_volatile(value) };
        }
    }
    if what.dies {
        std::process::abort();
    }
    what.seed
}

#[test]
fn a_worker_that_scribbles_over_its_shared_memory_and_dies_costs_its_own_call_only() {
    scenario(|| {
        let mut random = Random::new();
        for _ in 0..rounds(where_slow(60, 12)) {
            // Whoever wipes out the note that it runs, each time that it runs, has to come to an end on a slow machine, too.
            let enough = Restart { at_most: 8, per: Duration::from_secs(3600) };
            let pool = builder(2).restart(enough).build().unwrap();
            let others: Vec<_> = (0..20).map(|number| pool.apply_async(double, (number,))).collect();
            for (number, other) in (0..).zip(&others) {
                assert_eq!(other.wait().unwrap(), number * 2);
            }
            let what = attack(&mut random, true);
            // What is said of the death may be garbled too; that it is a failure is certain.
            let error = pool.apply(scribble, (what,)).unwrap_err();
            // Some wipe out the note that they run; those are run again, until the pool has had enough. The death that is
            // one too many may be noticed behind the answer.
            let gave_up = |error: &Error| error.kind() == ErrorKind::CrashLoop;
            if !gave_up(&error) && !pool.apply(double, (1,)).is_err_and(|error| gave_up(&error)) {
                serves(&pool);
            }
        }
    });
}

#[test]
fn a_worker_that_scribbles_over_its_shared_memory_and_goes_on_can_be_killed() {
    scenario(|| {
        let mut random = Random::new();
        for _ in 0..rounds(where_slow(60, 12)) {
            // On a busy machine the loop below may kill many before one has begun.
            let endless = Restart { at_most: u32::MAX, per: Duration::from_secs(1) };
            let pool = builder(2).restart(endless).build().unwrap();
            whole(&pool, 2);
            let what = attack(&mut random, false);
            let handle = pool.apply_async(scribble, (what,));
            loop {
                // It may have said that it is done, or may sleep for ever now: a stuck worker like any other. Killed before it
                // began, it runs once more in the next worker, which is killed in its turn.
                let ended = handle.wait_timeout(Duration::from_millis(random.below(20)));
                for worker in pool.workers().iter().filter(|worker| lives(worker.pid)) {
                    let _ = send(worker.pid, Signal::Kill);
                }
                if !ended.is_err_and(|error| error.is_timeout()) {
                    break;
                }
            }
            serves(&pool);
        }
    });
}

fn attack(random: &mut Random, dies: bool) -> Scribble {
    let within = [2 << 10, 12 << 10, 12 << 10, 8 << 20][random.below(4) as usize];
    Scribble { seed: random.next(), words: 1 << random.below(14), within, dies }
}
