//! Typed memory that several processes see: [`Shared`] to read in place, [`SharedVec`] to lend out in pieces, [`Value`]
//! and [`Array`] under a lock, [`Atomic`], raw [`SharedMemory`], and [`ShareableList`].
//!
//! Each of them is a descriptor of anonymous memory and a few numbers. It can be an argument, a result, a message, or a field of
//! one; it has no name, so nothing is left when the last process that has it is gone, whatever killed it.
//!
//! ```
//! use mp::shm::{Shared, SharedVec};
//!
//! #[mp::task]
//! fn total(numbers: &Shared<[f64]>) -> f64 {
//!     numbers.iter().sum()
//! }
//!
//! #[mp::task]
//! fn double(mut chunk: mp::shm::ChunkMut<'_, f64>) {
//!     chunk.iter_mut().for_each(|number| *number *= 2.0);
//! }
//!
//! fn main() -> Result<(), mp::Error> {
//!     mp::main!();
//!     let pool = mp::Pool::new(2)?;
//!     let mut numbers = SharedVec::from_slice(&[1.0; 1000])?;
//!     pool.chunks_mut(double, &mut numbers, 250)?;
//!     let numbers: Shared<[f64]> = numbers.into_shared()?;
//!     assert_eq!(pool.apply(total, (&numbers,))?, 2000.0);
//!     Ok(())
//! }
//! ```
// What a pool and its workers share, and what a queue holds, is in here too, unseen:
//
// ```text
//  region    header │ request bytes │ response bytes        one per worker, sealed, all zero at first
//            header: layout ─ ring words (cursor), sleep words, recorder
//            bytes:  ring ─ frames (frame), validated by whoever reads them
//  slab      bytes too many for a ring, recycled; filling ─ how many of them are there
//  backlog   the messages of a queue: many producers, many consumers
//            bytes: segments ─ memory that is used again behind the head
// ```
//
// The parent believes nothing that a worker can write: every number from the region is checked before it is used, and
// bytes are copied before they are looked at. A worker trusts its parent, which wrote before it and could do anything
// to it anyhow: it reads arguments in place. `ring::Hostile` and `ring::Trusted` say which side's rules hold.

pub(crate) mod backlog;
pub(crate) mod filling;
pub(crate) mod frame;
pub(crate) mod layout;
pub(crate) mod notes;
pub(crate) mod recorder;
pub(crate) mod region;
pub(crate) mod ring;
pub(crate) mod slab;

mod cursor;
mod held;
mod place;
mod segments;

pub use crate::shared::array::{Array, ArrayGuard};
pub use crate::shared::atomic::{Atomic, AtomicType};
pub use crate::shared::list::{Item, ShareableList};
pub use crate::shared::sealed::Shared;
pub use crate::shared::segment::SharedMemory;
pub use crate::shared::shareable::Shareable;
pub use crate::shared::value::{Value, ValueGuard};
pub use crate::shared::vector::{ChunkMut, SharedVec};
