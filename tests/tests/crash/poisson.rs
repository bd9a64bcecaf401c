//! Random workers die at random moments; every item is accounted for exactly once.

use crate::table::{builder, whole};
use crate::{rounds, where_slow};
use mp::{Error, Pool, Restart};
use mp_tests::{Random, Signal, scenario, send};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WORKERS: usize = 3;

/// Works for a moment; some of the results are too long for a ring.
#[mp::task]
fn chew(number: u64) -> Vec<u8> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(100) {
        std::hint::spin_loop();
    }
    chewed(number)
}

fn chewed(number: u64) -> Vec<u8> {
    let len = if number.is_multiple_of(61) { 300 << 10 } else { (number % 400) as usize };
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + len, number as u8);
    bytes
}

/// Signals random workers until told to stop; says how often.
fn kill_workers(pool: &Pool, random: &mut Random, stop: &AtomicBool) -> u64 {
    let mut kills = 0;
    // A new worker must come to work before the next one dies.
    let pause = where_slow(8000, 200_000);
    while !stop.load(Ordering::Relaxed) {
        // Not to wait for anything: it sets the rate of the deaths.
        thread::sleep(Duration::from_micros(random.below(pause)));
        let workers = pool.workers();
        let Some(victim) = workers.get(random.below(WORKERS as u64) as usize) else { continue };
        let signals: &[Signal] = match random.below(4) {
            0 => &[Signal::Kill],
            1 => &[Signal::Terminate],
            2 => &[Signal::Segfault],
            _ => &[Signal::Stop, Signal::Kill],
        };
        for signal in signals {
            // It may have died by itself meanwhile.
            let _ = send(victim.pid, *signal);
        }
        kills += 1;
    }
    kills
}

/// Runs `work` on a pool whose workers are killed; it says how many items were lost.
fn under_fire(work: impl FnOnce(&Pool) -> u64) {
    scenario(|| {
        let mut random = Random::new();
        let restart = Restart { at_most: u32::MAX - 1, per: Duration::from_secs(1) };
        let pool = builder(WORKERS).restart(restart).build().unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let killer = scope.spawn(|| kill_workers(&pool, &mut random, &stop));
            let _stop = StopOnDrop(&stop);
            let lost = work(&pool);
            stop.store(true, Ordering::Relaxed);
            let kills = killer.join().unwrap();
            println!("{kills} kills, {lost} items lost");
            assert!(lost <= kills, "{kills} kills cost {lost} items");
        });
        whole(&pool, WORKERS);
    });
}

/// A work that panics must not leave the killer alone.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// 1 if the item was lost with its worker, 0 if it has its value; anything else is wrong.
fn account(number: u64, outcome: Result<Vec<u8>, Error>) -> u64 {
    match outcome {
        Ok(bytes) => {
            assert_eq!(bytes, chewed(number), "the value of item {number}");
            0
        }
        Err(error) => {
            assert!(error.is_worker_lost(), "item {number}: {error:?}");
            1
        }
    }
}

#[test]
fn every_item_of_a_try_map_is_accounted_for_once_while_workers_are_killed() {
    under_fire(|pool| {
        let mut lost = 0;
        for _ in 0..rounds(1) {
            let count = where_slow(5000, 1000);
            let outcomes = pool.try_map(chew, 0..count);
            assert_eq!(outcomes.len() as u64, count);
            for (number, outcome) in (0..).zip(outcomes) {
                assert!(outcome.as_ref().err().is_none_or(|error| error.item() == Some(number)));
                lost += account(number, outcome);
            }
        }
        lost
    });
}

#[test]
fn every_handle_is_accounted_for_once_while_workers_are_killed() {
    under_fire(|pool| {
        let mut lost = 0;
        for _ in 0..rounds(1) {
            let handles: Vec<_> =
                (0..where_slow(2500, 1000)).map(|number| pool.apply_async(chew, (number,))).collect();
            lost += (0..).zip(&handles).map(|(number, handle)| account(number, handle.wait())).sum::<u64>();
        }
        lost
    });
}

#[test]
fn every_item_of_an_imap_is_accounted_for_once_while_workers_are_killed() {
    under_fire(|pool| {
        let mut lost = 0;
        for _ in 0..rounds(1) {
            let count = where_slow(2500, 1000);
            let mut seen = vec![false; count as usize];
            for (index, outcome) in pool.imap_unordered(chew, 0..count) {
                assert!(!std::mem::replace(&mut seen[index], true), "item {index} came twice");
                lost += account(index as u64, outcome);
            }
            assert!(seen.iter().all(|seen| *seen), "an item never came");
        }
        lost
    });
}
