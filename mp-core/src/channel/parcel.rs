//! A message on its way: bytes, the descriptors that belong to them, and whether the bytes lie in memory of their own.

use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::sys::Handle;
use crate::sys::memory::Memory;
use crate::wire::codec::{self, CodecError};
use crate::wire::handles::{self, Leaving};
use crate::wire::outgoing::{Apart, Outgoing, pieces};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;

/// What was sent: the receiver asks for the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// A value of the channel's type.
    Value,
    /// Bytes as they are.
    Bytes,
}

/// A message in parts.
#[derive(Debug)]
pub struct Parcel {
    /// What it is.
    pub content: Content,
    /// The bytes; empty once they were spilled.
    pub bytes: Vec<u8>,
    /// Descriptors, of the memory with the bytes last if they were spilled.
    pub handles: Vec<Handle>,
    /// How many bytes lie in memory of their own.
    pub spilled: Option<u64>,
    /// What leaves this process if it is sent.
    pub leaving: Leaving,
}

impl Parcel {
    /// Encodes a value. More than `inline_max` bytes are spilled.
    pub fn of_value<T: Serialize>(value: &T, inline_max: usize) -> Result<Self, Error> {
        let (mut bytes, mut handles) = (Vec::new(), Vec::new());
        let mut out = Outgoing::with_runs_from(inline_max + 1, &mut bytes, &mut handles);
        codec::encode_result(value, &mut out).map_err(|reason| unencodable::<T>(&reason))?;
        let apart = out.into_apart();
        let leaving = leaving_with(&handles);
        let mut parcel = Self { content: Content::Value, bytes: Vec::new(), handles, spilled: None, leaving };
        if apart.is_empty() && bytes.len() <= inline_max {
            parcel.bytes = bytes;
        } else {
            parcel.spill(&bytes, &apart)?;
        }
        Ok(parcel)
    }

    /// Takes bytes as they are. More than `inline_max` are spilled.
    pub fn of_bytes(bytes: &[u8], inline_max: usize) -> Result<Self, Error> {
        let (handles, leaving) = (Vec::new(), Leaving::default());
        let mut parcel = Self { content: Content::Bytes, bytes: Vec::new(), handles, spilled: None, leaving };
        if bytes.len() <= inline_max {
            parcel.bytes.extend_from_slice(bytes);
        } else {
            parcel.spill(bytes, &Apart::new())?;
        }
        Ok(parcel)
    }

    /// A value that was encoded: takes its bytes, and puts others in their place.
    pub fn of_encoded(bytes: &mut Vec<u8>, handles: Vec<Handle>, inline_max: usize) -> Result<Self, Error> {
        let leaving = leaving_with(&handles);
        let mut parcel = Self { content: Content::Value, bytes: Vec::new(), handles, spilled: None, leaving };
        if bytes.len() <= inline_max {
            std::mem::swap(&mut parcel.bytes, bytes);
        } else {
            parcel.spill(bytes, &Apart::new())?;
        }
        Ok(parcel)
    }

    /// How many bytes the message has.
    pub fn len(&self) -> u64 {
        self.spilled.unwrap_or(self.bytes.len() as u64)
    }

    /// Writes the bytes into memory of their own.
    fn spill(&mut self, bytes: &[u8], apart: &Apart<'_>) -> Result<(), Error> {
        let len = pieces(bytes, apart).map(<[u8]>::len).sum();
        let stored = Memory::create("mp-message", len).and_then(|memory| {
            memory.fill(pieces(bytes, apart))?;
            crate::sys::duplicate(memory.handle())
        });
        let stored =
            stored.map_err(|error| Error::os(format!("cannot store a message of {len} bytes"), error))?;
        self.handles.push(stored);
        self.spilled = Some(len as u64);
        Ok(())
    }

    /// Reads bytes that were spilled. Believes nothing.
    pub fn unspill(&mut self) -> Result<(), Error> {
        let Some(len) = self.spilled.take() else { return Ok(()) };
        let mut read = || {
            let handle = self.handles.pop().ok_or(io::ErrorKind::InvalidData)?;
            let len = usize::try_from(len.min(limits::PAYLOAD_BYTES_MAX)).map_err(io::Error::other)?;
            Memory::from_handle(handle, len)?.read(&mut self.bytes)
        };
        read().map_err(|error| Error::os(format!("cannot read a message of {len} bytes"), error))
    }

    /// The value inside. Its bytes are here.
    pub fn into_value<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.must_be(Content::Value)?;
        let Self { bytes, handles, .. } = self;
        let decode = || codec::decode_result_vec(bytes).map_err(|reason| undecodable::<T>(&reason));
        if handles.is_empty() { decode() } else { handles::providing(handles, decode) }
    }

    /// The bytes inside.
    pub fn into_bytes(self) -> Result<Vec<u8>, Error> {
        self.must_be(Content::Bytes)?;
        Ok(self.bytes)
    }

    fn must_be(&self, content: Content) -> Result<(), Error> {
        if self.content == content {
            return Ok(());
        }
        let message = match self.content {
            Content::Value => "the message is a value; `recv` reads those",
            Content::Bytes => "the message was sent as bytes; `recv_bytes` reads those",
        };
        Err(Error::new(ErrorKind::Decode, message))
    }
}

/// Encodes a value; returns the descriptors that belong to it.
#[inline]
pub fn encode<T: Serialize>(value: &T, bytes: &mut Vec<u8>) -> Result<Vec<Handle>, Error> {
    let mut handles = Vec::new();
    match codec::encode_result_with(value, bytes, &mut handles) {
        Ok(()) => Ok(handles),
        Err(reason) => Err(unencodable::<T>(&reason)),
    }
}

/// What leaves with the value that was just encoded: what has no handles has nothing of the kind.
fn leaving_with(handles: &[Handle]) -> Leaving {
    if handles.is_empty() { Leaving::default() } else { handles::leaving() }
}

#[cold]
fn unencodable<T>(reason: &CodecError) -> Error {
    handles::settle(false);
    Error::message_unencodable(std::any::type_name::<T>(), &reason.to_string())
}

/// Decodes a value.
#[inline]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    codec::decode_result(bytes).map_err(|reason| undecodable::<T>(&reason))
}

#[cold]
fn undecodable<T>(reason: &CodecError) -> Error {
    let name = std::any::type_name::<T>();
    Error::new(ErrorKind::Decode, format!("a message cannot be decoded as `{name}`: {reason}"))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::fmt::Debug;

    const INLINE: usize = 1000;

    /// Sends `value` and says whether it went in memory of its own.
    fn sent<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> bool {
        let mut parcel = Parcel::of_value(value, INLINE).expect("a value");
        let spilled = parcel.spilled.is_some();
        assert_eq!((parcel.bytes.is_empty(), parcel.handles.len()), (spilled, usize::from(spilled)));
        let mut bytes = Vec::new();
        let handles = encode(value, &mut bytes).expect("a value");
        assert!(handles.is_empty());
        assert_eq!(parcel.len(), bytes.len() as u64);
        assert_eq!(decode::<T>(&bytes).expect("what was written"), *value);
        parcel.unspill().expect("memory");
        assert_eq!(parcel.bytes, bytes);
        assert_eq!(parcel.into_value::<T>().expect("what was written"), *value);
        spilled
    }

    #[test]
    fn long_messages_lie_in_memory_of_their_own() {
        assert!(!sent(&vec![1_u8; INLINE]) && sent(&vec![1_u8; INLINE + 1]));
        assert!(!sent(&"x".repeat(INLINE)) && sent(&"x".repeat(INLINE + 1)));
        assert!(!sent(&vec![1.5_f64; INLINE / 8 - 1]) && sent(&vec![1.5_f64; INLINE]));
        // A byte each, and eight.
        assert!(!sent(&vec![3_i64; INLINE - 5]) && sent(&vec![-3_i64; INLINE]));
        assert!(!sent(&vec![i64::MIN; INLINE / 8 - 1]) && sent(&vec![i64::MIN; INLINE / 8]));
        assert!(sent(&(1, vec![1_u8; INLINE], "a tuple".to_owned())));
    }

    #[test]
    fn bytes_become_the_value_as_they_are() {
        let mut parcel = Parcel::of_value(&vec![9_u8; 5 * INLINE], INLINE).expect("a value");
        parcel.unspill().expect("memory");
        let place = parcel.bytes.as_ptr();
        let value: Vec<u8> = parcel.into_value().expect("bytes");
        assert_eq!(value.as_ptr(), place);
    }

    #[test]
    fn memory_that_is_shorter_than_was_said_is_refused() {
        let mut parcel = Parcel::of_bytes(&[1; 2 * INLINE], INLINE).expect("bytes");
        parcel.spilled = Some(2 * INLINE as u64 + 1);
        let refused = parcel.unspill().expect_err("a lie").to_string();
        assert!(refused.contains("cannot read a message of 2001 bytes"), "{refused}");
        parcel.spilled = Some(u64::MAX);
        assert!(parcel.unspill().is_err(), "and without a descriptor");
    }
}
