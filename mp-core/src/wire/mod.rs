//! Values as bytes.

mod bytes;
pub mod codec;
pub mod handles;
pub mod outgoing;
pub mod spare;
pub mod varint;
