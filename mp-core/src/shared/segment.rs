//! Bytes, with a name only on request.

use super::elements::cannot_make;
use crate::error::{Error, ErrorKind};
use crate::sys::segment::{self, Segment};
use crate::wire::handles;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io;
use std::sync::Arc;

/// Bytes that several processes copy in and out.
///
/// Without a name they can be sent only, and are gone with the last process that has them. With
/// [`create_named`](Self::create_named) programs that are no family can meet: the process that created the name removes it
/// when it drops its last handle, and nobody else does. If it ends before (killed, or by [`exit`](std::process::exit), which drops nothing),
/// the name stays, because it was asked for; [`unlink`](Self::unlink) removes it.
///
/// There is no lock: who writes when is for the processes to agree.
///
/// ```
/// use mp::shm::SharedMemory;
///
/// #[mp::task]
/// fn shout(text: SharedMemory) -> Result<(), mp::Error> {
///     let mut bytes = vec![0; text.len()];
///     text.read(0, &mut bytes)?;
///     bytes.make_ascii_uppercase();
///     text.write(0, &bytes)
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let text = SharedMemory::new(5)?;
///     text.write(0, b"hello")?;
///     mp::spawn(shout, (&text,))?.join()??;
///     let mut bytes = [0; 5];
///     text.read(0, &mut bytes)?;
///     assert_eq!(&bytes, b"HELLO");
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct SharedMemory(Arc<Owned>);

struct Owned {
    segment: Segment,
    name: Option<String>,
    /// Removes the name in the end.
    owner: bool,
}

impl SharedMemory {
    /// Zeroed bytes without a name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for no bytes; if the system gives no memory.
    pub fn new(len: usize) -> Result<Self, Error> {
        check_len(len)?;
        let segment = Segment::create(len).map_err(|error| cannot_make(len, error))?;
        Ok(Self(Arc::new(Owned { segment, name: None, owner: false })))
    }

    /// Zeroed bytes with a name that nothing has. This handle and its clones own the name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for no bytes and for names that are empty, too long, or have a `/` in them;
    /// [`ErrorKind::Os`] if the name is taken.
    pub fn create_named(name: &str, len: usize) -> Result<Self, Error> {
        check_len(len)?;
        check_name(name)?;
        let segment = Segment::create_named(name, len).map_err(|error| refused("create", name, error))?;
        Ok(Self(Arc::new(Owned { segment, name: Some(name.to_owned()), owner: true })))
    }

    /// The bytes with this name. Dropping them does not remove it.
    ///
    /// # Errors
    /// [`ErrorKind::Os`] if there are none, or they are another user's.
    pub fn attach(name: &str) -> Result<Self, Error> {
        check_name(name)?;
        let segment = Segment::open_named(name).map_err(|error| refused("attach to", name, error))?;
        Ok(Self(Arc::new(Owned { segment, name: Some(name.to_owned()), owner: false })))
    }

    /// Removes a name, such as one that a killed process left behind. Who has the bytes keeps them.
    ///
    /// # Errors
    /// [`ErrorKind::Os`] if there is none, or it is another user's.
    pub fn unlink(name: &str) -> Result<(), Error> {
        check_name(name)?;
        segment::unlink_named(name).map_err(|error| refused("unlink", name, error))
    }

    /// How many bytes there are.
    #[allow(clippy::len_without_is_empty, reason = "it is never made empty")]
    pub fn len(&self) -> usize {
        self.0.segment.len() as usize
    }

    /// The name, if it has one and was not sent here.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Copies the bytes from `offset` on to `target`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there are fewer than it takes.
    pub fn read(&self, offset: usize, target: &mut [u8]) -> Result<(), Error> {
        self.check_bounds(offset, target.len())?;
        self.0.segment.read(offset as u64, target).map_err(|error| self.failed("read", error))
    }

    /// Copies `source` to the bytes from `offset` on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is not so much room.
    pub fn write(&self, offset: usize, source: &[u8]) -> Result<(), Error> {
        self.check_bounds(offset, source.len())?;
        self.0.segment.write(offset as u64, source).map_err(|error| self.failed("write", error))
    }

    fn check_bounds(&self, offset: usize, count: usize) -> Result<(), Error> {
        if offset.checked_add(count).is_some_and(|end| end <= self.len()) {
            return Ok(());
        }
        let (label, len) = (self.label(), self.len());
        let text = format!("{count} bytes at {offset} are out of bounds of {label}, which has {len} bytes");
        Err(Error::new(ErrorKind::InvalidInput, text))
    }

    fn failed(&self, verb: &str, error: io::Error) -> Error {
        Error::os(format!("cannot {verb} {}", self.label()), error)
    }

    fn label(&self) -> String {
        self.name().map_or_else(|| "shared memory".to_owned(), |name| format!("the shared memory {name:?}"))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let (true, Some(name)) = (self.owner, &self.name) {
            // Somebody may have removed it already.
            let _ = self.segment.unlink_own(name);
        }
    }
}

fn check_len(len: usize) -> Result<(), Error> {
    if len > 0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, "shared memory of no bytes makes no sense"))
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = (1..=255).contains(&name.len()) && !name.contains(['/', '\0']) && name != "." && name != "..";
    if fits {
        return Ok(());
    }
    let text = format!(
        "{name:?} cannot name shared memory: 1 to 255 bytes without `/` and NUL, and not `.` or `..`"
    );
    Err(Error::new(ErrorKind::InvalidInput, text))
}

fn refused(verb: &str, name: &str, error: io::Error) -> Error {
    Error::os(format!("cannot {verb} the shared memory {name:?}"), error)
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory").field("name", &self.name()).field("len", &self.len()).finish()
    }
}

impl Serialize for SharedMemory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        handles::give(self.0.segment.handle()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SharedMemory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let place = u32::deserialize(deserializer)?;
        let handle = handles::take(place).map_err(serde::de::Error::custom)?;
        let segment = Segment::from_handle(handle).map_err(|error| {
            serde::de::Error::custom(format_args!("the descriptor is not one of shared memory: {error}"))
        })?;
        Ok(Self(Arc::new(Owned { segment, name: None, owner: false })))
    }
}
