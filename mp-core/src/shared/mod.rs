//! Typed memory that several processes see.
//!
//! ```text
//!  shareable   which types may live there, proved at compile time
//!  block       one object in memory of its own: the locks and events of sync, too; sent as a descriptor
//!  elements    any number of elements in memory of their own; sent as a descriptor and a length
//!  kept        what a worker has been sent stays mapped a little longer
//!  lock        what hands values and arrays on when a holder dies
//!  sealed      Shared<[T]>       nobody writes any more: a slice everywhere
//!  vector      SharedVec<T>      one owner writes; pieces are lent to tasks as ChunkMut
//!  value       Value<T>          under a lock, in two copies
//!  array       Array<T>          under a lock, in place
//!  atomic      Atomic<A>         std's atomics
//!  segment     SharedMemory      bytes; with a name only on request
//!  list        ShareableList     items of different types under a lock
//! ```
//!
//! A `&[T]` exists of memory only that no other process can write meanwhile: sealed, owned, or lent. All else is copied.

pub mod array;
pub mod atomic;
pub mod block;
pub mod kept;
pub mod list;
pub mod sealed;
pub mod segment;
pub mod shareable;
pub mod value;
pub mod vector;

mod elements;
mod lock;
