//! ```text
//! caller:  pool.map(square, items)      Task<P> ties the function to its parameters
//!            │ TypeId of `square`       Args<P>/Arg<P> turn what the caller has into what the function takes
//!            ▼
//! registry:  Entry { name, glue, .. }   collected before main by constructors, the same table in every process
//!            │ slot
//! ═══════════╪══════ process border ══════════════════════════════════════════
//!            ▼
//! worker:  entry.invoke(calls)   for each: decode, call, encode: the attribute wrote this glue
//! ```
//!
//! The *caller* may only assume that a function's type names one entry. The *worker* gets a slot and bytes, and trusts
//! neither.

pub mod arguments;
pub mod calls;
pub mod entry;
pub mod frame;
pub mod instance;
pub mod registry;
pub mod run;
