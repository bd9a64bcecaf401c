//! Values as bytes.

mod bytes;
pub mod codec;
#[allow(dead_code, reason = "the types that give and take handles come with issue 3")]
pub mod handles;
