//! Why a value cannot be written or read, as it comes up through serde.

use super::codec::CodecError;
use crate::limits::PATH_BYTES_MAX;
use serde::{de, ser};
use std::fmt::{self, Display};

/// Why a value cannot be written or read, and where in it. As small as a pointer, as every result on the way has room for one.
#[derive(Debug)]
pub struct Refusal(Box<Inner>);

#[derive(Debug)]
struct Inner {
    /// The way from the whole value to the part: `.field[3]`.
    path: String,
    why: CodecError,
}

impl Refusal {
    /// The format cannot carry the type, or its two sides disagree.
    #[cold]
    pub fn of_format(reason: impl Display) -> Self {
        Self::new(CodecError::of_format(reason))
    }

    /// The value itself is the reason.
    #[cold]
    pub fn of_type(reason: impl Display) -> Self {
        Self::new(CodecError::of_type(reason))
    }

    fn new(why: CodecError) -> Self {
        Self(Box::new(Inner { path: String::new(), why }))
    }

    /// It is about a field of the value.
    #[cold]
    pub fn within_field(self, name: &str) -> Self {
        self.within(format!(".{name}"))
    }

    /// It is about an item of the value.
    #[cold]
    pub fn within_item(self, index: usize) -> Self {
        self.within(format!("[{index}]"))
    }

    /// It is about this part. Of a long way the beginning is kept.
    fn within(mut self, mut path: String) -> Self {
        path.push_str(&self.0.path);
        if path.len() > PATH_BYTES_MAX {
            let end = (0..=PATH_BYTES_MAX).rev().find(|end| path.is_char_boundary(*end));
            path.truncate(end.unwrap_or_default());
            path.push_str("..");
        }
        self.0.path = path;
        self
    }

    /// What there is to say of the whole value.
    pub fn into_error(self) -> CodecError {
        let Inner { path, why } = *self.0;
        if path.is_empty() { why } else { why.at(path.trim_start_matches('.')) }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.why.fmt(f)
    }
}

impl std::error::Error for Refusal {}

impl ser::Error for Refusal {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self::of_type(message)
    }
}

/// What serde says of bytes that it did not expect. They may not be wrong: types read by code of their own.
const DISAGREE: &str = "its `Deserialize` refused what it read, which may not be what its `Serialize` wrote";

impl de::Error for Refusal {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self::of_type(message)
    }

    #[cold]
    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::of_type(format_args!("{found} where {expected} was expected: {DISAGREE}"))
    }

    #[cold]
    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::of_type(format_args!("{found} where {expected} was expected: {DISAGREE}"))
    }

    #[cold]
    fn invalid_length(len: usize, expected: &dyn de::Expected) -> Self {
        Self::of_type(format_args!("{len} parts where {expected} was expected: {DISAGREE}"))
    }
}
