//! Values that are bytes already: serde would go through them one by one.
#![allow(unsafe_code)] // a reference seen as what it is

use std::any::TypeId;
use std::marker::PhantomData;
use std::mem::transmute;

/// The bytes of `value` if it is a `Vec<u8>`, a byte slice, or a reference to one of them. Other lifetimes in the type do
/// not matter.
#[inline]
pub fn of<T>(value: &T) -> Option<&[u8]> {
    let id = type_of::<T>();
    let value = std::ptr::from_ref(value);
    // SAFETY: duty, for all four: the cast is to the type that it is, but for lifetimes: the comparison. Duty: alive: the
    // result borrows from `value`, whose own borrows outlive it.
    unsafe {
        if id == TypeId::of::<Vec<u8>>() {
            Some((*value.cast::<Vec<u8>>()).as_slice())
        } else if id == TypeId::of::<&'static [u8]>() {
            Some(*value.cast::<&[u8]>())
        } else if id == TypeId::of::<&'static Vec<u8>>() {
            Some((*value.cast::<&Vec<u8>>()).as_slice())
        } else if id == TypeId::of::<&'static &'static [u8]>() {
            Some(**value.cast::<&&[u8]>())
        } else {
            None
        }
    }
}

/// Whether `T` is `Vec<u8>`.
#[inline]
pub fn is_vec<T>() -> bool {
    type_of::<T>() == TypeId::of::<Vec<u8>>()
}

/// `vec` as a `T` if `T` is `Vec<u8>`, else `vec`.
pub fn into<T>(vec: Vec<u8>) -> Result<T, Vec<u8>> {
    if !is_vec::<T>() {
        return Err(vec);
    }
    let vec = std::mem::ManuallyDrop::new(vec);
    // SAFETY: duty: the copy is of the type that it is: the comparison. Duty: one owner: the original is never dropped.
    Ok(unsafe { std::mem::transmute_copy::<Vec<u8>, T>(&vec) })
}

/// The id of a type with all lifetimes taken for `'static` (after dtolnay's `typeid`).
#[inline]
fn type_of<T: ?Sized>() -> TypeId {
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

    #[test]
    fn bytes_are_seen_whatever_they_are_held_by() {
        let vec = vec![1_u8, 2, 3];
        let slice: &[u8] = &vec;
        assert_eq!(of(&vec), Some(slice));
        assert_eq!(of(&slice), Some(slice));
        assert_eq!(of(&&vec), Some(slice));
        assert_eq!(of(&&slice), Some(slice));
    }

    #[test]
    fn other_types_are_not_bytes() {
        assert_eq!(of(&vec![1_i8]), None);
        assert_eq!(of(&"text"), None);
        assert_eq!(of(&[1_u8, 2]), None);
        assert_eq!(into::<String>(b"x".to_vec()), Err(b"x".to_vec()));
        assert_eq!(into::<Vec<u8>>(b"xy".to_vec()), Ok(b"xy".to_vec()));
    }
}
