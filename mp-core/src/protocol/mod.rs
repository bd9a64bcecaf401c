//! What a parent and its workers say to each other.
//!
//! ```text
//! control socket   u32 length | postcard(ToWorker or ToParent)      descriptors ride on the first byte
//!   Hello   w─►p   who I am and what I can do          Init    p─►w   who you are and what to do (may arrive first)
//!   Ready   w─►p   the initializer is done             Failed  w─►p   it failed
//!   Slab    both   a descriptor for large payloads     Forget  p─►w   that slab is gone     Free  p─►w   yours was read
//!   Detach  p─►w   live on without me
//! rings            16-byte head | payload              see `frame`
//!   CALL, QUIT p─►w        DONE, FAIL, SKIPPED w─►p
//! ```
//!
//! `pool` and `process` speak one side, `worker` the other; they meet here only. The parent believes nothing that it
//! reads without a check; the worker believes its parent, which is the same program.

pub mod control;
pub mod frame;
