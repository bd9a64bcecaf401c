//! Locks and queues in processes that are copies: libc's number of a thread and the kernel's list of its robust locks.

use crate::{all, rounds};
use mp::Queue;
use mp::sync::{Event, LockError, Mutex};
use mp_tests::{Random, is_emulated, scenario};
use std::time::Duration;

/// So long that only a lock that is stuck takes it.
const STUCK: Duration = Duration::from_secs(60);

#[mp::task]
fn hold(lock: Mutex<u64>, on_a_thread: bool, held: Event) {
    let body = || {
        let mut value = lock.lock().unwrap();
        *value += 1;
        held.set();
        loop {
            std::thread::park();
        }
    };
    if on_a_thread {
        std::thread::scope(|scope| drop(scope.spawn(body)));
    } else {
        body();
    }
}

#[test]
fn the_next_one_hears_of_a_killed_holder() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        for &how in all() {
            let context = how.context();
            let lock = Mutex::new(0_u64).unwrap();
            for on_a_thread in [false, true] {
                let held = Event::new().unwrap();
                let process = context.spawn(hold, (lock.clone(), on_a_thread, held.clone())).unwrap();
                held.wait();
                process.kill().unwrap();
                match lock.lock_timeout(STUCK) {
                    Err(LockError::OwnerDied(died)) => drop(died.recover()),
                    other => panic!("{how:?}: {other:?}"),
                }
                process.wait().unwrap();
                assert!(lock.lock_timeout(STUCK).is_ok());
            }
            assert_eq!(*lock.lock().unwrap(), 2);
        }
    });
}

#[mp::task]
fn count(lock: Mutex<u64>, threads: usize, rounds: u64) {
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..rounds {
                    *lock.lock().unwrap() += 1;
                }
            });
        }
    });
}

#[test]
fn processes_and_their_threads_count_under_one_lock() {
    scenario(|| {
        for &how in all() {
            let context = how.context();
            let lock = Mutex::new(0_u64).unwrap();
            let counters = [(); 2].map(|()| context.spawn(count, (lock.clone(), 3, 2000)).unwrap());
            for counter in counters {
                counter.join().unwrap();
            }
            assert_eq!(*lock.lock().unwrap(), 2 * 3 * 2000, "{how:?}");
        }
    });
}

/// The lock refuses a thread that holds it already: it knows each by libc's number.
#[mp::task]
fn lock_twice(lock: Mutex<u64>) -> bool {
    let _held = lock.lock().unwrap();
    let inner = std::thread::scope(|scope| scope.spawn(|| lock.try_lock().is_err()).join().unwrap());
    inner && lock.try_lock().is_err()
}

#[test]
fn a_lock_knows_the_threads_of_a_copy_apart() {
    scenario(|| {
        for &how in all() {
            let context = how.context();
            let lock = Mutex::new(0_u64).unwrap();
            assert!(context.spawn(lock_twice, (lock.clone(),)).unwrap().join().unwrap(), "{how:?}");
            assert!(lock.try_lock().is_ok());
        }
    });
}

#[mp::task]
fn put_for_ever(queue: Queue<Vec<u8>>) {
    for number in 0_u32.. {
        if queue.put(vec![number as u8; number as usize % 5000]).is_err() {
            return;
        }
    }
}

#[test]
fn a_killed_producer_leaves_a_queue_usable() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let mut random = Random::new();
        for &how in all() {
            let context = how.context();
            let queue = Queue::builder().items(20).bytes(8192).build().unwrap();
            for _ in 0..rounds(15) {
                let child = context.spawn(put_for_ever, (queue.clone(),)).unwrap();
                let take = |timeout| -> bool {
                    let Ok(bytes) = queue.get_timeout(timeout) else { return false };
                    assert!(bytes.iter().all(|byte| *byte == bytes[0]), "torn");
                    true
                };
                for _ in 0..=random.below(60) {
                    assert!(take(STUCK));
                }
                for _ in 0..random.below(5000) {
                    std::hint::spin_loop();
                }
                child.kill().unwrap();
                child.wait().unwrap();
                while take(Duration::ZERO) {}
                assert!(queue.is_empty());
            }
        }
    });
}
