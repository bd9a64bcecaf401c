//! Reads through serde what [`writer`](super::writer) has written: the bytes of [postcard](https://postcard.jamesmunns.com/wire-format), or
//! of any list of integers [in its own form](super::packed).
//!
//! They may come from a process that has gone mad: nothing is believed that they say, neither lengths nor text, and nothing is
//! allocated for what is not there.

use super::codec::CodecError;
use super::depth;
use super::lists;
use super::packed;
use super::refusal::Refusal;
use crate::limits;
use serde::Deserialize;
use serde::de::value::U32Deserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use std::slice::Iter;

/// A value from the front of `input`, and what is behind it.
#[inline]
pub fn read<'de, T: Deserialize<'de>>(input: &'de [u8]) -> Result<(T, &'de [u8]), CodecError> {
    let mut rest = input.iter();
    match T::deserialize(Reader(&mut rest)) {
        Ok(value) => Ok((value, rest.as_slice())),
        Err(refusal) => Err(refusal.into_error()),
    }
}

/// Where one value comes from.
struct Reader<'a, 'de>(&'a mut Iter<'de, u8>);

#[cold]
pub fn ended() -> Refusal {
    Refusal::of_format("the bytes end too early")
}

#[cold]
pub fn too_large() -> Refusal {
    Refusal::of_format("a number is too large for its type")
}

/// Reads numbers as [`varint`](super::varint) has them: how many bytes there are at most, and how large the last of so many.
macro_rules! varints {
    ($($number:ident $bytes_max:literal $last_max:literal)+) => {
        impl Reader<'_, '_> {$(
            #[inline]
            fn $number(&mut self) -> Result<$number, Refusal> {
                let mut number = 0;
                for index in 0..$bytes_max {
                    let byte = self.byte()?;
                    number |= $number::from(byte & 0x7f) << (7 * index);
                    if byte < 0x80 {
                        if index == $bytes_max - 1 && byte > $last_max {
                            break;
                        }
                        return Ok(number);
                    }
                }
                Err(too_large())
            }
        )+}
    };
}

varints! {
    u16 3 0b11
    u32 5 0b1111
    u64 10 0b1
    u128 19 0b11
}

/// Small numbers of either sign are short.
macro_rules! signed {
    ($($number:ident $unsigned:ident)+) => {
        impl Reader<'_, '_> {$(
            #[inline]
            fn $number(&mut self) -> Result<$number, Refusal> {
                let number = self.$unsigned()?;
                Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
            }
        )+}
    };
}

signed!(i16 u16 i32 u32 i64 u64 i128 u128);

impl<'de> Reader<'_, 'de> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Refusal> {
        self.0.next().copied().ok_or_else(ended)
    }

    #[inline]
    fn bytes(&mut self, count: usize) -> Result<&'de [u8], Refusal> {
        let (bytes, rest) = self.0.as_slice().split_at_checked(count).ok_or_else(ended)?;
        *self.0 = rest.iter();
        Ok(bytes)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (bytes, rest) = self.0.as_slice().split_first_chunk().ok_or_else(ended)?;
        *self.0 = rest.iter();
        Ok(*bytes)
    }

    #[inline]
    fn count(&mut self) -> Result<usize, Refusal> {
        self.u64()?.try_into().map_err(|_| too_large())
    }

    /// How many items follow: no more than there are bytes for, but for a few that may take none.
    #[inline]
    fn items(&mut self) -> Result<usize, Refusal> {
        let count = self.count()?;
        if count.saturating_sub(limits::EMPTY_ITEMS_MAX) > self.0.len() { Err(ended()) } else { Ok(count) }
    }

    #[inline]
    fn run(&mut self) -> Result<&'de [u8], Refusal> {
        let count = self.count()?;
        self.bytes(count)
    }

    #[inline]
    fn text(&mut self) -> Result<&'de str, Refusal> {
        str::from_utf8(self.run()?)
            .map_err(|error| Refusal::of_format(format_args!("the text is not text: {error}")))
    }
}

/// What such bytes cannot answer.
fn not_described() -> Refusal {
    Refusal::of_format("the type asks for a self-describing format")
}

/// Methods that read something, and hand it to the visitor.
macro_rules! read {
    ($($method:ident $visit:ident $read:ident)+) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refusal> {
            visitor.$visit(self.$read()?)
        }
    )+};
}

impl<'de> de::Deserializer<'de> for Reader<'_, 'de> {
    type Error = Refusal;

    read! {
        deserialize_u8 visit_u8 byte
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_u128 visit_u128 u128
        deserialize_i128 visit_i128 i128
        deserialize_str visit_borrowed_str text
        deserialize_string visit_borrowed_str text
        deserialize_bytes visit_borrowed_bytes run
        deserialize_byte_buf visit_borrowed_bytes run
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
        Err(not_described())
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
        Err(not_described())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
        Err(not_described())
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_bool(self.flag()?)
    }

    #[inline]
    fn deserialize_i8<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_i8(self.byte()?.cast_signed())
    }

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_f32(f32::from_le_bytes(self.array()?))
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_f64(f64::from_le_bytes(self.array()?))
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refusal> {
        let text = self.text()?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => visitor.visit_char(char),
            _ => Err(Refusal::of_format(format_args!("{text:?} is not one character"))),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refusal> {
        if self.flag()? {
            depth::check::<V::Value>()?;
            visitor.visit_some(self)
        } else {
            visitor.visit_none()
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    /// Lists of numbers at once, which serde would go through one by one.
    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refusal> {
        if packed::is_next(self.0.as_slice()) {
            return packed::read(self.0, visitor);
        }
        if let Some((list, rest)) = lists::take_for::<V, V::Value>(self.0.as_slice()) {
            *self.0 = rest.iter();
            return Ok(list);
        }
        depth::check::<V::Value>()?;
        let count = self.items()?;
        visitor.visit_seq(Parts::new(self.0, count, &[]))
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_seq(Tuple { input: self.0, left: len })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_seq(Tuple { input: self.0, left: len })
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refusal> {
        depth::check::<V::Value>()?;
        let count = self.items()?;
        visitor.visit_map(Parts::new(self.0, count, &[]))
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_seq(Parts::new(self.0, fields.len(), fields))
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_enum(self)
    }
}

impl Reader<'_, '_> {
    #[inline]
    fn flag(&mut self) -> Result<bool, Refusal> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Refusal::of_format(format_args!("{other} where 0 or 1 was expected"))),
        }
    }
}

impl<'de> de::EnumAccess<'de> for Reader<'_, 'de> {
    type Error = Refusal;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<(S::Value, Self), Refusal> {
        let index: U32Deserializer<Refusal> = self.u32()?.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Reader<'_, 'de> {
    type Error = Refusal;

    #[inline]
    fn unit_variant(self) -> Result<(), Refusal> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refusal> {
        depth::check::<S::Value>()?;
        seed.deserialize(self)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refusal> {
        depth::check::<V::Value>()?;
        visitor.visit_seq(Tuple { input: self.0, left: len })
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        depth::check::<V::Value>()?;
        visitor.visit_seq(Parts::new(self.0, fields.len(), fields))
    }
}

/// It is about a part of the value: this one, counted from one.
#[cold]
fn placed(refusal: Refusal, names: &[&str], ordinal: usize) -> Refusal {
    let index = ordinal.saturating_sub(1);
    match names.get(index) {
        Some(name) => refusal.within_field(name),
        None => refusal.within_item(index),
    }
}

/// The parts of a value, one after the other.
struct Parts<'a, 'de> {
    input: &'a mut Iter<'de, u8>,
    count: usize,
    left: usize,
    /// What they are called, if they have names.
    names: &'static [&'static str],
}

impl<'a, 'de> Parts<'a, 'de> {
    #[inline]
    fn new(input: &'a mut Iter<'de, u8>, count: usize, names: &'static [&'static str]) -> Self {
        Self { input, count, left: count, names }
    }

    /// The next part, of those that were counted.
    #[inline]
    fn counted<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refusal> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.part(seed).map(Some)
    }

    #[inline]
    fn part<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refusal> {
        let (names, left) = (self.names, self.left);
        let count = self.count;
        seed.deserialize(Reader(self.input)).map_err(|refusal| placed(refusal, names, count - left))
    }

    /// How many there are, for who makes room for them. Most are a byte or more.
    #[inline]
    fn hint(&self) -> usize {
        self.left.min(self.input.len())
    }
}

/// The parts of a tuple or an array. Which of them is refused is not said: for an array of bytes that would be most of the work.
struct Tuple<'a, 'de> {
    input: &'a mut Iter<'de, u8>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Tuple<'_, 'de> {
    type Error = Refusal;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refusal> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(Reader(self.input)).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Refusal;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refusal> {
        self.counted(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

impl<'de> de::MapAccess<'de> for Parts<'_, 'de> {
    type Error = Refusal;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refusal> {
        self.counted(seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refusal> {
        self.part(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

#[cfg(all(test, not(loom)))]
#[path = "reader_tests.rs"]
mod tests;
