//! What the glue of a task reads its arguments from and writes its result to.

use crate::error::Failure;
use crate::wire::codec;
use serde::{Deserialize, Serialize};
use std::any::type_name;

/// The encoded arguments of one call, read from front to back.
#[derive(Debug)]
pub struct Arguments<'de>(&'de [u8]);

impl<'de> Arguments<'de> {
    /// Arguments that lie in `bytes`.
    pub fn new(bytes: &'de [u8]) -> Self {
        Self(bytes)
    }

    /// The next argument.
    #[allow(clippy::should_implement_trait, reason = "each argument has its own type")]
    pub fn next<T: Deserialize<'de>>(&mut self) -> Result<T, Failure> {
        let (value, rest) = codec::decode_front(self.0).map_err(|error| undecodable::<T>(&error))?;
        self.0 = rest;
        Ok(value)
    }

    /// The next argument, which is bytes.
    pub fn bytes(&mut self) -> Result<&'de [u8], Failure> {
        self.next::<&'de [u8]>()
    }

    /// All arguments have been read; anything left means that the two sides disagree.
    pub fn finish(self) -> Result<(), Failure> {
        codec::refuse_rest(self.0).map_err(|error| undecodable::<()>(&error))
    }
}

/// Where the result of one call goes.
#[derive(Debug)]
pub struct Reply<'a>(&'a mut Vec<u8>);

impl<'a> Reply<'a> {
    /// A reply that is appended to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self(out)
    }

    /// The function returned `value`.
    pub fn value<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        codec::encode(value, self.0).map_err(|error| Failure::ResultUnencodable {
            type_name: type_name::<T>().into(),
            reason: error.to_string(),
        })
    }
}

fn undecodable<T>(error: &codec::CodecError) -> Failure {
    Failure::ArgumentUndecodable { type_name: type_name::<T>().into(), reason: error.to_string() }
}
