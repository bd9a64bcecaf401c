//! Values as bytes.

pub mod codec;
