//! Values as bytes.

mod bytes;
pub mod codec;
mod depth;
pub mod handles;
mod lists;
pub mod outgoing;
mod packed;
mod reader;
mod refusal;
pub mod spare;
pub mod varint;
mod writer;
