//! Writes values through serde: the bytes of [postcard](https://postcard.jamesmunns.com/wire-format), but for
//! [long lists of integers](super::packed). [`reader`](super::reader) reads them.
//!
//! postcard's own writer says nothing when a type leaves a field out, so that the receiver takes the next one in its place, and it
//! loses the words with which a type refuses to be written.

use super::codec::CodecError;
use super::depth;
use super::lists::{self, Run};
use super::refusal::Refusal;
use super::varint;
use crate::limits;
use serde::Serialize;
use serde::ser::{self, Error as _};
use std::fmt;

type Outcome = Result<(), Refusal>;

/// Appends `value` to `out`. On an error `out` is as long as before.
#[inline]
pub fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let before = out.len();
    value.serialize(Writer(out)).map_err(|refusal| {
        out.truncate(before);
        refusal.into_error()
    })
}

/// Where one value goes.
struct Writer<'a>(&'a mut Vec<u8>);

#[allow(clippy::unnecessary_wraps)] // they end methods of serde
impl Writer<'_> {
    #[inline]
    fn byte(self, byte: u8) -> Outcome {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn unsigned(self, number: u64) -> Outcome {
        // Most are short, and then a list of them takes half of the time.
        if number < 0x80 {
            self.0.push(number as u8);
        } else if number < 0x4000 {
            self.0.extend_from_slice(&[number as u8 | 0x80, (number >> 7) as u8]);
        } else {
            varint::put(number, self.0);
        }
        Ok(())
    }

    /// Small numbers of either sign are short.
    #[inline]
    fn signed(self, number: i64) -> Outcome {
        self.unsigned((number << 1 ^ number >> 63).cast_unsigned())
    }

    #[inline]
    fn bytes(self, bytes: &[u8]) -> Outcome {
        Run::of_bytes(bytes).append_to(self.0);
        Ok(())
    }
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = Refusal;
    type SerializeSeq = Counted<'a>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Counted<'a>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Outcome {
        self.byte(value.into())
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Outcome {
        self.byte(value.cast_unsigned())
    }

    #[inline]
    fn serialize_i16(self, value: i16) -> Outcome {
        self.signed(value.into())
    }

    #[inline]
    fn serialize_i32(self, value: i32) -> Outcome {
        self.signed(value.into())
    }

    #[inline]
    fn serialize_i64(self, value: i64) -> Outcome {
        self.signed(value)
    }

    #[inline]
    fn serialize_i128(self, value: i128) -> Outcome {
        self.serialize_u128((value << 1 ^ value >> 127).cast_unsigned())
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Outcome {
        self.byte(value)
    }

    #[inline]
    fn serialize_u16(self, value: u16) -> Outcome {
        self.unsigned(value.into())
    }

    #[inline]
    fn serialize_u32(self, value: u32) -> Outcome {
        self.unsigned(value.into())
    }

    #[inline]
    fn serialize_u64(self, value: u64) -> Outcome {
        self.unsigned(value)
    }

    #[inline]
    fn serialize_u128(self, value: u128) -> Outcome {
        let mut rest = value;
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.byte(rest as u8)
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Outcome {
        self.0.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Outcome {
        self.0.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_char(self, value: char) -> Outcome {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Outcome {
        self.bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Outcome {
        self.bytes(value)
    }

    #[inline]
    fn serialize_none(self) -> Outcome {
        self.byte(0)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Outcome {
        depth::check::<T>()?;
        self.0.push(1);
        value.serialize(Writer(self.0))
    }

    #[inline]
    fn serialize_unit(self) -> Outcome {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Outcome {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Outcome {
        self.serialize_u32(index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Outcome {
        value.serialize(Writer(self.0))
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Outcome {
        depth::check::<T>()?;
        varint::put(index.into(), self.0);
        value.serialize(Writer(self.0))
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Counted<'a>, Refusal> {
        let unknown = || {
            Refusal::of_type(
                "the length of a sequence is not known when it is written: collect it into a `Vec` first",
            )
        };
        depth::check_any()?;
        Ok(Counted::new(self.0, len.ok_or_else(unknown)?))
    }

    /// Lists of numbers at once, which serde would go through one by one.
    #[inline]
    fn collect_seq<I>(self, items: I) -> Outcome
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        if let Some(run) = lists::run_of(&items) {
            run.append_to(self.0);
            return Ok(());
        }
        let mut items = items.into_iter();
        let (least, most) = items.size_hint();
        let mut list = self.serialize_seq(most.filter(|most| *most == least))?;
        items.try_for_each(|item| list.item(&item))?;
        list.finish()
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self, Refusal> {
        // An array of bytes finds the room for all of them.
        self.0.reserve(len.min(SMALL));
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Refusal> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Refusal> {
        varint::put(index.into(), self.0);
        Ok(self)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Counted<'a>, Refusal> {
        let unknown = || Refusal::of_format("the length of a map is not known when it is written");
        depth::check_any()?;
        Ok(Counted::new(self.0, len.ok_or_else(unknown)?))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Refusal> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Refusal> {
        varint::put(index.into(), self.0);
        Ok(self)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Outcome {
        let mut text = String::new();
        fmt::write(&mut text, format_args!("{value}"))
            .map_err(|_| Refusal::custom("a `Display` in it returned an error"))?;
        self.serialize_str(&text)
    }
}

/// More room than this is found when it is needed: who writes a tuple may say any length.
const SMALL: usize = 64;

/// What is written part by part, without a word in between.
macro_rules! parts {
    ($($parts:ident $part:ident;)+) => {$(
        impl ser::$parts for Writer<'_> {
            type Ok = ();
            type Error = Refusal;

            #[inline]
            fn $part<T: Serialize + ?Sized>(&mut self, value: &T) -> Outcome {
                depth::check::<T>()?;
                value.serialize(Writer(self.0))
            }

            #[inline]
            fn end(self) -> Outcome {
                Ok(())
            }
        }
    )+};
}

parts! {
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

/// The same with names, which are not written: so nothing may be missing.
macro_rules! named_parts {
    ($($parts:ident)+) => {$(
        impl ser::$parts for Writer<'_> {
            type Ok = ();
            type Error = Refusal;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Outcome {
                depth::check::<T>()?;
                value.serialize(Writer(self.0)).map_err(|refusal| refusal.within_field(name))
            }

            #[inline]
            fn skip_field(&mut self, name: &'static str) -> Outcome {
                Err(skipped(name))
            }

            #[inline]
            fn end(self) -> Outcome {
                Ok(())
            }
        }
    )+};
}

named_parts!(SerializeStruct SerializeStructVariant);

#[cold]
fn skipped(name: &str) -> Refusal {
    Refusal::custom(format_args!(
        "the field `{name}` was skipped (`skip_serializing_if`), and the receiver could not tell: remove the attribute, or \
         send a type without it"
    ))
}

/// A sequence or a map, whose length is written first.
struct Counted<'a> {
    out: &'a mut Vec<u8>,
    /// Where the first item starts.
    start: usize,
    said: usize,
    written: usize,
}

impl<'a> Counted<'a> {
    #[inline]
    fn new(out: &'a mut Vec<u8>, said: usize) -> Self {
        varint::put(said as u64, out);
        Self { start: out.len(), out, said, written: 0 }
    }

    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Outcome {
        let index = self.written;
        self.written += 1;
        value.serialize(Writer(self.out)).map_err(|refusal| refusal.within_item(index))
    }

    #[inline]
    fn finish(self) -> Outcome {
        if self.written != self.said {
            return Err(miscounted(self.said, self.written));
        }
        if self.said.saturating_sub(limits::EMPTY_ITEMS_MAX) > self.out.len() - self.start {
            return Err(too_many_empty(self.said));
        }
        Ok(())
    }
}

#[cold]
fn too_many_empty(count: usize) -> Refusal {
    Refusal::of_format(format_args!(
        "a list of {count} items of which more than {} take no byte, such as `()`: send their number",
        limits::EMPTY_ITEMS_MAX
    ))
}

#[cold]
fn miscounted(said: usize, written: usize) -> Refusal {
    Refusal::custom(format_args!(
        "the type's own serde code said that a list has {said} items, and wrote {written}"
    ))
}

impl ser::SerializeSeq for Counted<'_> {
    type Ok = ();
    type Error = Refusal;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Outcome {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Outcome {
        self.finish()
    }
}

impl ser::SerializeMap for Counted<'_> {
    type Ok = ();
    type Error = Refusal;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Outcome {
        self.item(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Outcome {
        let index = self.written.saturating_sub(1);
        value.serialize(Writer(self.out)).map_err(|refusal| refusal.within_item(index))
    }

    #[inline]
    fn end(self) -> Outcome {
        self.finish()
    }
}

#[cfg(all(test, not(loom)))]
#[path = "writer_tests.rs"]
mod tests;
