//! What a worker writes to stderr: a pipe instead, read without waiting, and passed on.

use super::platform::socket_flags::close_on_exec_pipe;
use super::{BorrowedHandle, Handle};
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// A pipe, closed on exec: the end to read from and the end to write to.
pub fn pipe() -> io::Result<(Handle, Handle)> {
    close_on_exec_pipe()
}

/// Makes calls on `handle` that would wait fail instead, or back. Everybody who shares the open file is affected.
pub fn set_nonblocking(handle: BorrowedHandle<'_>, on: bool) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(handle, on)?)
}

/// What there was to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Available {
    /// This many bytes were appended; zero says that there is nothing now.
    Bytes(usize),
    /// Every writer is gone and everything was read.
    End,
}

/// Reads what there is now into `room`, without waiting. `handle` must be nonblocking.
pub fn read_now(handle: BorrowedHandle<'_>, room: &mut [u8]) -> io::Result<Available> {
    loop {
        match rustix::io::read(handle, &mut *room) {
            Ok(0) => return Ok(Available::End),
            Ok(count) => return Ok(Available::Bytes(count)),
            Err(Errno::AGAIN) => return Ok(Available::Bytes(0)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Appends what can be read without waiting, at most `max` bytes. `handle` must be nonblocking.
pub fn read_available(handle: BorrowedHandle<'_>, bytes: &mut Vec<u8>, max: usize) -> io::Result<Available> {
    let before = bytes.len();
    while bytes.len() - before < max {
        let mut chunk = [0; 4096];
        let room = chunk.len().min(max - (bytes.len() - before));
        match rustix::io::read(handle, &mut chunk[..room]) {
            Ok(0) if bytes.len() == before => return Ok(Available::End),
            Ok(0) | Err(Errno::AGAIN) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Available::Bytes(bytes.len() - before))
}

/// This process's stderr, kept open by the caller; `None` if it is closed.
pub fn stderr() -> Option<Handle> {
    let stderr = io::stderr();
    if is_stream(stderr.as_fd()) { stderr.as_fd().try_clone_to_owned().ok() } else { None }
}

/// Whether a standard stream is one. Of a program that has closed it, something else may have the number since, a control
/// channel even: it is not meant for children then, as a stream is.
fn is_stream(descriptor: BorrowedHandle<'_>) -> bool {
    rustix::io::fcntl_getfd(descriptor).is_ok_and(|flags| !flags.contains(rustix::io::FdFlags::CLOEXEC))
}

/// This process's stdout, kept open by the caller; `None` if it is closed.
pub fn stdout() -> Option<Handle> {
    let stdout = io::stdout();
    if is_stream(stdout.as_fd()) { stdout.as_fd().try_clone_to_owned().ok() } else { None }
}

/// Where everything that is written is lost, and nothing is to be read.
pub fn null() -> io::Result<Handle> {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null");
    let null = null.map_err(|error| {
        io::Error::new(error.kind(), format!("/dev/null, where output is to go, cannot be opened: {error}"))
    });
    Ok(null?.into())
}

/// Where nothing is to be read. In a bare root there is no null device: there it is a pipe that nobody writes to.
pub fn nothing() -> io::Result<Handle> {
    null().or_else(|_| Ok(pipe()?.0))
}

/// Writes to `handle` until all is written, waiting where need be; what cannot be written is lost.
pub fn write_all(handle: BorrowedHandle<'_>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match rustix::io::write(handle, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // A nonblocking terminal or pipe that is full for the moment.
            Err(Errno::AGAIN) => {
                let mut one =
                    [rustix::event::PollFd::from_borrowed_fd(handle, rustix::event::PollFlags::OUT)];
                if rustix::event::poll(&mut one, None).is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

/// Writes to this process's stderr, past std's lock; what cannot be written is lost, as with `eprintln!`.
pub fn write_stderr(mut bytes: &[u8]) {
    if !is_stream(rustix::stdio::stderr()) {
        return;
    }
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stderr(), bytes) {
            Ok(0) => return,
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// The same for what somebody else wrote: what stderr does not take within `patience`, because nobody empties it, is lost.
pub fn pass_on_to_stderr(bytes: &[u8], patience: Duration) {
    if is_stream(rustix::stdio::stderr()) {
        pass_on(rustix::stdio::stderr(), bytes, patience);
    }
}

fn pass_on(handle: BorrowedHandle<'_>, mut bytes: &[u8], patience: Duration) {
    let began = Instant::now();
    while !bytes.is_empty() {
        let mut one = [rustix::event::PollFd::from_borrowed_fd(handle, rustix::event::PollFlags::OUT)];
        let Ok(left) = patience.saturating_sub(began.elapsed()).try_into() else { return };
        match rustix::event::poll(&mut one, Some(&left)) {
            Ok(0) => return,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        if one[0].revents().is_empty() {
            continue;
        }
        // A pipe that is ready has room for so much at least.
        match rustix::io::write(handle, &bytes[..bytes.len().min(rustix::pipe::PIPE_BUF)]) {
            Ok(0) => return,
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_full_pipe_does_not_take_is_lost() {
        let (reader, writer) = pipe().expect("a pipe");
        let much = vec![1; 1 << 20];
        pass_on(writer.as_fd(), &much, Duration::from_millis(1));
        pass_on(writer.as_fd(), b"x", Duration::ZERO);
        drop(writer);
        let mut bytes = Vec::new();
        while read_available(reader.as_fd(), &mut bytes, much.len()).expect("readable") != Available::End {}
        assert!((4096..much.len()).contains(&bytes.len()) && !bytes.contains(&b'x'), "{}", bytes.len());
    }

    #[test]
    fn what_was_written_is_read_and_then_the_end() {
        let (reader, writer) = pipe().expect("a pipe");
        set_nonblocking(reader.as_fd(), true).expect("nonblocking");
        let mut bytes = Vec::new();
        let mut read = |max| read_available(reader.as_fd(), &mut bytes, max).expect("readable");
        assert_eq!(read(10), Available::Bytes(0));
        rustix::io::write(&writer, b"hello world").expect("room in a new pipe");
        assert_eq!(read(5), Available::Bytes(5));
        assert_eq!(read(100), Available::Bytes(6));
        drop(writer);
        assert_eq!(read(100), Available::End);
        assert_eq!(bytes, b"hello world");
    }
}
