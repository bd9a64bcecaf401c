//! The processes that know each other: who started us, who started all, and how handles get from one to another.
//!
//! A handle is a number that means something in one process only. To send one, the sender puts a copy into a process that
//! will be there when the message is read: the receiver, if it is known; otherwise the first process of the family, which
//! [keeps](super::deposit) it until somebody comes or nobody can. The message says whose number it is.
//!
//! A worker learns of its family from one more argument before the marker: `parent.first.token`, in hexadecimal.

#![allow(unsafe_code)] // DuplicateHandle

use super::call::{number, owned, random, wait_for};
use super::deposit::Deposits;
use super::life::open;
use super::{BorrowedHandle, Handle, borrow};
use std::io;
use std::os::windows::io::FromRawHandle as _;
use std::sync::OnceLock;
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    DUPLICATE_CLOSE_SOURCE, DUPLICATE_HANDLE_OPTIONS, DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, PROCESS_DUP_HANDLE, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE,
};

/// What a worker is told about its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The number of the process that started us.
    pub parent: u32,
    /// The number of the process that started all.
    first: u32,
    /// What the names of the family begin with.
    token: u64,
}

static LINEAGE: OnceLock<Option<Lineage>> = OnceLock::new();
static TOKEN: OnceLock<u64> = OnceLock::new();
static PARENT: OnceLock<Peer> = OnceLock::new();
static FIRST: OnceLock<Peer> = OnceLock::new();
static OURSELVES: OnceLock<Peer> = OnceLock::new();

impl Lineage {
    fn parse(word: &str) -> Option<Self> {
        let mut parts = word.split('.').map(|part| u64::from_str_radix(part, 16).ok());
        let mut number = || u32::try_from(parts.next()??).ok();
        let (parent, first) = (number()?, number()?);
        let token = parts.next()??;
        parts.next().is_none().then_some(Self { parent, first, token })
    }
}

/// This process is a worker and was told `word`.
pub fn enter(word: &str) -> Option<Lineage> {
    *LINEAGE.get_or_init(|| Lineage::parse(word))
}

/// What a child of ours is told.
pub fn word_for_child() -> String {
    let keeper = keeper();
    if keeper.handle.is_none() {
        // Children find them.
        let _ = Deposits::with(keeper);
    }
    format!("{:x}.{:x}.{:x}", std::process::id(), keeper.pid, token())
}

/// What names of this family begin with.
pub fn token() -> u64 {
    *TOKEN.get_or_init(|| LINEAGE.get().copied().flatten().map_or_else(random, |lineage| lineage.token))
}

/// Another process of the family, or this one.
#[derive(Debug)]
pub struct Peer {
    pid: u32,
    /// `None` for this process.
    handle: Option<Handle>,
}

/// The process that started us, while it lives.
pub fn parent() -> io::Result<&'static Peer> {
    if let Some(parent) = PARENT.get() {
        return Ok(parent);
    }
    let lineage = LINEAGE.get().copied().flatten().ok_or(io::ErrorKind::NotFound)?;
    let parent = Peer::open(lineage.parent)?;
    Ok(PARENT.get_or_init(|| parent))
}

/// The process that keeps handles on their way to nobody knows whom: the first one of the family, or, if that is gone
/// (this process was detached), this one.
pub fn keeper() -> &'static Peer {
    let first = FIRST.get_or_init(|| {
        let first = LINEAGE.get().copied().flatten().and_then(|lineage| Peer::open(lineage.first).ok());
        first.unwrap_or_else(Peer::ourselves)
    });
    if first.is_alive() { first } else { OURSELVES.get_or_init(Peer::ourselves) }
}

impl Peer {
    /// This process.
    pub fn ourselves() -> Self {
        Self { pid: std::process::id(), handle: None }
    }

    /// A process that we have a handle of.
    pub fn of(pid: u32, handle: Handle) -> Self {
        Self { pid, handle: Some(handle) }
    }

    /// The same process once more.
    pub fn duplicate(&self) -> io::Result<Self> {
        Ok(Self { pid: self.pid, handle: self.handle().map(super::duplicate).transpose()? })
    }

    fn open(pid: u32) -> io::Result<Self> {
        if pid == std::process::id() {
            return Ok(Self::ourselves());
        }
        let rights = PROCESS_DUP_HANDLE | PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
        Ok(Self::of(pid, open(pid, rights)?))
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// A handle of it; `None` for this process.
    pub fn handle(&self) -> Option<BorrowedHandle<'_>> {
        self.handle.as_ref().map(borrow)
    }

    /// Whether it lives.
    pub fn is_alive(&self) -> bool {
        self.handle().is_none_or(|handle| !wait_for(handle, Some(Duration::ZERO)))
    }

    fn raw(&self) -> HANDLE {
        // SAFETY: duty: none, the call returns a constant.
        self.handle().map_or_else(|| unsafe { GetCurrentProcess() }, number)
    }

    /// Puts copies of `handles` into it: their numbers there.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] if it is gone.
    pub fn give(&self, handles: &[BorrowedHandle<'_>]) -> io::Result<Vec<u64>> {
        let mut given = Vec::with_capacity(handles.len());
        for handle in handles {
            let mut copy = std::ptr::null_mut();
            // SAFETY: duty: valid handles: a process we have open and one that the caller lends; a live local for the copy.
            let done = unsafe {
                let this = GetCurrentProcess();
                let target = self.raw();
                DuplicateHandle(this, number(*handle), target, &raw mut copy, 0, 0, DUPLICATE_SAME_ACCESS)
            };
            if done == 0 {
                let error = io::Error::last_os_error();
                self.take_back(&given);
                return Err(if self.is_alive() { error } else { io::ErrorKind::BrokenPipe.into() });
            }
            given.push(copy.addr() as u64);
        }
        Ok(given)
    }

    /// Closes copies that were put into it and that nobody was told of.
    pub fn take_back(&self, given: &[u64]) {
        for copy in given {
            // What is moved here is closed here.
            let _ = self.fetch(*copy);
        }
    }

    /// A copy of what was put into it.
    pub fn copy(&self, copy: u64) -> io::Result<Handle> {
        self.bring(copy, DUPLICATE_SAME_ACCESS)
    }

    /// Moves a copy that was put into it to this process.
    pub fn fetch(&self, copy: u64) -> io::Result<Handle> {
        if self.handle.is_none() {
            let there: HANDLE = std::ptr::without_provenance_mut(copy as usize);
            // SAFETY: duty: open, and nobody else's: it was put into this process for who reads its number, as `give` does.
            return Ok(unsafe { Handle::from_raw_handle(there) });
        }
        self.bring(copy, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE)
    }

    fn bring(&self, copy: u64, options: DUPLICATE_HANDLE_OPTIONS) -> io::Result<Handle> {
        let there: HANDLE = std::ptr::without_provenance_mut(copy as usize);
        let mut here = std::ptr::null_mut();
        // SAFETY: duty: valid handles: a process that we have open and this one; a number that means nothing there makes the
        // call fail; a live local for the copy. Duty of `owned`: it was made just now.
        unsafe {
            DuplicateHandle(self.raw(), there, GetCurrentProcess(), &raw mut here, 0, 0, options);
            owned(here)
        }
    }
}

/// Brings here what a message says is in the process `pid`.
pub fn fetch_from(pid: u32, copies: impl Iterator<Item = u64>) -> io::Result<Vec<Handle>> {
    let known = [PARENT.get(), FIRST.get()].into_iter().flatten().find(|peer| peer.pid == pid);
    let opened;
    let peer = if let Some(known) = known {
        known
    } else {
        opened = Peer::open(pid)?;
        &opened
    };
    let mut deposits = None;
    copies
        .map(|copy| match copy >> 32 {
            // It is not written down: put into this process, say.
            0 => peer.fetch(copy),
            _ => match deposits.get_or_insert_with(|| Deposits::with(peer)) {
                Some(deposits) => deposits.fetch(peer, copy),
                None => peer.copy(copy & u64::from(u32::MAX)),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::bell::Bell;
    use super::*;

    #[test]
    fn a_lineage_is_read_as_it_was_written() {
        let word = word_for_child();
        let lineage = Lineage::parse(&word).unwrap();
        let ourselves = std::process::id();
        assert_eq!(lineage, Lineage { parent: ourselves, first: ourselves, token: token() });
        for wrong in ["", "1.2", "1.2.3.4", "1.x.3", "123456789.1.1"] {
            assert_eq!(Lineage::parse(wrong), None);
        }
    }

    #[test]
    fn a_handle_that_was_given_is_fetched() {
        let bell = Bell::new().unwrap();
        let given = keeper().give(&[bell.handle()]).unwrap();
        let copy = fetch_from(keeper().pid(), given.into_iter()).unwrap().pop().unwrap();
        Bell::from_handle(copy).ring();
        assert!(bell.clear());
    }
}
