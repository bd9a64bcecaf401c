//! Code of the program that runs in the middle of ours: wakers, callbacks, `Serialize`, `Drop`, and panics in all of them.

use mp::{Pool, Sender};
use mp_tests::scenario;
use serde::{Deserialize, Serialize, Serializer};
use std::panic::{AssertUnwindSafe, catch_unwind};

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
