//! The traits that tie a function, its parameters and what a caller passes together at compile time.

use crate::error::Error;
use crate::wire::codec::{self, CodecError};
use crate::wire::outgoing::Outgoing;
use crate::wire::spare;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::path::{Path, PathBuf};

/// A function with the parameters `P` (a tuple): what [`apply`](crate::Pool::apply) and its like take.
///
/// Implemented for every function of up to 12 parameters; whether it is annotated with
/// [`#[mp::task]`](macro@crate::task) is known when it is used (or at compile time with
/// [`mp::task_of!`](crate::task_of)).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as a task here",
    label = "not a function with these parameters",
    note = "a task is a function annotated with `#[mp::task]`; `map` and `imap` take functions of one parameter, \
            `starmap`, `apply` and `spawn` take any number up to 12"
)]
pub trait Task<P>: Copy + 'static {
    /// What the function returns.
    type Output;
}

/// What a caller may pass where a task has the parameters `P`: a tuple with one [`Arg`] for each parameter, or a reference to one.
#[diagnostic::on_unimplemented(
    message = "these arguments do not fit the task: it takes `{P}`, given is `{Self}`",
    label = "expected a tuple like `{P}`",
    note = "arguments are a tuple: `(x, y)`, `(x,)` for one parameter, `()` for none"
)]
pub trait Args<P> {
    /// Appends the encoded arguments to `out`.
    #[doc(hidden)]
    fn write<'a>(&'a self, out: &mut Outgoing<'_, 'a>) -> Result<(), Error>;

    /// The memory that they leave behind, if one of them is long bytes.
    #[doc(hidden)]
    fn into_spare(self) -> Option<Vec<u8>>
    where
        Self: Sized;
}

/// What a caller may pass for a parameter of type `P`: a `P`, or an owned or borrowed form of it (`String` for `&str`,
/// `&[T]` for `Vec<T>`, `&T` for `T`, and the other way round).
#[diagnostic::on_unimplemented(
    message = "a task parameter of type `{P}` cannot be given a `{Self}`",
    label = "expected `{P}`, or an owned or borrowed form of it",
    note = "the value must also implement `serde::Serialize`"
)]
pub trait Arg<P> {
    /// Appends the encoded argument to `out`.
    #[doc(hidden)]
    fn write<'a>(&'a self, out: &mut Outgoing<'_, 'a>) -> Result<(), Error>;

    /// The memory that it leaves behind, if it is long bytes.
    #[doc(hidden)]
    #[inline]
    fn into_spare(self) -> Option<Vec<u8>>
    where
        Self: Sized,
    {
        spare::of(self)
    }
}

/// A type that a task may take as a parameter.
#[diagnostic::on_unimplemented(
    message = "a task cannot take a parameter of type `{Self}`: it cannot travel to another process",
    label = "does not implement `serde::Serialize` and `serde::Deserialize`",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to the type, or pass plain data instead",
    note = "of types that are not yours: for an `Rc` or `Arc` serde has the feature `rc`; pass a path for a file, a `Vec` or a slice \
            for an array of more than 32 elements, and what is in `mp::sync` and `mp::shm` for locks and memory of threads"
)]
pub trait TaskInput {}

/// A type that a task may return.
#[diagnostic::on_unimplemented(
    message = "a task cannot return a `{Self}`: it cannot travel back from another process",
    label = "does not implement `serde::Serialize` and `serde::Deserialize`",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to the type, or return plain owned data instead",
    note = "an error that is not yours can go back as its text: `.map_err(|error| format!(\"{{error:#}}\"))`; an array of more than 32 \
            elements as a `Vec`"
)]
pub trait TaskOutput {}

/// Implemented by the attribute for the twin of an annotated function: the proof behind `mp::task_of!`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an annotated task",
    note = "add `#[mp::task]` above the function"
)]
pub trait Proven {}

/// Compiles for annotated functions only.
pub const fn proven<T: Proven>() {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> TaskInput for T {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> TaskOutput for T {}

#[inline]
fn write<'a, T: Serialize>(value: &'a T, out: &mut Outgoing<'_, 'a>) -> Result<(), Error> {
    codec::encode_out(value, out).map_err(|error| unencodable::<T>(&error))
}

#[cold]
fn unencodable<T>(error: &CodecError) -> Error {
    Error::argument_unencodable(std::any::type_name::<T>(), &error.to_string())
}

/// `impl Arg<$parameter> for $given`, where both have the same bytes on the wire.
macro_rules! same_on_the_wire {
    ($([$($generics:tt)*] $given:ty => $parameter:ty;)+) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> Arg<$parameter> for $given {
            #[inline]
            fn write<'out>(&'out self, out: &mut Outgoing<'_, 'out>) -> Result<(), Error> {
                write(self, out)
            }
        }
    )+};
}

same_on_the_wire! {
    [T: Serialize] T => T;
    // The function borrows, the caller owns.
    ['p, T: Serialize] T => &'p T;
    ['p] String => &'p str;
    ['p, 'a] &'a String => &'p str;
    ['p, 'a] Cow<'a, str> => &'p str;
    ['p] Box<str> => &'p str;
    ['p, T: Serialize] Vec<T> => &'p [T];
    ['p, 'a, T: Serialize] &'a Vec<T> => &'p [T];
    ['p, T: Serialize] Box<[T]> => &'p [T];
    ['p] PathBuf => &'p Path;
    ['p, 'a] &'a PathBuf => &'p Path;
    ['p] String => &'p Path;
    ['p, 'a] &'a String => &'p Path;
    ['p, 'a] &'a str => &'p Path;
    ['p] OsString => &'p OsStr;
    ['p, 'a] &'a OsString => &'p OsStr;
    ['p] CString => &'p CStr;
    ['p, 'a] &'a CString => &'p CStr;
    ['p, 'a, T: Serialize + Clone] Cow<'a, [T]> => &'p [T];
    // The function takes either.
    ['p] String => Cow<'p, str>;
    ['p, 'a] &'a String => Cow<'p, str>;
    ['p, 'a] &'a str => Cow<'p, str>;
    ['p, T: Serialize + Clone] Vec<T> => Cow<'p, [T]>;
    ['p, 'a, T: Serialize + Clone] &'a Vec<T> => Cow<'p, [T]>;
    ['p, 'a, T: Serialize + Clone] &'a [T] => Cow<'p, [T]>;
    // The function owns, the caller lends.
    ['a, T: Serialize] &'a T => T;
    ['a] &'a str => String;
    ['a, T: Serialize] &'a [T] => Vec<T>;
    ['a] &'a Path => PathBuf;
    ['a] &'a str => PathBuf;
    [] String => PathBuf;
    ['a] Cow<'a, str> => String;
    ['a, T: Serialize + Clone] Cow<'a, [T]> => Vec<T>;
    ['a] &'a OsStr => OsString;
    ['a] &'a CStr => CString;
    // The function owns no more than it needs.
    ['a] &'a str => Box<str>;
    [] String => Box<str>;
    ['a, T: Serialize] &'a [T] => Box<[T]>;
    [T: Serialize] Vec<T> => Box<[T]>;
}

/// Arrays are tuples for serde, slices are not: they go as slices.
macro_rules! arrays_as_slices {
    ($([$($generics:tt)*] $given:ty => $parameter:ty;)+) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> Arg<$parameter> for $given {
            #[inline]
            fn write<'out>(&'out self, out: &mut Outgoing<'_, 'out>) -> Result<(), Error> {
                codec::encode_into(&self.as_slice(), out).map_err(|error| unencodable::<Self>(&error))
            }
        }
    )+};
}

arrays_as_slices! {
    ['p, T: Serialize, const N: usize] [T; N] => &'p [T];
    ['p, 'a, T: Serialize, const N: usize] &'a [T; N] => &'p [T];
    ['a, T: Serialize, const N: usize] &'a [T; N] => Vec<T>;
    [T: Serialize, const N: usize] [T; N] => Vec<T>;
}

/// What a list lends: `starmap(task, &pairs)`.
#[diagnostic::do_not_recommend]
impl<P, T: Args<P>> Args<P> for &T {
    #[inline]
    fn write<'a>(&'a self, out: &mut Outgoing<'_, 'a>) -> Result<(), Error> {
        T::write(self, out)
    }

    #[inline]
    fn into_spare(self) -> Option<Vec<u8>> {
        None
    }
}

/// The parameters of a task but for the first: a tuple of up to 11. What
/// [`chunks_mut_with`](crate::Pool::chunks_mut_with) is given are arguments for those behind the chunk.
pub trait Behind<First> {
    /// All parameters, in a tuple.
    type All;
}

macro_rules! for_parameters {
    ($(($($parameter:ident $given:ident $index:tt),*))+) => {$(
        impl<Function, Output, $($parameter),*> Task<($($parameter,)*)> for Function
        where
            Function: Fn($($parameter),*) -> Output + Copy + 'static,
        {
            type Output = Output;
        }

        impl<$($parameter, $given: Arg<$parameter>),*> Args<($($parameter,)*)> for ($($given,)*) {
            #[allow(unused_variables, clippy::unused_unit, reason = "the tuple of no arguments writes nothing")]
            #[inline]
            fn write<'out>(&'out self, out: &mut Outgoing<'_, 'out>) -> Result<(), Error> {
                $(self.$index.write(out)?;)*
                Ok(())
            }

            #[inline]
            fn into_spare(self) -> Option<Vec<u8>> {
                None$(.or_else(|| self.$index.into_spare()))*
            }
        }
    )+};
}

for_parameters! {
    ()
    (A GA 0)
    (A GA 0, B GB 1)
    (A GA 0, B GB 1, C GC 2)
    (A GA 0, B GB 1, C GC 2, D GD 3)
    (A GA 0, B GB 1, C GC 2, D GD 3, E GE 4)
    (A GA 0, B GB 1, C GC 2, D GD 3, E GE 4, F GF 5)
    (A GA 0, B GB 1, C GC 2, D GD 3, E GE 4, F GF 5, G GG 6)
    (A GA 0, B GB 1, C GC 2, D GD 3, E GE 4, F GF 5, G GG 6, H GH 7)
    (A GA 0, B GB 1, C GC 2, D GD 3, E GE 4, F GF 5, G GG 6, H GH 7, I GI 8)
    (A GA 0, B GB 1, C GC 2, D GD 3, E GE 4, F GF 5, G GG 6, H GH 7, I GI 8, J GJ 9)
    (A GA 0, B GB 1, C GC 2, D GD 3, E GE 4, F GF 5, G GG 6, H GH 7, I GI 8, J GJ 9, K GK 10)
    (A GA 0, B GB 1, C GC 2, D GD 3, E GE 4, F GF 5, G GG 6, H GH 7, I GI 8, J GJ 9, K GK 10, L GL 11)
}

macro_rules! behind_another {
    ($(($($parameter:ident),*))+) => {$(
        impl<First, $($parameter),*> Behind<First> for ($($parameter,)*) {
            type All = (First, $($parameter),*);
        }
    )+};
}

behind_another! {
    ()
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
    (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
    (A, B, C, D, E, F, G, H, I)
    (A, B, C, D, E, F, G, H, I, J)
    (A, B, C, D, E, F, G, H, I, J, K)
}
