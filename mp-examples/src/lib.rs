//! The examples of `mp` live in `examples/`; this crate is empty.
