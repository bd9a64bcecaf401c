//! Types whose values may lie in memory that several processes map.

#![allow(unsafe_code)] // what the trait promises cannot be seen by the compiler

use std::sync::atomic::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32, AtomicU64,
    AtomicUsize,
};

/// A type whose values may lie in memory that several processes share: a plain number, or made of nothing else.
///
/// Integers, floats, the atomic integers and arrays of such types are. `bool` and `char` are not: a process that is
/// killed while it writes, or that writes what it should not, could leave bytes there that are neither.
///
/// ```
/// fn check<T: mp::Shareable>() {}
/// check::<[u64; 16]>();
/// check::<std::sync::atomic::AtomicU32>();
/// ```
///
/// ```compile_fail
/// fn check<T: mp::Shareable>() {}
/// check::<String>(); // a pointer means nothing in another process
/// ```
///
/// # Safety
/// A type with this trait
/// - holds no pointer, reference or other thing that means something in one process only;
/// - has no padding, and its layout is the same in every process of the program (`repr(C)` or `repr(transparent)`);
/// - has a valid value for all bits that can be there, as a writer may be killed half way;
/// - needs no `Drop`;
/// - is aligned to at most a page of 4096 bytes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot lie in memory that processes share",
    label = "not `mp::Shareable`",
    note = "integers, floats, atomic integers and arrays of them can"
)]
pub unsafe trait Shareable: Sized + Send + Sync + 'static {}

macro_rules! shareable {
    ($($number:ty)*) => {
        // SAFETY: duty: the list of the trait: a number without padding for which all bits are valid.
        $(unsafe impl Shareable for $number {})*
    };
}

shareable! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 }
shareable! { AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize }
shareable! { AtomicI8 AtomicI16 AtomicI32 AtomicI64 AtomicIsize }

// SAFETY: duty: the list of the trait: an array is its elements, without anything between them.
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {}

// SAFETY: duty: the list of the trait: there is nothing.
unsafe impl Shareable for () {}
