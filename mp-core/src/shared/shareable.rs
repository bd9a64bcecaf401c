//! Which types may live in shared memory.

#![allow(unsafe_code)] // the promise of `Shareable`

/// A type whose values may live in memory that other processes see, in [`mp::shm`](crate::shm) and in the locks of
/// [`mp::sync`](crate::sync): plain data without pointers, padding, and bit patterns that mean nothing.
///
/// It is implemented for integers, floats, `()` and arrays of such types; `#[derive(mp::Shareable)]` proves it for a struct:
///
/// ```
/// #[derive(Clone, Copy, mp::Shareable)]
/// #[repr(C)]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
/// ```
///
/// `bool`, `char` and enums are not among them: another process could leave bits there that are no value of theirs. Use an
/// integer, or [`Atomic<AtomicBool>`](crate::shm::Atomic) for a flag.
///
/// # Safety
/// All bit patterns of the type must be valid values, none of its bytes may be padding, and it must not hold pointers or
/// anything else that means something in one process only.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot live in shared memory",
    label = "is not plain data that means the same in every process",
    note = "integers, floats, arrays of them, and structs with `#[derive(mp::Shareable)]` can; for `bool` use `u8`, for a \
            tuple such a struct, for text an array of bytes, for other things send them as messages"
)]
pub unsafe trait Shareable: Copy + Send + Sync + 'static {}

macro_rules! numbers {
    ($($number:ty)+) => {$(
        // SAFETY: duty: plain data: a number has no padding and no invalid bits.
        unsafe impl Shareable for $number {}
    )+};
}

numbers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64 }

// SAFETY: duty: plain data: elements are, and lie side by side.
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {}

// SAFETY: duty: plain data: there is none. It is what a lock has that only says whose turn it is.
unsafe impl Shareable for () {}
