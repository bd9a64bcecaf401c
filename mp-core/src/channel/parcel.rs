//! A message on its way: bytes, the descriptors that belong to them, and whether the bytes lie in memory of their own.

use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::sys::Handle;
use crate::sys::memory::{Access, Mapping, Memory};
use crate::wire::{codec, handles};
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
}

impl Parcel {
    /// Encodes a value.
    pub fn of_value<T: Serialize>(value: &T) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        let handles = encode(value, &mut bytes)?;
        Ok(Self { content: Content::Value, bytes, handles, spilled: None })
    }

    /// Takes bytes as they are.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self { content: Content::Bytes, bytes: bytes.to_vec(), handles: Vec::new(), spilled: None }
    }

    /// How many bytes the message has.
    pub fn len(&self) -> u64 {
        self.spilled.unwrap_or(self.bytes.len() as u64)
    }

    /// Moves the bytes into memory of their own if they are more than `inline_max`.
    pub fn spill(&mut self, inline_max: usize) -> Result<(), Error> {
        if self.bytes.len() <= inline_max {
            return Ok(());
        }
        let len = self.bytes.len();
        let stored = Memory::create("mp-message", len).and_then(|memory| {
            Mapping::map(&memory, Access::ReadWrite)?.copy_in(0, &self.bytes)?;
            crate::sys::duplicate(memory.handle())
        });
        let stored =
            stored.map_err(|error| Error::os(format!("cannot store a message of {len} bytes"), error))?;
        self.handles.push(stored);
        self.spilled = Some(len as u64);
        self.bytes = Vec::new();
        Ok(())
    }

    /// Reads bytes that were spilled. Believes nothing.
    pub fn unspill(&mut self) -> Result<(), Error> {
        let Some(len) = self.spilled.take() else { return Ok(()) };
        let mut read = || {
            let handle = self.handles.pop().ok_or(io::ErrorKind::InvalidData)?;
            let len = usize::try_from(len.min(limits::PAYLOAD_BYTES_MAX)).map_err(io::Error::other)?;
            let mapping = Mapping::map(&Memory::from_handle(handle, len)?, Access::Read)?;
            mapping.copy_out(0, len, &mut self.bytes)
        };
        read().map_err(|error| Error::os(format!("cannot read a message of {len} bytes"), error))
    }

    /// The value inside. Its bytes are here.
    pub fn into_value<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.must_be(Content::Value)?;
        let Self { bytes, handles, .. } = self;
        if handles.is_empty() { decode(&bytes) } else { handles::providing(handles, || decode(&bytes)) }
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
    match codec::encode_with(value, bytes, &mut handles) {
        Ok(()) => Ok(handles),
        Err(reason) => {
            let name = std::any::type_name::<T>();
            let message = format!("a message of type `{name}` cannot be encoded: {reason}");
            Err(Error::new(ErrorKind::Encode, message))
        }
    }
}

/// Decodes a value.
#[inline]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    codec::decode(bytes).map_err(|reason| {
        let name = std::any::type_name::<T>();
        Error::new(ErrorKind::Decode, format!("a message cannot be decoded as `{name}`: {reason}"))
    })
}
