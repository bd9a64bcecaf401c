//! Typed memory that several processes see.
//!
//! ```text
//!  shareable   which types may live there, proved at compile time
//!  block       a memory with a header that says what is in it; sent as a descriptor and a length
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
pub mod list;
pub mod sealed;
pub mod segment;
pub mod shareable;
pub mod value;
pub mod vector;

mod block;
mod lock;
