//! The table of what locks do, by threads of one process: they are the same locks between processes.

use mp::sync::{Condvar, LockError, Mutex, Once, OnceLock, RLock, RwLock};
use mp::{Error, ErrorKind};
use mp_tests::{is_emulated, scenario, until};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(30);

/// Runs in another thread, which is not the owner of anything.
fn elsewhere<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(body).join().unwrap())
}

#[test]
fn a_mutex_excludes_and_says_so() {
    scenario(|| {
        let mutex = Mutex::new(1_u64).unwrap();
        assert!(!mutex.is_locked());
        let guard = mutex.lock().unwrap();
        assert!(mutex.is_locked());
        let mine = mutex.try_lock().unwrap_err();
        assert!(matches!(mine, LockError::WouldBlock) && mine.to_string().contains("this very thread"));
        assert_eq!(Error::from(mutex.lock().unwrap_err()).kind(), ErrorKind::Deadlock);
        assert_eq!(Error::from(mutex.lock_timeout(SHORT).unwrap_err()).kind(), ErrorKind::Deadlock);
        elsewhere(|| {
            assert!(mutex.is_locked());
            assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
            assert!(matches!(mutex.lock_timeout(Duration::ZERO), Err(LockError::TimedOut)));
            let start = Instant::now();
            assert!(matches!(mutex.lock_timeout(SHORT), Err(LockError::TimedOut)));
            assert!(start.elapsed() >= SHORT);
        });
        drop(guard);
        elsewhere(|| mutex.lock_timeout(Duration::MAX).map(|mut guard| *guard += 1).unwrap());
        assert_eq!(*mutex.try_lock().unwrap(), 2);
    });
}

#[test]
fn a_panic_poisons_and_a_death_does_not() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let mutex = Mutex::new(0_u64).unwrap();
        let panicked = elsewhere(|| {
            catch_unwind(AssertUnwindSafe(|| {
                let _guard = mutex.lock().unwrap();
                resume_unwind(Box::new(()));
            }))
        });
        assert!(panicked.is_err() && mutex.is_poisoned());
        let error = mutex.lock().unwrap_err();
        assert!(error.is_poisoned() && !error.is_owner_died());
        assert!(error.to_string().contains("`clear_poison`"), "{error}");
        *error.into_guard().unwrap() = 5;
        mutex.clear_poison();
        assert_eq!(*mutex.lock().unwrap(), 5);
        // A thread that ends with the lock is a dead holder; its guard, forgotten, keeps the memory in place.
        let forgotten = mutex.clone();
        elsewhere(move || std::mem::forget(forgotten.lock().unwrap()));
        let error = mutex.lock().unwrap_err();
        assert!(error.is_owner_died() && !mutex.is_poisoned());
        assert!(error.to_string().contains("`OwnerDied::recover`"), "{error}");
        drop(error);
        let LockError::OwnerDied(died) = mutex.lock().unwrap_err() else {
            panic!("the news was left to the next one")
        };
        assert_eq!(**died.as_guard(), 5);
        drop(died.recover());
        assert!(mutex.lock().is_ok());
    });
}

#[test]
fn a_recursive_lock_counts_its_owner_s_guards() {
    scenario(|| {
        let lock = RLock::new().unwrap();
        let guards = [lock.lock().unwrap(), lock.try_lock().unwrap(), lock.lock_timeout(SHORT).unwrap()];
        for guard in guards {
            assert!(elsewhere(|| matches!(lock.try_lock(), Err(LockError::WouldBlock))));
            assert!(elsewhere(|| matches!(lock.lock_timeout(Duration::ZERO), Err(LockError::TimedOut))));
            drop(guard);
        }
        assert!(elsewhere(|| !lock.is_locked() && lock.lock().is_ok()));
    });
}

#[test]
fn readers_share_and_a_writer_is_alone() {
    scenario(|| {
        let lock = RwLock::new([1_u32, 2]).unwrap();
        let readers = [lock.read().unwrap(), lock.read().unwrap()];
        assert_eq!(elsewhere(|| lock.read().unwrap()[1]), 2);
        assert!(elsewhere(|| matches!(lock.try_write(), Err(LockError::WouldBlock))));
        assert!(elsewhere(|| matches!(lock.write_timeout(SHORT), Err(LockError::TimedOut))));
        drop(readers);
        let mut writer = lock.write().unwrap();
        writer[0] = 7;
        elsewhere(|| {
            assert!(matches!(lock.try_read(), Err(LockError::WouldBlock)));
            assert!(matches!(lock.read_timeout(Duration::ZERO), Err(LockError::TimedOut)));
            assert!(matches!(lock.try_write(), Err(LockError::WouldBlock)));
        });
        drop(writer);
        assert_eq!(elsewhere(|| *lock.read().unwrap()), [7, 2]);
    });
}

#[test]
fn each_of_many_readers_keeps_writers_out_as_long_as_it_reads() {
    scenario(|| {
        let lock = RwLock::new(5_u8).unwrap();
        for readers in [1, 2, 3, 4, 5, 6, 9, 63, 64] {
            let mut reading: Vec<_> = (0..readers).map(|_| lock.try_read().unwrap()).collect();
            assert_eq!(elsewhere(|| lock.try_read().is_ok()), readers < 64);
            // The last one that is left is the first one that came, or the last one.
            while !reading.is_empty() {
                let reader = reading.remove(if readers % 2 == 0 { reading.len() - 1 } else { 0 });
                assert_eq!(*reader, 5);
                assert!(elsewhere(|| matches!(lock.try_write(), Err(LockError::WouldBlock))), "{readers}");
            }
            let writer = lock.try_write().unwrap();
            assert!(elsewhere(|| matches!(lock.try_read(), Err(LockError::WouldBlock))), "{readers}");
            drop(writer);
        }
    });
}

#[test]
fn more_readers_than_seats_wait_and_a_writer_gets_its_turn() {
    scenario(|| {
        let lock = RwLock::new(0_u64).unwrap();
        thread::scope(|scope| {
            for _ in 0..80 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        assert!(*lock.read().unwrap() <= 40);
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        *lock.write().unwrap() += 1;
                    }
                });
            }
        });
        assert_eq!(*lock.read().unwrap(), 40);
    });
}

#[test]
fn a_value_is_written_once() {
    scenario(|| {
        let once = OnceLock::new().unwrap();
        assert_eq!(once.get(), None);
        assert!(catch_unwind(AssertUnwindSafe(|| once.get_or_init(|| resume_unwind(Box::new(()))))).is_err());
        assert_eq!(
            once.get_or_init(|| once.get_or_init(|| 1_u8).map_or(9, |value| *value)).unwrap(),
            &9,
            "deadlock inside"
        );
        assert_eq!(once.get_or_init(|| 3).unwrap(), &9);
        assert_eq!(once.set(4), Err(4));
        assert_eq!(once.clone().get(), Some(&9));
        let other = OnceLock::new().unwrap();
        assert_eq!(other.set([1_u16, 2]), Ok(()));
        assert_eq!(other.get(), Some(&[1, 2]));
    });
}

#[test]
fn work_is_done_once_and_again_if_it_panicked() {
    scenario(|| {
        let once = Once::new().unwrap();
        let mut runs = 0;
        let panicked = catch_unwind(AssertUnwindSafe(|| once.call_once(|| resume_unwind(Box::new(())))));
        assert!(panicked.is_err() && !once.is_completed());
        once.call_once(|| runs += 1).unwrap();
        once.clone().call_once(|| runs += 1).unwrap();
        assert!(once.is_completed() && runs == 1, "{runs} runs");
        assert_eq!(format!("{once:?}"), "Once { is_completed: true }");
        let other = Once::new().unwrap();
        other
            .call_once(|| assert_eq!(other.call_once(|| {}).unwrap_err().kind(), ErrorKind::Deadlock))
            .unwrap();
        assert!(other.is_completed());
    });
}

#[test]
fn a_condition_is_waited_for_without_the_lock() {
    scenario(|| {
        let (mutex, changed) = (Mutex::new(0_u32).unwrap(), Condvar::new().unwrap());
        let (guard, result) = changed.wait_timeout(mutex.lock().unwrap(), SHORT).unwrap();
        assert!(result.timed_out() && *guard == 0);
        let (guard, result) = changed.wait_timeout_while(guard, Duration::ZERO, |value| *value == 0).unwrap();
        assert!(result.timed_out());
        let (guard, result) = changed.wait_timeout_while(guard, SHORT, |value| *value == 1).unwrap();
        assert!(!result.timed_out());
        drop(guard);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut guard = changed.wait_while(mutex.lock().unwrap(), |value| *value == 0).unwrap();
                    *guard += 1;
                    changed.notify_all();
                });
            }
            *mutex.lock().unwrap() = 1;
            changed.notify_one();
        });
        assert_eq!(*mutex.lock().unwrap(), 4);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| drop(changed.wait(mutex.lock().unwrap()).unwrap()));
            until(|| {
                changed.notify(1);
                waiter.is_finished()
            });
        });
    });
}

#[test]
fn what_is_shared_can_be_used_behind_a_panic_that_was_caught_as_with_std() {
    use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind};
    const fn both<T: UnwindSafe + RefUnwindSafe>() {}
    const {
        both::<(mp::sync::RwLock<u8>, mp::sync::RLock, mp::sync::OnceLock<u8>, mp::shm::Value<u8>)>();
        both::<(mp::Pool, mp::PoolBuilder, mp::Context, mp::TaskHandle<u8>, mp::MapHandle<u8>)>();
        both::<(mp::JoinHandle<u8>, mp::Queue<u8>, mp::Error)>();
    }
    scenario(|| {
        let mutex = mp::sync::Mutex::new(1).unwrap();
        let caught = catch_unwind(|| {
            let _guard = mutex.lock().unwrap();
            resume_unwind(Box::new(()))
        });
        assert!(caught.is_err() && mutex.is_poisoned());
    });
}
