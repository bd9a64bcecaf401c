//! What the glue of a task reads its arguments from and writes its result to.

use crate::error::Failure;
use crate::sys::Handle;
use crate::wire::outgoing::{self, Outgoing};
use crate::wire::{codec, handles};
use serde::{Deserialize, Serialize};
use std::any::type_name;

/// The encoded arguments of one call, read from front to back.
#[derive(Debug)]
pub struct Arguments<'de> {
    bytes: &'de [u8],
    handles: &'de mut Vec<Option<Handle>>,
}

impl<'de> Arguments<'de> {
    /// Arguments that lie in `bytes` and may take from `handles`.
    #[inline]
    pub fn new(bytes: &'de [u8], handles: &'de mut Vec<Option<Handle>>) -> Self {
        Self { bytes, handles }
    }

    /// The next argument.
    #[allow(clippy::should_implement_trait, reason = "each argument has its own type")]
    #[inline]
    pub fn next<T: Deserialize<'de>>(&mut self) -> Result<T, Failure> {
        let bytes = self.bytes;
        let decoded = if self.handles.is_empty() {
            codec::decode_front(bytes)
        } else {
            handles::lending(self.handles, || codec::decode_front(bytes))
        };
        let (value, rest) = decoded.map_err(|error| undecodable::<T>(&error))?;
        self.bytes = rest;
        Ok(value)
    }

    /// The next argument, which is bytes.
    pub fn bytes(&mut self) -> Result<&'de [u8], Failure> {
        self.next::<&'de [u8]>()
    }

    /// All arguments have been read; anything left means that the two sides disagree.
    #[inline]
    pub fn finish(&self) -> Result<(), Failure> {
        codec::refuse_rest(self.bytes).map_err(|error| undecodable::<()>(&error))
    }
}

/// Where the result of one call goes.
#[allow(missing_debug_implementations, reason = "a closure has none")]
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
    handles: &'a mut Vec<Handle>,
    long: Option<Long<'a>>,
}

/// Takes a long result in pieces, from where they are.
pub type Long<'a> = &'a mut (dyn FnMut(&[&[u8]]) + 'a);

impl<'a> Reply<'a> {
    /// A reply that is appended to `out`, or given to `long` if it is a long run of bytes, and its descriptors to `handles`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, handles: &'a mut Vec<Handle>, long: Option<Long<'a>>) -> Self {
        Self { out, handles, long }
    }

    /// The function returned `value`.
    #[inline]
    pub fn value<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        let start = self.out.len();
        let mut out = match self.long {
            Some(_) => Outgoing::new(self.out, self.handles),
            None => Outgoing::whole(self.out, self.handles),
        };
        if let Err(error) = codec::encode_result(value, &mut out) {
            return Err(unencodable::<T>(&error));
        }
        // Moving an empty list costs more than all the rest.
        if !out.is_whole() {
            let apart = out.into_apart();
            if let Some(long) = self.long {
                let pieces: Vec<_> = outgoing::pieces(&self.out[start..], &apart).collect();
                long(&pieces);
            }
        }
        Ok(())
    }
}

#[cold]
fn unencodable<T>(error: &codec::CodecError) -> Failure {
    Failure::ResultUnencodable { type_name: type_name::<T>().into(), reason: error.to_string() }
}

#[cold]
fn undecodable<T>(error: &codec::CodecError) -> Failure {
    Failure::ArgumentUndecodable { type_name: type_name::<T>().into(), reason: error.to_string() }
}
