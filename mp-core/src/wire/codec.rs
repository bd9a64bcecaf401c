//! The wire format: [postcard](https://docs.rs/postcard), behind these functions only.

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a value could not be written or read.
#[derive(Debug)]
pub struct CodecError(String);

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Appends `value` to `out`. On an error `out` is as long as before.
pub fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let before = out.len();
    postcard::serialize_with_flavor(value, Appender(out)).map_err(|error| {
        out.truncate(before);
        explain(&error)
    })
}

/// Reads a value from the front of `bytes` and says what is left.
pub fn decode_front<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<(T, &'de [u8]), CodecError> {
    postcard::take_from_bytes(bytes).map_err(|error| explain(&error))
}

/// Reads a value that fills `bytes` to the last byte.
pub fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, CodecError> {
    let (value, rest) = decode_front(bytes)?;
    refuse_rest(rest)?;
    Ok(value)
}

/// Bytes that nobody read mean that the two sides disagree about the type.
pub fn refuse_rest(rest: &[u8]) -> Result<(), CodecError> {
    if rest.is_empty() { Ok(()) } else { Err(CodecError(format!("{} bytes were left over", rest.len()))) }
}

fn explain(error: &postcard::Error) -> CodecError {
    CodecError(match error {
        postcard::Error::SerializeSeqLengthUnknown => {
            "the length of a sequence is not known when it is written".into()
        }
        postcard::Error::WontImplement => "the type asks for a self-describing format".into(),
        postcard::Error::DeserializeUnexpectedEnd => "the bytes end too early".into(),
        postcard::Error::SerdeSerCustom | postcard::Error::SerdeDeCustom => {
            "the type's own serde code refused the value".into()
        }
        other => other.to_string(),
    })
}

/// Grows a vector; cannot run out of room.
struct Appender<'a>(&'a mut Vec<u8>);

impl Flavor for Appender<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
