//! What a worker writes to stderr: a pipe instead, read without waiting, and passed on.

use super::{BorrowedHandle, Handle, line};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::windows::io::AsHandle as _;
use std::time::Duration;

/// How much the pipe holds, in bytes: as on Linux.
const ROOM: u32 = 64 << 10;

/// What there was to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Available {
    /// This many bytes were appended; zero says that there is nothing now.
    Bytes(usize),
    /// Every writer is gone and everything was read.
    End,
}

/// A pipe that no child inherits: the end to read from and the end to write to.
pub fn pipe() -> io::Result<(Handle, Handle)> {
    line::stream(ROOM)
}

/// Nothing to do: [`read_now`] never waits.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where there is
pub fn set_nonblocking(_: BorrowedHandle<'_>, _: bool) -> io::Result<()> {
    Ok(())
}

/// Reads what there is now into `room`, without waiting. `handle` is the end to read from of a [`pipe`].
pub fn read_now(handle: BorrowedHandle<'_>, room: &mut [u8]) -> io::Result<Available> {
    match line::read_now(handle, room) {
        Ok(0) => Ok(Available::End),
        Ok(count) => Ok(Available::Bytes(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Available::Bytes(0)),
        Err(error) => Err(error),
    }
}

/// Appends what can be read without waiting, at most `max` bytes. `handle` is as for [`read_now`].
pub fn read_available(handle: BorrowedHandle<'_>, bytes: &mut Vec<u8>, max: usize) -> io::Result<Available> {
    let before = bytes.len();
    while bytes.len() - before < max {
        let mut chunk = [0; 4096];
        let room = chunk.len().min(max - (bytes.len() - before));
        match read_now(handle, &mut chunk[..room])? {
            Available::End if bytes.len() == before => return Ok(Available::End),
            Available::End | Available::Bytes(0) => break,
            Available::Bytes(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
    Ok(Available::Bytes(bytes.len() - before))
}

/// This process's stderr, kept open by the caller; `None` if it is closed.
pub fn stderr() -> Option<Handle> {
    io::stderr().as_handle().try_clone_to_owned().ok()
}

/// This process's stdout, kept open by the caller; `None` if it is closed.
pub fn stdout() -> Option<Handle> {
    io::stdout().as_handle().try_clone_to_owned().ok()
}

/// Where everything that is written is lost, and nothing is to be read.
pub fn null() -> io::Result<Handle> {
    Ok(File::options().read(true).write(true).open("NUL")?.into())
}

/// Writes to `handle` until all is written, waiting where need be; what cannot be written is lost.
pub fn write_all(handle: BorrowedHandle<'_>, bytes: &[u8]) {
    if let Ok(copy) = handle.try_clone_to_owned() {
        let _ = File::from(copy).write_all(bytes);
    }
}

/// Writes to this process's stderr, past std's lock; what cannot be written is lost, as with `eprintln!`.
pub fn write_stderr(bytes: &[u8]) {
    write_all(io::stderr().as_handle(), bytes);
}

/// The same for what somebody else wrote. There is no way to ask whether stderr takes it, so this waits as long as that.
pub fn pass_on_to_stderr(bytes: &[u8], _patience: Duration) {
    write_stderr(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_then_the_end() {
        let (reader, writer) = pipe().expect("a pipe");
        let mut bytes = Vec::new();
        let mut read = |max| read_available(reader.as_handle(), &mut bytes, max).expect("readable");
        assert_eq!(read(10), Available::Bytes(0));
        write_all(writer.as_handle(), b"hello world");
        assert_eq!(read(5), Available::Bytes(5));
        assert_eq!(read(100), Available::Bytes(6));
        drop(writer);
        assert_eq!(read(100), Available::End);
        assert_eq!(bytes, b"hello world");
    }
}
