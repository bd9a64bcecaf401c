//! A connected pair of named pipes in message mode, which carries bytes with handles.
//!
//! ```text
//!  message:  u32 process that has the copies | u32 how many | u64 each copy's number there | bytes
//! ```
//! A message is taken whole or not at all: a sender that is killed leaves no half of one.

#![allow(unsafe_code)] // overlapped operations, and handles of pipes

use super::call::{checked, event, number, owned, random, signal, wait_for, wide};
use super::deposit::Deposits;
use super::family::{Peer, fetch_from};
use super::{BorrowedHandle, Handle, borrow};
use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::windows::io::AsRawHandle as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_IO_PENDING, ERROR_MORE_DATA, ERROR_NO_DATA, ERROR_OPERATION_ABORTED,
    ERROR_PIPE_NOT_CONNECTED, GENERIC_READ, GENERIC_WRITE, GetLastError,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_FLAGS_AND_ATTRIBUTES,
    FileNameInfo, GetFileInformationByHandleEx, OPEN_EXISTING, PIPE_ACCESS_DUPLEX, PIPE_ACCESS_INBOUND,
    ReadFile, WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, GetNamedPipeInfo, PIPE_READMODE_MESSAGE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_SERVER_END,
    PIPE_TYPE_BYTE, PIPE_TYPE_MESSAGE, PeekNamedPipe, SetNamedPipeHandleState,
};
use windows_sys::core::BOOL;

/// What the names of our pipes start with: those can be read without waiting.
pub const PREFIX: &str = "\\mp.";

/// Bytes of a message before the numbers of its handles.
const HEAD_BYTES: usize = 8;

/// Handles that one message may carry, as on Linux.
const HANDLES_MAX: usize = 253;

/// How long a sleep lasts at most.
pub const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The most bytes before those of the sender.
pub const HEAD_BYTES_MAX: usize = HEAD_BYTES + 8 * HANDLES_MAX;

thread_local! {
    /// The event by which this thread hears that an operation is done.
    static DONE: Cell<Option<Handle>> = const { Cell::new(None) };
}

/// Whether a call waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patient {
    /// It waits.
    Yes,
    /// It fails with [`io::ErrorKind::WouldBlock`].
    No,
}

/// Two connected ends for messages in both directions; each holds up to `room` bytes.
pub fn pair(room: u32) -> io::Result<(Handle, Handle)> {
    let access = (PIPE_ACCESS_DUPLEX, GENERIC_READ | GENERIC_WRITE);
    let (one, other) =
        connected(access, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, room, FILE_FLAG_OVERLAPPED)?;
    let mode = PIPE_READMODE_MESSAGE;
    // SAFETY: duty: valid pointers: a live local; null means no change.
    checked(unsafe {
        SetNamedPipeHandleState(other.as_raw_handle(), &raw const mode, std::ptr::null(), std::ptr::null())
    })?;
    Ok((one, other))
}

/// The end of a stream of bytes that is read from, and the end that a program which knows nothing of us writes to.
pub fn stream(room: u32) -> io::Result<(Handle, Handle)> {
    connected((PIPE_ACCESS_INBOUND, GENERIC_WRITE), PIPE_TYPE_BYTE, room, 0)
}

fn connected(
    (ours, theirs): (FILE_FLAGS_AND_ATTRIBUTES, u32),
    mode: u32,
    room: u32,
    flags: FILE_FLAGS_AND_ATTRIBUTES,
) -> io::Result<(Handle, Handle)> {
    static TOKEN: OnceLock<u64> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let token = TOKEN.get_or_init(random);
    let next = NEXT.fetch_add(1, Relaxed);
    let name = wide(&format!(r"\\.\pipe{PREFIX}{token:016x}.{next:x}"));
    let open = ours | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED;
    let mode = mode | PIPE_REJECT_REMOTE_CLIENTS;
    // SAFETY: duty: valid pointers: the name ends in NUL, null is the default. Duty of `owned`: made just now, each.
    unsafe {
        let one = owned(CreateNamedPipeW(name.as_ptr(), open, mode, 1, room, room, 0, std::ptr::null()))?;
        let null = std::ptr::null();
        let other =
            owned(CreateFileW(name.as_ptr(), theirs, 0, null, OPEN_EXISTING, flags, std::ptr::null_mut()))?;
        Ok((one, other))
    }
}

/// Who has the handles of a message until it is received.
#[derive(Clone, Copy, Debug)]
pub enum Holder<'a> {
    /// Who will receive it.
    Receiver(&'a Peer),
    /// Somebody who keeps them for whoever comes.
    Keeper(&'a Peer),
}

type Given = (Vec<u64>, Option<(Arc<Deposits>, Pipe)>);

impl<'a> Holder<'a> {
    fn peer(self) -> &'a Peer {
        let (Self::Receiver(peer) | Self::Keeper(peer)) = self;
        peer
    }

    /// Puts copies there: what the message says of each, and where that is written down.
    fn give(self, pipe: BorrowedHandle<'_>, handles: &[BorrowedHandle<'_>]) -> io::Result<Given> {
        let deposit = match self {
            Self::Keeper(peer) if !handles.is_empty() => Deposits::with(peer).zip(Pipe::of(pipe)),
            Self::Keeper(_) | Self::Receiver(_) => None,
        };
        let given = match &deposit {
            Some((deposits, pipe)) => deposits.give(self.peer(), handles, *pipe)?,
            None => self.peer().give(handles)?,
        };
        Ok((given, deposit))
    }
}

/// A pipe of ours and a direction in it, as any process can name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pipe {
    pub token: u64,
    pub next: u64,
    /// Toward the end that the name lives as long as.
    pub goes_to_server: bool,
}

impl Pipe {
    /// What goes into this end; `None` if it is of no pipe of ours.
    pub fn of(end: BorrowedHandle<'_>) -> Option<Self> {
        let name = name_of(end)?;
        let (token, next) = name.strip_prefix(PREFIX)?.split_once('.')?;
        let parse = |text| u64::from_str_radix(text, 16).ok();
        let goes_to_server = !is_server(end);
        Some(Self { token: parse(token)?, next: parse(next)?, goes_to_server })
    }
}

/// Whether it is the end that the name of a pipe lives as long as.
pub fn is_server(end: BorrowedHandle<'_>) -> bool {
    let (mut flags, null) = (0, std::ptr::null_mut());
    // SAFETY: duty: valid pointers: a live local, and null where nothing is asked for.
    let done = unsafe { GetNamedPipeInfo(number(end), &raw mut flags, null, null, null) };
    done != 0 && flags & PIPE_SERVER_END != 0
}

/// The name of a pipe, as the system has it; Wine has it no more once the other end is gone.
pub fn name_of(pipe: BorrowedHandle<'_>) -> Option<String> {
    // The length in bytes, then the name.
    let mut info = [0_u32; 64];
    // SAFETY: duty: a valid pointer: a live local of the length that is named, aligned for the structure.
    let done = unsafe {
        let len = size_of_val(&info) as u32;
        GetFileInformationByHandleEx(number(pipe), FileNameInfo, info.as_mut_ptr().cast(), len)
    };
    let units: Vec<_> = info[1..].iter().flat_map(|pair| [*pair as u16, (*pair >> 16) as u16]).collect();
    let name = units.get(..info[0] as usize / 2)?;
    (done != 0).then(|| String::from_utf16_lossy(name))
}

/// Whether no process has the server's end of it any more.
pub fn is_gone(pipe: Pipe) -> bool {
    let name = wide(&format!(r"\\.\pipe{PREFIX}{:016x}.{:x}", pipe.token, pipe.next));
    let null = std::ptr::null_mut();
    // SAFETY: duty: valid pointers: the name ends in NUL, null is the default. It cannot be opened: there is one place for a
    // client, which is taken, or was.
    let opened = unsafe {
        owned(CreateFileW(
            name.as_ptr(),
            GENERIC_READ | GENERIC_WRITE,
            0,
            std::ptr::null(),
            OPEN_EXISTING,
            0,
            null,
        ))
    };
    opened.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Sends one message.
///
/// # Errors
/// [`io::ErrorKind::BrokenPipe`] when the other end is gone. [`io::ErrorKind::WouldBlock`] when there is no room and the
/// caller does not wait.
pub fn send(
    pipe: BorrowedHandle<'_>,
    bytes: &[io::IoSlice<'_>],
    handles: &[BorrowedHandle<'_>],
    holder: Holder<'_>,
    patient: Patient,
) -> io::Result<()> {
    if handles.len() > HANDLES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "handles are limited to 253 at once"));
    }
    let (given, deposit) = holder.give(pipe, handles)?;
    let keeper = holder.peer();
    let mut message =
        Vec::with_capacity(HEAD_BYTES + 8 * given.len() + bytes.iter().map(|part| part.len()).sum::<usize>());
    message.extend_from_slice(&keeper.pid().to_le_bytes());
    message.extend_from_slice(&(given.len() as u32).to_le_bytes());
    message.extend(given.iter().flat_map(|copy| copy.to_le_bytes()));
    for part in bytes {
        message.extend_from_slice(part);
    }
    let written = run(pipe, patient, |state| {
        // SAFETY: duty: valid pointers: the message, and a state that lives until `run` has seen the end of the operation.
        unsafe {
            WriteFile(number(pipe), message.as_ptr(), message.len() as u32, std::ptr::null_mut(), state)
        }
    });
    written.map(drop).inspect_err(|_| match &deposit {
        Some((deposits, pipe)) => deposits.take_back(keeper, &given, *pipe),
        None => keeper.take_back(&given),
    })
}

/// Receives one message into `buffer`, whose contents it replaces by the bytes, and appends the handles. False when the
/// other end is gone and everything it sent was read.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when handles were lost on the way: their keeper is gone.
pub fn receive(
    pipe: BorrowedHandle<'_>,
    buffer: &mut Vec<u8>,
    handles: &mut Vec<Handle>,
    patient: Patient,
) -> io::Result<bool> {
    loop {
        match waiting(pipe) {
            Ok(Some(_)) => {}
            Ok(None) if patient == Patient::No => return Err(io::ErrorKind::WouldBlock.into()),
            Ok(None) => {
                wait_until_readable(pipe)?;
                continue;
            }
            Err(error) => return is_end(&error).then_some(false).ok_or(error),
        }
        match receive_now(pipe, buffer, handles) {
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && patient == Patient::Yes => {}
            received => return received,
        }
    }
}

/// Sleeps until there may be something to read, or the other end may be gone.
///
/// A sleep of a bounded length, and no read that waits for as long as it takes: Wine forgets one now and then when the
/// process at the other end is killed.
pub fn wait_until_readable(pipe: BorrowedHandle<'_>) -> io::Result<()> {
    wait_for(Watch::start(pipe)?.handle(), Some(LOOK_AGAIN));
    Ok(())
}

/// Receives a message that is there.
fn receive_now(
    pipe: BorrowedHandle<'_>,
    buffer: &mut Vec<u8>,
    handles: &mut Vec<Handle>,
) -> io::Result<bool> {
    buffer.clear();
    buffer.reserve(4096);
    loop {
        let room = buffer.spare_capacity_mut();
        let (start, len) = (room.as_mut_ptr(), room.len() as u32);
        let read = run(pipe, Patient::No, |state| {
            // SAFETY: duty: valid pointers: room of ours, and a state that lives until `run` has seen the end.
            unsafe { ReadFile(number(pipe), start.cast(), len, std::ptr::null_mut(), state) }
        });
        match read {
            Ok((count, has_more)) => {
                // SAFETY: duty: within the room, and written: the read has just done that to so many bytes.
                unsafe { buffer.set_len(buffer.len() + count) };
                if !has_more {
                    break;
                }
                buffer.reserve(waiting(pipe)?.unwrap_or(4096));
            }
            Err(error) if is_end(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    let garbled = || io::Error::new(io::ErrorKind::InvalidData, "a message without its head");
    let word = |at: usize| buffer.get(at..at + 4)?.first_chunk::<4>().map(|word| u32::from_le_bytes(*word));
    let (keeper, count) = word(0).zip(word(4)).ok_or_else(garbled)?;
    let start = (count as usize)
        .checked_mul(8)
        .and_then(|bytes| bytes.checked_add(HEAD_BYTES))
        .ok_or_else(garbled)?;
    let copies = buffer.get(HEAD_BYTES..start).ok_or_else(garbled)?;
    let copies =
        copies.chunks_exact(8).filter_map(|copy| copy.first_chunk().map(|copy| u64::from_le_bytes(*copy)));
    if count > 0 {
        let lost = |_| io::Error::new(io::ErrorKind::InvalidData, "handles were lost on the way");
        handles.extend(fetch_from(keeper, copies).map_err(lost)?);
    }
    buffer.drain(..start);
    Ok(true)
}

/// The first bytes of the next message, which stays; how many there are. Zero as in [`receive`].
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when there is none.
pub fn peek(pipe: BorrowedHandle<'_>, bytes: &mut [u8]) -> io::Result<usize> {
    let mut start = vec![0; HEAD_BYTES_MAX + bytes.len()];
    let (mut read, mut there) = (0, 0);
    // SAFETY: duty: valid pointers: room of ours and live locals.
    let done = unsafe {
        PeekNamedPipe(
            number(pipe),
            start.as_mut_ptr().cast(),
            start.len() as u32,
            &raw mut read,
            &raw mut there,
            std::ptr::null_mut(),
        )
    };
    match checked(done) {
        Err(error) if is_end(&error) => return Ok(0),
        Err(error) => return Err(error),
        Ok(()) if there == 0 => return Err(io::ErrorKind::WouldBlock.into()),
        Ok(()) => {}
    }
    let count = start[4..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word)) as usize;
    let skipped = HEAD_BYTES + 8 * count.min(HANDLES_MAX);
    let found = &start[skipped.min(read as usize)..read as usize];
    let len = found.len().min(bytes.len());
    bytes[..len].copy_from_slice(&found[..len]);
    Ok(len)
}

/// How many bytes of the next message, or of the stream, can be read now; `None` if there are none.
///
/// # Errors
/// One that [`is_end`] when the other end is gone and everything was read.
pub fn waiting(pipe: BorrowedHandle<'_>) -> io::Result<Option<usize>> {
    let (mut there, mut left) = (0, 0);
    // SAFETY: duty: valid pointers: live locals, and null where nothing is asked for.
    checked(unsafe {
        let null = std::ptr::null_mut();
        PeekNamedPipe(number(pipe), null, 0, std::ptr::null_mut(), &raw mut there, &raw mut left)
    })?;
    Ok((there > 0).then_some(left.max(there.min(1)).max(1) as usize))
}

/// Reads from a stream what is there, at least a byte, into `room`; zero at its end.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when nothing is there.
pub fn read_now(pipe: BorrowedHandle<'_>, room: &mut [u8]) -> io::Result<usize> {
    let read = run(pipe, Patient::No, |state| {
        // SAFETY: duty: valid pointers: room of the caller's, and a state that lives until `run` has seen the end.
        unsafe { ReadFile(number(pipe), room.as_mut_ptr(), room.len() as u32, std::ptr::null_mut(), state) }
    });
    match read {
        Ok((count, _)) => Ok(count),
        Err(error) if is_end(&error) => Ok(0),
        Err(error) => Err(error),
    }
}

/// Whether an error says that the other end is gone.
pub fn is_end(error: &io::Error) -> bool {
    let ends = [ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_PIPE_NOT_CONNECTED];
    error.raw_os_error().is_some_and(|code| ends.contains(&code.cast_unsigned()))
        || error.kind() == io::ErrorKind::BrokenPipe
}

/// Runs an operation to its end: how many bytes, and whether more of the message is left. One that would wait for somebody
/// else, but must not, is cancelled.
fn run(
    pipe: BorrowedHandle<'_>,
    patient: Patient,
    start: impl FnOnce(*mut OVERLAPPED) -> BOOL,
) -> io::Result<(usize, bool)> {
    let done = DONE.try_with(Cell::take).ok().flatten().map_or_else(|| event(true), Ok)?;
    let mut state = OVERLAPPED { hEvent: number(borrow(&done)), ..OVERLAPPED::default() };
    let (mut count, mut is_gone) = (0, false);
    // SAFETY: duty: valid pointers: live locals; the state is not touched before the operation is over: `GetOverlappedResult`
    // waits for that, whatever happened before.
    let error = unsafe {
        let error = if start(&raw mut state) == 0 { GetLastError() } else { 0 };
        match error {
            0 | ERROR_IO_PENDING | ERROR_MORE_DATA => {
                // Wine forgets one now and then when the process at the other end is killed.
                while error == ERROR_IO_PENDING
                    && (patient == Patient::No || !wait_for(borrow(&done), Some(LOOK_AGAIN)))
                {
                    is_gone = waiting(pipe).is_err_and(|error| is_end(&error));
                    if is_gone || patient == Patient::No {
                        CancelIoEx(number(pipe), &raw const state);
                        break;
                    }
                }
                let over = GetOverlappedResult(number(pipe), &raw const state, &raw mut count, 1);
                if over == 0 { GetLastError() } else { 0 }
            }
            error => error,
        }
    };
    // A thread that is ending closes it.
    let _ = DONE.try_with(|kept| kept.set(Some(done)));
    match error {
        0 => Ok((count as usize, false)),
        ERROR_MORE_DATA => Ok((count as usize, true)),
        ERROR_OPERATION_ABORTED if !is_gone => Err(io::ErrorKind::WouldBlock.into()),
        ERROR_OPERATION_ABORTED | ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED => {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        other => Err(io::Error::from_raw_os_error(other.cast_signed())),
    }
}

/// Waiting until a pipe of ours can be read: a read of no bytes, which ends when there are some.
pub struct Watch {
    pipe: Handle,
    /// Signalled when the read is over.
    done: Handle,
    /// The system writes here until the read is over.
    state: Box<OVERLAPPED>,
}

// SAFETY: duty: usable from any thread: the system writes to the state whatever thread looks, and nobody else does.
unsafe impl Send for Watch {}
// SAFETY: duty: as for `Send`: there is nothing to be done through a `&Watch` but to look at the handles.
unsafe impl Sync for Watch {}

impl Watch {
    /// Starts to wait.
    pub fn start(pipe: BorrowedHandle<'_>) -> io::Result<Self> {
        let (pipe, done) = (pipe.try_clone_to_owned()?, event(true)?);
        let mut state = Box::new(OVERLAPPED { hEvent: number(borrow(&done)), ..OVERLAPPED::default() });
        // SAFETY: duty: valid pointers: no bytes are read, so their place is never used; the state lives until the read is
        // over: `drop` waits for that.
        let started = unsafe {
            ReadFile(
                number(borrow(&pipe)),
                std::ptr::dangling_mut(),
                0,
                std::ptr::null_mut(),
                &raw mut *state,
            )
        };
        // SAFETY: duty: none, the call takes nothing.
        let is_over = started != 0 || unsafe { GetLastError() } != ERROR_IO_PENDING;
        if is_over {
            signal(borrow(&done));
        }
        Ok(Self { pipe, done, state })
    }

    /// Signalled when there may be something to read, or the other end is gone.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        borrow(&self.done)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("pipe", &self.pipe).finish_non_exhaustive()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut count = 0;
        // SAFETY: duty: valid pointers: ours. After the second call the system does not write to the state any more.
        unsafe {
            CancelIoEx(number(borrow(&self.pipe)), &raw const *self.state);
            GetOverlappedResult(number(borrow(&self.pipe)), &raw const *self.state, &raw mut count, 1);
        }
    }
}
