//! Code of the program that runs in the middle of ours: wakers, callbacks, `Serialize`, `Drop`, and panics in all of them.

use crate::gate::{Gate, wait_at};
use mp::{Pool, Sender};
use mp_tests::scenario;
use serde::{Deserialize, Serialize, Serializer};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Panics when it is dropped in a worker.
#[derive(Serialize, Deserialize)]
struct Fragile(bool);

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(!self.0 || !mp::is_worker(), "this panic is part of the test");
    }
}

#[mp::task]
fn bytes_beside(_: &Fragile, len: usize) -> Vec<u8> {
    vec![7; len]
}

#[test]
fn an_argument_that_panics_when_it_is_dropped_behind_a_long_result_harms_no_other_call() {
    scenario(|| {
        const LONG: usize = 300_000;
        let gate = Gate::new();
        let pool = Pool::new(1).unwrap();
        assert!(pool.apply(bytes_beside, (Fragile(true), 3)).unwrap_err().is_panic(), "nothing was out yet");
        // So that all that follows stands in one line.
        let waiting = pool.apply_async(wait_at, (gate.name(), 1));
        let handles: Vec<_> =
            (0..20).map(|number| pool.apply_async(bytes_beside, (Fragile(number % 3 == 0), LONG))).collect();
        drop(gate);
        assert!(waiting.wait().is_ok());
        for (number, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.wait().unwrap(), vec![7; LONG], "call {number}");
        }
    });
}

struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("this panic is part of the test")
    }
}

impl<'de> Deserialize<'de> for Unwritable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[mp::task]
fn take(_: Sender<u32>, _: Unwritable) {}

#[test]
fn the_end_of_a_pipe_goes_nowhere_with_a_call_whose_next_argument_panics() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let (sender, receiver) = mp::pipe::<u32>().unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| pool.apply(take, (sender, Unwritable)))).is_err());
        assert!(receiver.recv().unwrap_err().is_closed(), "it was dropped with the arguments");
        let (sender, receiver) = mp::pipe::<u32>().unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| mp::Process::new(take, (sender, Unwritable)))).is_err());
        assert!(receiver.recv().unwrap_err().is_closed());
    });
}
