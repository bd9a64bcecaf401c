//! `Value`, `Array` and `Atomic`: changed by many, and by some that are killed.

use crate::rounds;
use mp::shm::{Array, Atomic, Value};
use mp::{ErrorKind, Pool};
use mp_tests::{Random, is_emulated, scenario, until};
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Two numbers that are always equal.
#[derive(Clone, Copy, Debug, PartialEq, mp::Shareable)]
#[repr(C)]
struct Pair {
    first: u64,
    rest: [u64; 7],
}

impl Pair {
    fn of(number: u64) -> Self {
        Self { first: number, rest: [number; 7] }
    }

    fn number(self) -> u64 {
        assert_eq!(self, Self::of(self.first), "half of a change");
        self.first
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Board {
    pair: Value<Pair>,
    numbers: Array<u64>,
    counter: Atomic<AtomicU64>,
}

impl Board {
    fn new() -> Self {
        Self {
            pair: Value::new(Pair::of(0)).unwrap(),
            numbers: Array::zeroed(8).unwrap(),
            counter: Atomic::new(AtomicU64::new(0)).unwrap(),
        }
    }

    fn count(&self) {
        self.pair.update(|pair| Pair::of(pair.number() + 1)).unwrap();
        self.numbers.lock().unwrap().iter_mut().for_each(|number| *number += 1);
        self.counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[mp::task]
fn count(board: &Board, times: u64) -> Board {
    (0..times).for_each(|_| board.count());
    board.clone()
}

#[mp::task]
fn count_nested(board: Board, times: u64) {
    mp::spawn(count, (&board, times)).unwrap().join().unwrap();
}

#[test]
fn no_change_is_lost() {
    scenario(|| {
        let board = Board::new();
        let pool = Pool::new(2).unwrap();
        let back = pool.starmap(count, [(&board, 500); 4]).unwrap().pop().unwrap();
        pool.apply(count_nested, (&back, 100)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..100).for_each(|_| board.count()));
            }
        });
        assert_eq!(board.pair.get().unwrap().number(), 2300);
        assert_eq!(board.numbers.to_vec().unwrap(), [2300; 8]);
        assert_eq!(back.counter.load(Ordering::Relaxed), 2300);
    });
}

/// Counts when it is dropped.
struct Counts<'a>(&'a Value<i32>);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

#[test]
fn a_change_while_a_panic_unwinds_counts_and_one_that_the_panic_came_upon_does_not() {
    scenario(|| {
        let value = Value::new(1_i32).unwrap();
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _counts = Counts(&value);
            resume_unwind(Box::new(()));
        }));
        assert!(unwound.is_err());
        assert_eq!(value.get().unwrap(), 2);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let mut guard = value.lock().unwrap();
            *guard = 100;
            resume_unwind(Box::new(()));
        }));
        assert!(unwound.is_err());
        assert_eq!(value.get().unwrap(), 2);
    });
}

#[test]
fn values_and_arrays_do_what_their_names_say() {
    scenario(|| {
        let value = Value::new(1_i32).unwrap();
        value.set(5).unwrap();
        assert_eq!(value.update(|number| number * 2).unwrap(), 10);
        {
            let mut guard = value.lock().unwrap();
            *guard += 1;
            assert_eq!(value.get().unwrap_err().kind(), ErrorKind::Deadlock);
            std::thread::scope(|scope| {
                let other = scope.spawn(|| value.lock_timeout(Duration::ZERO).map(|guard| *guard));
                assert!(other.join().unwrap().unwrap_err().is_timeout());
                let other = scope.spawn(|| value.lock_timeout(Duration::from_millis(1)).map(|guard| *guard));
                assert!(other.join().unwrap().unwrap_err().is_timeout());
            });
        }
        assert_eq!(*value.lock_timeout(Duration::ZERO).unwrap(), 11);

        let array = Array::from_slice(&[1_u8, 2, 3, 4]).unwrap();
        array.set(3, 9).unwrap();
        assert_eq!((array.len(), array.get(3).unwrap(), array.get(4).unwrap()), (4, Some(9), None));
        let mut two = [0; 2];
        array.copy_to(2, &mut two).unwrap();
        array.copy_from(0, &two).unwrap();
        assert_eq!(array.to_vec().unwrap(), [3, 9, 3, 9]);
        for error in [array.set(4, 0), array.copy_to(3, &mut two), array.copy_from(usize::MAX, &two)] {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        assert!(Array::<u32>::zeroed(0).unwrap().is_empty());
        assert!(Array::<u32>::zeroed(usize::MAX).is_err());
    });
}

#[test]
fn a_panic_changes_no_value() {
    scenario(|| {
        let value = Value::new(1_u8).unwrap();
        let panicked = std::thread::scope(|scope| {
            let changing = scope.spawn(|| {
                let mut guard = value.lock().unwrap();
                *guard = 2;
                assert_ne!(*guard, 2, "on purpose");
            });
            changing.join().is_err()
        });
        assert!(panicked);
        assert_eq!(value.get().unwrap(), 1);
    });
}

#[mp::task]
fn count_for_ever(board: Board, runs: Atomic<AtomicBool>) {
    loop {
        board.count();
        runs.store(true, Ordering::Relaxed);
    }
}

#[test]
fn killed_holders_leave_no_lock_and_no_half_value() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let mut random = Random::new();
        let board = Board::new();
        for _ in 0..rounds(20) {
            let runs = Atomic::new(AtomicBool::new(false)).unwrap();
            let victim = mp::Process::new(count_for_ever, (&board, &runs)).start().unwrap();
            until(|| runs.load(Ordering::Relaxed));
            (0..random.below(20_000)).for_each(|_| std::hint::spin_loop());
            victim.kill().unwrap();
            board.count();
            assert!(victim.join().is_err());
            board.count();
            let guard = board.numbers.lock().unwrap();
            assert!(!guard.owner_died(), "it was seen already");
        }
        println!("{} died with the lock of the array", board.numbers.deaths());
    });
}

#[mp::task]
fn die_with_locks(board: Board) {
    let mut pair = board.pair.lock().unwrap();
    let mut numbers = board.numbers.lock().unwrap();
    pair.first = 7;
    numbers[..4].fill(7);
    std::process::abort();
}

#[test]
fn the_death_of_a_holder_is_seen() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let board = Board::new();
        assert!(mp::spawn(die_with_locks, (&board,)).unwrap().join().unwrap_err().is_worker_lost());
        assert_eq!(board.pair.get().unwrap().number(), 0, "nothing changed");
        // Who looks at one element is not told, and does not keep it from who is.
        assert_eq!(board.numbers.get(3).unwrap(), Some(7));
        let guard = board.numbers.lock().unwrap();
        assert!(guard.owner_died());
        assert_eq!(*guard, [7, 7, 7, 7, 0, 0, 0, 0]);
        drop(guard);
        assert!(!board.numbers.lock().unwrap().owner_died(), "it was told already");
        assert_eq!(board.numbers.deaths(), 1);
    });
}

#[test]
fn a_lock_that_is_held_is_not_waited_for() {
    scenario(|| {
        let (value, array) = (Value::new(1_u32).unwrap(), Array::from_slice(&[1_u32]).unwrap());
        let (of_value, of_array) = (value.try_lock().unwrap(), array.try_lock().unwrap());
        assert_eq!((*of_value, of_array[0]), (1, 1));
        std::thread::scope(|s| {
            let errors = s.spawn(|| [value.try_lock().map(drop), array.try_lock().map(drop)]).join().unwrap();
            for error in errors {
                let error = error.unwrap_err();
                assert!(error.is_timeout() && error.to_string().contains("held now"), "{error}");
            }
        });
        drop((of_value, of_array));
        assert!(value.try_lock().is_ok() && array.try_lock().is_ok());
    });
}
