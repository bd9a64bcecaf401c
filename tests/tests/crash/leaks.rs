//! Many pools, and many handles: nothing grows that should not.

use crate::edges::orders;
use crate::kinds::{End, Kind, Order, Place, one};
use crate::table::builder;
use crate::{rounds, where_slow};
use mp_tests::{Footprint, resident, scenario};
use std::time::{Duration, Instant};

fn one_pool(number: u64) {
    let pool = builder(2).build().unwrap();
    match number % 3 {
        0 => assert_eq!(pool.map(one, orders(10)).unwrap().len(), 10),
        1 => {
            let fatal = End { place: Place::Running, kind: Kind::Kill, aloud: false };
            assert!(pool.apply(one, (Order { number, end: Some(fatal) },)).unwrap_err().is_worker_lost());
        }
        _ => pool.terminate(),
    }
}

#[test]
fn pools_made_and_dropped_leave_descriptors_threads_and_memory_as_they_were() {
    for slice in 0..rounds(1) {
        scenario(|| {
            let count = where_slow(240, 60);
            (0..count / 4).for_each(one_pool);
            let (before, footprint) = (resident(), Footprint::now());
            (0..count).for_each(one_pool);
            let left = Footprint::now().beyond(&footprint);
            assert!(left.is_empty(), "{left:?}");
            let grown = resident().saturating_sub(before);
            println!("slice {slice}: {} KiB more resident", grown >> 10);
            // Less than the size of one region of shared memory for each pool would be noticed.
            assert!(grown < 4 << 20, "{grown} bytes more resident after {count} pools");
        });
    }
}

#[test]
fn a_hundred_thousand_pending_handles_have_their_values() {
    scenario(|| {
        let pool = builder(2).build().unwrap();
        let mut each = Vec::new();
        for count in [10_000, 100_000 * rounds(1)] {
            let begun = Instant::now();
            let handles: Vec<_> =
                (0..count).map(|number| pool.apply_async(one, (Order { number, end: None },))).collect();
            for (number, handle) in (0..).zip(&handles) {
                assert_eq!(handle.wait().unwrap().number, number);
            }
            drop(handles);
            each.push((count, begun.elapsed() / u32::try_from(count).unwrap()));
        }
        println!("a handle costs {each:?}");
    });
}

#[test]
fn looking_again_and_again_for_a_handle_to_be_ready_costs_no_memory() {
    scenario(|| {
        let pool = builder(1).build().unwrap();
        let pending = [pool.apply_async(last_for_ever, ())];
        let look = || {
            assert!(mp::wait(&pending, mp::When::FirstCompleted, Some(Duration::ZERO)).done.is_empty());
            assert!(mp::as_completed(&pending).next_timeout(Duration::ZERO).is_none());
            assert!(mp::wait_any(&[&pending[0]], Some(Duration::ZERO)).unwrap().is_empty());
        };
        (0..100).for_each(|_| look());
        let before = resident();
        (0..where_slow(10_000, 5000)).for_each(|_| look());
        let grown = resident().saturating_sub(before);
        assert!(grown < 1 << 20, "{grown} bytes more resident");
        pool.terminate();
    });
}

#[mp::task]
fn last_for_ever() {
    loop {
        std::thread::park();
    }
}
