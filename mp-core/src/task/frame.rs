//! What the glue of a task reads its arguments from and writes its result to.

use super::calls::Sink;
use crate::error::Failure;
use crate::sys::Handle;
use crate::wire::handles::Bundle;
use crate::wire::outgoing::Outgoing;
use crate::wire::varint::Short;
use crate::wire::{codec, handles, spare};
use serde::{Deserialize, Serialize};
use std::any::type_name;
use std::fmt;
use std::rc::Rc;

/// The encoded arguments of one call, read from front to back.
#[derive(Debug)]
pub struct Arguments<'de> {
    bytes: &'de [u8],
    handles: &'de mut Vec<Option<Handle>>,
    common: Option<&'de Rc<Bundle>>,
    /// All of them, if they may still be on their way; then `bytes` are none.
    arriving: Option<&'de dyn Arriving>,
}

/// Arguments that are still on their way.
pub trait Arriving {
    /// How many bytes they have.
    fn len(&self) -> usize;

    /// Waits until `least` bytes from `from` on are there, or all, and returns what is there from `from` on.
    fn part(&self, from: usize, least: usize) -> &[u8];
}

impl fmt::Debug for dyn Arriving + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl<'de> Arguments<'de> {
    /// Arguments that lie in `bytes` and may take from `handles`, or copies of those in `common`.
    #[inline]
    pub fn new(
        bytes: &'de [u8],
        handles: &'de mut Vec<Option<Handle>>,
        common: Option<&'de Rc<Bundle>>,
    ) -> Self {
        Self { bytes, handles, common, arriving: None }
    }

    /// The same, of which there is nothing yet if they may be `arriving`.
    #[inline]
    #[must_use]
    pub fn or_arriving(self, arriving: Option<&'de dyn Arriving>) -> Self {
        Self { arriving, ..self }
    }

    /// The next argument.
    #[allow(clippy::should_implement_trait, reason = "each argument has its own type")]
    #[inline]
    pub fn next<T: Deserialize<'de>>(&mut self) -> Result<T, Failure> {
        if let Some((number, rest)) = codec::decode_number(self.bytes) {
            self.bytes = rest;
            return Ok(number);
        }
        self.next_in_parts()
    }

    /// The next argument, whatever it is.
    fn next_in_parts<T: Deserialize<'de>>(&mut self) -> Result<T, Failure> {
        if let Some(arriving) = self.arriving.take()
            && let Some(value) = self.arrive(arriving)
        {
            return Ok(value);
        }
        let bytes = self.bytes;
        let decoded = if let Some(common) = self.common {
            handles::sharing(common, || codec::decode_front(bytes))
        } else if self.handles.is_empty() {
            codec::decode_front(bytes)
        } else {
            handles::lending(self.handles, || codec::decode_front(bytes))
        };
        let (value, rest) = decoded.map_err(|error| undecodable::<T>(&error))?;
        self.bytes = rest;
        Ok(value)
    }

    /// The first argument, if it can be copied while it is written; what is left has been waited for.
    #[cold]
    fn arrive<T>(&mut self, arriving: &'de dyn Arriving) -> Option<T> {
        let len = arriving.len();
        let first = codec::decode_arriving(len, |from, least| arriving.part(from, least));
        let (value, used) = first.map_or((None, 0), |(value, used)| (Some(value), used));
        self.bytes = arriving.part(used, len - used);
        value
    }

    /// The next argument, which is bytes.
    pub fn bytes(&mut self) -> Result<&'de [u8], Failure> {
        self.next::<&'de [u8]>()
    }

    /// All arguments have been read; anything left means that the two sides disagree.
    #[inline]
    pub fn finish(&self) -> Result<(), Failure> {
        // Nobody has asked for the first one.
        let rest = self.arriving.map_or(self.bytes, |arriving| arriving.part(0, arriving.len()));
        codec::refuse_rest(rest).map_err(|error| Failure::ArgumentUndecodable {
            type_name: String::new(),
            reason: error.to_string(),
        })
    }
}

/// Where the result of one call goes.
#[allow(missing_debug_implementations, reason = "a sink has none")]
pub struct Reply<'a> {
    sink: &'a mut (dyn Sink + 'a),
    short: &'a mut Option<Short>,
}

impl<'a> Reply<'a> {
    /// A reply that becomes `short` if it can, or else is given to `sink`.
    #[inline]
    pub fn new(sink: &'a mut (dyn Sink + 'a), short: &'a mut Option<Short>) -> Self {
        Self { sink, short }
    }

    /// The function returned `value`.
    #[inline]
    pub fn value<T: Serialize>(self, value: T) -> Result<(), Failure> {
        if let Some(short) = codec::encode_short(&value) {
            *self.short = Some(short);
            return Ok(());
        }
        give(self.sink, value)
    }
}

/// Gives `sink` a value that is not short.
fn give<T: Serialize>(sink: &mut dyn Sink, value: T) -> Result<(), Failure> {
    let takes_long = sink.takes_long();
    let (bytes, handles) = sink.buffers();
    let mut out = if takes_long { Outgoing::new(bytes, handles) } else { Outgoing::whole(bytes, handles) };
    if let Err(error) = codec::encode_result(&value, &mut out) {
        return Err(unencodable::<T>(&error));
    }
    out.settle(true);
    // Moving an empty list costs more than all the rest.
    if !out.is_whole() {
        let apart = out.into_apart();
        sink.store(&apart);
    }
    spare::leave(value);
    Ok(())
}

#[cold]
fn unencodable<T>(error: &codec::CodecError) -> Failure {
    handles::settle(false);
    Failure::ResultUnencodable { type_name: type_name::<T>().into(), reason: error.to_string() }
}

#[cold]
fn undecodable<T>(error: &codec::CodecError) -> Failure {
    Failure::ArgumentUndecodable { type_name: type_name::<T>().into(), reason: error.to_string() }
}
