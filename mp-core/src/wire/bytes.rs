//! Values that are bytes already: serde would go through them one by one.
#![allow(unsafe_code)] // a reference seen as what it is

use crate::sys::memory::in_large_pages;
use std::any::TypeId;
use std::marker::PhantomData;
use std::mem::transmute;

/// A value of which only the id of its type is known: what looks at it is compiled once, and not for each type. Optimized, the id is a
/// constant, and nothing is left of the comparisons.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    id: TypeId,
    at: *const (),
    alive: PhantomData<&'a ()>,
}

impl<'a> Seen<'a> {
    #[inline]
    pub fn new<T: ?Sized>(value: &'a T) -> Self {
        Self { id: type_of::<T>(), at: std::ptr::from_ref(value).cast(), alive: PhantomData }
    }

    /// The items if this is a `Vec<E>`, a `Box<[E]>`, a slice of them, or a reference to one of these. Other lifetimes in the
    /// type do not matter.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn items<E: Raw>(self) -> Option<&'a [E]> {
        let Self { id, at, .. } = self;
        // SAFETY: duty, for all: the cast is to the type that it is, but for lifetimes: the comparison. Duty: alive: the
        // result borrows from the value, whose own borrows outlive it.
        unsafe {
            if id == TypeId::of::<Vec<E>>() {
                Some((*at.cast::<Vec<E>>()).as_slice())
            } else if id == TypeId::of::<Box<[E]>>() {
                Some(&**at.cast::<Box<[E]>>())
            } else if id == TypeId::of::<&'static [E]>() {
                Some(*at.cast::<&[E]>())
            } else if id == TypeId::of::<&'static Vec<E>>() {
                Some((*at.cast::<&Vec<E>>()).as_slice())
            } else if id == TypeId::of::<&'static Box<[E]>>() {
                Some(&***at.cast::<&Box<[E]>>())
            } else if id == TypeId::of::<&'static &'static [E]>() {
                Some(**at.cast::<&&[E]>())
            } else {
                None
            }
        }
    }

    /// What [`varint_of`] says of it.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn varint(self) -> Option<u64> {
        let Self { id, at, .. } = self;
        // Small numbers of either sign are short.
        let signed = |value: i64| (value << 1 ^ value >> 63).cast_unsigned();
        // SAFETY: as in `items`.
        unsafe {
            if id == TypeId::of::<u64>() {
                Some(*at.cast::<u64>())
            } else if id == TypeId::of::<i64>() {
                Some(signed(*at.cast::<i64>()))
            } else if id == TypeId::of::<u32>() {
                Some(u64::from(*at.cast::<u32>()))
            } else if id == TypeId::of::<i32>() {
                Some(signed(i64::from(*at.cast::<i32>())))
            } else if id == TypeId::of::<usize>() {
                Some(*at.cast::<usize>() as u64)
            } else {
                None
            }
        }
    }

    /// The text if this is a `String`, a `Box<str>`, a `str`, or a reference to one of these.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn text(self) -> Option<&'a str> {
        let Self { id, at, .. } = self;
        // SAFETY: as in `items`.
        unsafe {
            if id == TypeId::of::<String>() {
                Some((*at.cast::<String>()).as_str())
            } else if id == TypeId::of::<Box<str>>() {
                Some(&**at.cast::<Box<str>>())
            } else if id == TypeId::of::<&'static str>() {
                Some(*at.cast::<&str>())
            } else if id == TypeId::of::<&'static String>() {
                Some((*at.cast::<&String>()).as_str())
            } else if id == TypeId::of::<&'static Box<str>>() {
                Some(&***at.cast::<&Box<str>>())
            } else if id == TypeId::of::<&'static &'static str>() {
                Some(**at.cast::<&&str>())
            } else {
                None
            }
        }
    }
}

/// Room for a value of which only the id of its type is known, as of one that is [`Seen`].
#[derive(Debug)]
pub struct Room<'a> {
    id: TypeId,
    at: *mut (),
    alive: PhantomData<&'a mut ()>,
}

impl<'a> Room<'a> {
    #[inline]
    pub fn new<T>(room: &'a mut Option<T>) -> Self {
        Self { id: type_of::<T>(), at: std::ptr::from_mut(room).cast(), alive: PhantomData }
    }

    /// Puts the list there if that is what there is room for.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn put_list<E: Raw>(self, list: Vec<E>) {
        self.put(list);
    }

    /// Puts `value`, of a type without lifetimes, there if that is what there is room for.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn put<V: 'static>(self, value: V) {
        if self.id == TypeId::of::<V>() {
            // SAFETY: duty: the cast is to the type that it is: the comparison. Duty: alive, and nobody else's: it is borrowed.
            unsafe { *self.at.cast::<Option<V>>() = Some(value) };
        }
    }

    /// Puts the number with this varint there, if there is room for an integer of [`varint_of`] that can hold it.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn put_varint(self, varint: u64) {
        let signed = (varint >> 1).cast_signed() ^ -(varint & 1).cast_signed();
        if self.id == TypeId::of::<u64>() {
            self.put(varint);
        } else if self.id == TypeId::of::<i64>() {
            self.put(signed);
        } else if self.id == TypeId::of::<usize>() {
            let _ = usize::try_from(varint).map(|number| self.put(number));
        } else if let Ok(number) = u32::try_from(varint)
            && self.id == TypeId::of::<u32>()
        {
            self.put(number);
        } else if let Ok(number) = i32::try_from(signed) {
            self.put(number);
        }
    }
}

/// Whether `T` is `String` or `Box<str>`.
#[inline]
pub fn is_text<T>() -> bool {
    let id = type_of::<T>();
    id == TypeId::of::<String>() || id == TypeId::of::<Box<str>>()
}

/// `text` as a `T`, if `T` is `String` or `Box<str>`.
pub fn into_text<T>(text: String) -> Option<T> {
    if type_of::<T>() == TypeId::of::<Box<str>>() { same(text.into_boxed_str()) } else { same(text) }
}

/// Whether `T` is `Vec<u8>` or `Box<[u8]>`.
#[inline]
pub fn is_owned<T>() -> bool {
    is_list_of::<u8, T>()
}

/// Whether `T` is `Vec<E>` or `Box<[E]>`.
#[inline]
pub fn is_list_of<E: 'static, T>() -> bool {
    let id = type_of::<T>();
    id == TypeId::of::<Vec<E>>() || id == TypeId::of::<Box<[E]>>()
}

/// `vec` as a `T`, if `T` is `Vec<E>` or `Box<[E]>`.
pub fn into<E: 'static, T>(vec: Vec<E>) -> Option<T> {
    if type_of::<T>() == TypeId::of::<Box<[E]>>() { same(vec.into_boxed_slice()) } else { same(vec) }
}

/// Numbers: they have no padding, and any bits are one.
pub trait Raw: Copy + 'static {}

macro_rules! raw {
    ($($number:ident)+) => { $(impl Raw for $number {})+ };
}

raw!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64);

/// The memory of numbers.
#[inline]
pub fn raw<E: Raw>(numbers: &[E]) -> &[u8] {
    // SAFETY: duty: initialised and of this size: a slice of numbers, which have no padding; alive: it stays borrowed.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// The numbers with this memory, of which there are as many as are whole.
pub fn from_raw<E: Raw>(memory: &[u8]) -> Vec<E> {
    let count = memory.len() / size_of::<E>();
    let mut numbers = Vec::<E>::with_capacity(count);
    in_large_pages(numbers.spare_capacity_mut());
    // SAFETY: duty: room: for `count` numbers; initialised: any bits are a number; apart: the vector is new.
    unsafe {
        std::ptr::copy_nonoverlapping(memory.as_ptr(), numbers.as_mut_ptr().cast(), count * size_of::<E>());
        numbers.set_len(count);
    }
    numbers
}

/// `value` as a `Vec<u8>`, if it is a `Vec<u8>` or a `Box<[u8]>`.
pub fn into_vec<T>(value: T) -> Option<Vec<u8>> {
    if type_of::<T>() == TypeId::of::<Box<[u8]>>() {
        same::<T, Box<[u8]>>(value).map(<[u8]>::into_vec)
    } else {
        same(value)
    }
}

/// `value` if its type is `T`. One of the two types is without lifetimes: they are not compared.
#[inline]
fn same<V, T>(value: V) -> Option<T> {
    if type_of::<T>() != type_of::<V>() {
        return None;
    }
    let value = std::mem::ManuallyDrop::new(value);
    // SAFETY: duty: the copy is of the type that it is: the comparison. Duty: one owner: the original is never dropped.
    Some(unsafe { std::ptr::from_ref(&value).cast::<T>().read() })
}

/// `value` as postcard's varint has it, if it is an integer that postcard writes as one.
#[inline]
pub fn varint_of<T>(value: &T) -> Option<u64> {
    Seen::new(value).varint()
}

/// Whether `T` is one of the integers of [`varint_of`].
#[inline]
pub fn is_varint<T>() -> bool {
    from_varint::<T>(0).is_some()
}

/// The value with this varint, if `T` is one of the integers of [`varint_of`] and can hold it.
#[inline]
pub fn from_varint<T>(varint: u64) -> Option<T> {
    let mut number = None;
    Room::new(&mut number).put_varint(varint);
    number
}

/// The id of a type with all lifetimes taken for `'static` (after dtolnay's `typeid`).
#[inline]
pub fn type_of<T: ?Sized>() -> TypeId {
    trait Named {
        fn id(&self) -> TypeId
        where
            Self: 'static;
    }
    impl<T: ?Sized> Named for PhantomData<T> {
        fn id(&self) -> TypeId
        where
            Self: 'static,
        {
            TypeId::of::<T>()
        }
    }
    let phantom = PhantomData::<T>;
    // SAFETY: duty: nothing of `T` is touched: the method only asks for a constant; alive: the reference does not outlive
    // this line.
    let named = unsafe { transmute::<&dyn Named, &(dyn Named + 'static)>(&phantom) };
    named.id()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T>(value: &T) -> Option<&[u8]> {
        Seen::new(value).items()
    }

    fn text<T>(value: &T) -> Option<&str> {
        Seen::new(value).text()
    }

    #[test]
    fn bytes_are_seen_whatever_they_are_held_by() {
        let vec = vec![1_u8, 2, 3];
        let slice: &[u8] = &vec;
        assert_eq!(of(&vec), Some(slice));
        assert_eq!(of(&slice), Some(slice));
        assert_eq!(of(&&vec), Some(slice));
        assert_eq!(of(&&slice), Some(slice));
        let boxed: Box<[u8]> = slice.into();
        assert_eq!((of(&boxed), of(&&boxed)), (Some(slice), Some(slice)));
    }

    #[test]
    fn integers_have_the_varint_that_postcard_gives_them() {
        fn check<T: serde::Serialize + PartialEq + Copy + std::fmt::Debug>(value: T) {
            let varint = varint_of(&value).unwrap();
            assert_eq!(postcard::to_allocvec(&varint).unwrap(), postcard::to_allocvec(&value).unwrap());
            assert_eq!(from_varint::<T>(varint), Some(value));
        }
        for value in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            check(value);
            check(value.cast_unsigned());
            check(value as i32);
            check((value as i32).cast_unsigned());
            check((value as isize).cast_unsigned());
        }
        assert_eq!(from_varint::<u32>(1 << 32), None);
        assert_eq!(from_varint::<i32>(1 << 32), None);
        assert_eq!((varint_of(&1_u8), from_varint::<i8>(1), varint_of(&"1")), (None, None, None));
    }

    #[test]
    fn text_is_seen_whatever_it_is_held_by() {
        let (string, boxed) = ("añb".to_owned(), Box::<str>::from("añb"));
        let slice: &str = &string;
        for seen in [text(&string), text(&slice), text(&&string), text(&&slice), text(&boxed), text(&&boxed)]
        {
            assert_eq!(seen, Some(slice));
        }
        assert_eq!((text(&'a'), text(&vec![97_u8]), text(&Some("a"))), (None, None, None));
        assert_eq!(into_text(string.clone()), Some(string.clone()));
        assert_eq!(into_text(string.clone()), Some(boxed));
        assert_eq!(into_text::<&str>(string), None);
    }

    #[test]
    fn other_types_are_not_bytes() {
        assert_eq!(of(&vec![1_i8]), None);
        assert_eq!(of(&"text"), None);
        assert_eq!(of(&[1_u8, 2]), None);
        assert_eq!(into::<u8, String>(b"x".to_vec()), None);
        assert_eq!(into::<u8, Vec<u8>>(b"xy".to_vec()), Some(b"xy".to_vec()));
        assert_eq!(into::<u8, Box<[u8]>>(b"xy".to_vec()), Some(b"xy"[..].into()));
        assert_eq!(into_vec("x"), None);
        assert_eq!(into_vec(b"xy".to_vec()), Some(b"xy".to_vec()));
        assert_eq!(into_vec::<Box<[u8]>>(b"xy"[..].into()), Some(b"xy".to_vec()));
    }
}
