//! How much of a long payload is in its slab already: who reads it copies along while it is written, so that two processors
//! share the time of two copies.
//!
//! ```text
//!  writer  start ─► announce the payload ─► copy a piece ─► reached ─► copy the next ..
//!  reader           hear of the payload ─► there ─► copy as much ─► there ..
//! ```
//! A writer that is killed half-way leaves a payload that never gets whole.

use crate::raw::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

/// How much is written before it is told, in bytes: little against what both sides copy, and much against what it takes to tell.
pub const STEP_BYTES: usize = 64 << 10;

/// How many steps are there. All-zero bytes say none. Half a word, so that it can be read where one cannot write.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Filling(AtomicU32);

/// Every step there is.
const ALL: u32 = u32::MAX;

impl Filling {
    /// Nothing is there. To be called before the payload is announced: the announcement publishes it.
    pub fn start(&self) {
        self.0.store(0, Relaxed);
    }

    /// The first so many bytes are there, and more will be.
    pub fn reached(&self, bytes: usize) {
        // PAIR: `there`: who sees the number sees the bytes.
        self.0.store((bytes / STEP_BYTES) as u32, Release);
    }

    /// All bytes are there.
    pub fn finish(&self) {
        // PAIR: `there`.
        self.0.store(ALL, Release);
    }

    /// How many bytes of `len` are there, or so says the other side.
    pub fn there(&self, len: usize) -> usize {
        let steps = self.0.load(Relaxed);
        // PAIR: `reached` and `finish`. A fence, as nothing but a relaxed load is sure to be good for memory that cannot be written.
        fence(Acquire);
        (u64::from(steps) * STEP_BYTES as u64).min(len as u64) as usize
    }
}

#[cfg(all(test, not(loom)))]
#[test]
fn whole_steps_count_and_the_rest_at_the_end() {
    let filling = Filling::default();
    assert_eq!((filling.there(0), filling.there(10)), (0, 0));
    let len = 2 * STEP_BYTES + 5;
    for (bytes, there) in [(5, 0), (STEP_BYTES, STEP_BYTES), (2 * STEP_BYTES - 1, STEP_BYTES), (len, len - 5)]
    {
        filling.reached(bytes);
        assert_eq!(filling.there(len), there);
    }
    filling.finish();
    assert_eq!(filling.there(len), len);
    filling.start();
    assert_eq!(filling.there(len), 0);
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::raw::sleep::CountedSleep;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn what_is_counted_is_there_and_who_sleeps_meanwhile_is_woken_at_the_end() {
        #[derive(Default)]
        struct World {
            filling: Filling,
            bytes: [AtomicU32; 2],
            announced: AtomicU32,
            sleep: CountedSleep,
        }
        loom::model(|| {
            let world = Arc::new(World::default());
            world.filling.finish();
            let writer = thread::spawn({
                let world = world.clone();
                move || {
                    world.filling.start();
                    world.announced.store(1, Release);
                    world.bytes[0].store(7, Relaxed);
                    world.filling.reached(STEP_BYTES);
                    world.bytes[1].store(7, Relaxed);
                    world.filling.finish();
                    world.sleep.take_sleeper(1)
                }
            });
            let look = || {
                if world.announced.load(Acquire) == 0 {
                    return 0;
                }
                let there = world.filling.there(2 * STEP_BYTES) / STEP_BYTES;
                for byte in &world.bytes[..there] {
                    assert_eq!(byte.load(Relaxed), 7);
                }
                there
            };
            look();
            world.sleep.announce(1);
            let whole = look() == 2;
            let rung = writer.join().expect("no panic");
            assert!(whole || rung, "asleep for ever");
        });
    }
}
