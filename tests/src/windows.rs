//! What a process has and does, as Windows tells.

use crate::Signal;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::Command;
use std::time::Duration;
use windows_sys::Win32::Foundation::{CloseHandle, FILETIME, HANDLE, WAIT_TIMEOUT};
use windows_sys::Win32::Storage::FileSystem::WriteFile;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::IO::{GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_MAPPED, MEMORY_BASIC_INFORMATION, PAGE_READWRITE, VirtualQuery,
};
use windows_sys::Win32::System::Pipes::{GetNamedPipeInfo, PIPE_TYPE_MESSAGE};
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    CreateEventW, GetCurrentProcess, GetCurrentThreadId, GetProcessHandleCount, GetProcessTimes,
    GetThreadTimes, OpenProcess, OpenThread, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SUSPEND_RESUME,
    PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, THREAD_QUERY_LIMITED_INFORMATION, TerminateProcess,
    WaitForSingleObject,
};

// SAFETY: duty: the system has these functions with these signatures.
#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtSuspendProcess(process: HANDLE) -> i32;
    fn NtResumeProcess(process: HANDLE) -> i32;
}

/// How many handles this process has open.
pub fn descriptors() -> usize {
    let mut count = 0;
    // SAFETY: duty: a valid pointer: a live local.
    unsafe { GetProcessHandleCount(GetCurrentProcess(), &raw mut count) };
    count as usize
}

/// How many threads this process has.
pub fn threads() -> usize {
    let ourselves = processes().into_iter().find(|process| process.th32ProcessID == std::process::id());
    ourselves.map_or(0, |process| process.cntThreads as usize)
}

/// Mappings are not counted: each has a handle.
pub fn mappings() -> usize {
    0
}

/// Where this process can write to memory that it shares with others.
#[must_use]
pub fn shared_memory() -> Vec<Range<usize>> {
    let (mut regions, mut at) = (Vec::new(), 0);
    let mut found = MEMORY_BASIC_INFORMATION::default();
    // SAFETY: duty: a valid pointer: a live local of the length that is named. The address is only looked up.
    while unsafe {
        let size = size_of::<MEMORY_BASIC_INFORMATION>();
        VirtualQuery(std::ptr::without_provenance(at), &raw mut found, size) != 0
    } {
        let start = found.BaseAddress.addr();
        at = start + found.RegionSize;
        if (found.State, found.Type, found.Protect) == (MEM_COMMIT, MEM_MAPPED, PAGE_READWRITE) {
            regions.push(start..at);
        }
    }
    regions
}

/// Handles above this number are left alone by what turns on its own process.
const HANDLES_MAX: usize = 4096;

/// Every number that a handle can have.
fn numbers() -> impl Iterator<Item = HANDLE> {
    (4..HANDLES_MAX).step_by(4).map(std::ptr::without_provenance_mut)
}

/// What comes before the bytes of a message of mp's in a pipe: whose handles come along, and how many.
pub const MESSAGE_HEAD: &[u8] = &[0; 8];

/// Writes these bytes, as one message, into every pipe of this process that keeps the borders of messages: the other end
/// of each is one of mp's.
pub fn say_to_all(bytes: &[u8]) {
    for handle in numbers() {
        let (mut kind, null) = (0, std::ptr::null_mut());
        // SAFETY: duty: valid pointers: a live local, and null where nothing is asked for. A number that is no pipe, or
        // nothing, is refused.
        let done = unsafe { GetNamedPipeInfo(handle, &raw mut kind, null, null, null) };
        if done != 0 && kind & PIPE_TYPE_MESSAGE != 0 {
            say(handle, bytes);
        }
    }
}

fn say(pipe: HANDLE, bytes: &[u8]) {
    let (mut state, mut count) = (OVERLAPPED::default(), 0);
    // SAFETY: duty: valid pointers: the bytes and live locals; the second call returns when the system is done with them. The
    // pipe is one that a worker keeps for life.
    unsafe {
        state.hEvent = CreateEventW(std::ptr::null(), 1, 0, std::ptr::null());
        let _done = OwnedHandle::from_raw_handle(state.hEvent);
        WriteFile(pipe, bytes.as_ptr(), bytes.len() as u32, std::ptr::null_mut(), &raw mut state);
        GetOverlappedResult(pipe, &raw const state, &raw mut count, 1);
    }
}

/// Closes all handles of this process.
pub fn close_everything() {
    for handle in numbers() {
        // SAFETY: none is kept: others own these handles, which is the point.
        unsafe { CloseHandle(handle) };
    }
}

/// Names go away with their last handle.
pub fn names() -> BTreeSet<String> {
    BTreeSet::new()
}

/// The living children of a process.
#[must_use]
pub fn living_children(parent: u32) -> BTreeSet<u32> {
    let children = processes().into_iter().filter(|process| process.th32ParentProcessID == parent);
    children.map(|process| process.th32ProcessID).filter(|pid| lives(*pid)).collect()
}

/// Whether a process lives.
#[must_use]
pub fn lives(pid: u32) -> bool {
    // SAFETY: duty: an open handle: just opened.
    open(pid, PROCESS_SYNCHRONIZE)
        .is_ok_and(|process| unsafe { WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_TIMEOUT })
}

/// Does to a process what a signal does elsewhere.
///
/// # Errors
/// When there is none with this number.
pub fn send(pid: u32, signal: Signal) -> io::Result<()> {
    let process = open(pid, PROCESS_TERMINATE | PROCESS_SUSPEND_RESUME)?;
    let process = process.as_raw_handle();
    // SAFETY: duty: an open handle: just opened.
    let done = unsafe {
        match signal {
            Signal::Kill | Signal::Terminate | Signal::User => TerminateProcess(process, TERMINATED) != 0,
            Signal::Segfault => TerminateProcess(process, SEGFAULT) != 0,
            Signal::Abort => TerminateProcess(process, ABORT) != 0,
            Signal::Stop => NtSuspendProcess(process) >= 0,
            Signal::Continue => NtResumeProcess(process) >= 0,
        }
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How much memory of this process is in use, in bytes.
#[must_use]
pub fn resident() -> u64 {
    let mut counters = PROCESS_MEMORY_COUNTERS::default();
    // SAFETY: duty: a valid pointer: a live local of the length that is named.
    unsafe {
        let len = size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
        K32GetProcessMemoryInfo(GetCurrentProcess(), &raw mut counters, len);
    }
    counters.WorkingSetSize as u64
}

/// A program that does nothing for a long time.
#[must_use]
pub fn sleeper() -> Command {
    let mut command = Command::new("ping");
    command.args(["-n", "1000", "127.0.0.1"]).stdout(std::process::Stdio::null());
    command
}

/// Has what `command` starts be in a process group of its own.
pub fn own_group(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

/// A program that carries a mark, as all do that come from it: a copy with a name of its own.
///
/// # Panics
/// When it cannot be copied.
#[must_use]
pub fn marked(program: &str, mark: &str) -> Command {
    let copy = std::env::temp_dir().join(file_of(mark));
    std::fs::copy(program, &copy).expect("room for a copy");
    Command::new(copy)
}

/// Whether this is Wine, where the start of a process takes tens of milliseconds and each call of the system goes to a server:
/// long tests take smaller numbers there.
#[must_use]
pub fn is_wine() -> bool {
    // SAFETY: duty: valid pointers: names that end in NUL. What is found is not called.
    unsafe {
        let ntdll = GetModuleHandleA(c"ntdll.dll".as_ptr().cast());
        !ntdll.is_null() && GetProcAddress(ntdll, c"wine_get_version".as_ptr().cast()).is_some()
    }
}

/// Whether an emulator runs this program: Wine is none.
#[must_use]
pub fn is_emulated() -> bool {
    false
}

/// The living processes with this mark. When there are none, the copy is removed.
#[must_use]
pub fn family(mark: &str) -> BTreeSet<u32> {
    let file = file_of(mark);
    let is_ours = |process: &PROCESSENTRY32W| {
        let name = process.szExeFile.iter().take_while(|unit| **unit != 0);
        name.copied().eq(file.encode_utf16())
    };
    let pids = processes().into_iter().filter(is_ours).map(|process| process.th32ProcessID);
    let family: BTreeSet<u32> = pids.filter(|pid| lives(*pid)).collect();
    if family.is_empty() {
        // It is still there while a process is being taken apart.
        let _ = std::fs::remove_file(std::env::temp_dir().join(file));
    }
    family
}

fn file_of(mark: &str) -> String {
    format!("mp-family-{mark}.exe")
}

/// The number of this thread.
#[must_use]
pub fn this_thread() -> u32 {
    // SAFETY: duty: none, the call takes nothing.
    unsafe { GetCurrentThreadId() }
}

/// Whether a thread sleeps, of whichever process. Nobody tells: one that uses no processor for some ticks of the clock is
/// taken to sleep.
#[must_use]
pub fn is_asleep(thread: u32) -> bool {
    const TICKS: Duration = Duration::from_millis(35);
    let used = || {
        let mut times = [FILETIME::default(); 4];
        let [start, end, kernel, user] = &mut times;
        // SAFETY: duty: nobody else owns the handle: just opened; valid pointers: live locals.
        let done = unsafe {
            let thread = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, 0, thread);
            if thread.is_null() {
                return None;
            }
            let thread = OwnedHandle::from_raw_handle(thread);
            GetThreadTimes(thread.as_raw_handle(), start, end, kernel, user)
        };
        (done != 0).then_some((kernel.dwLowDateTime, user.dwLowDateTime))
    };
    let before = used();
    std::thread::sleep(TICKS);
    before.is_some() && before == used()
}

/// Whether a process is using its processor: for more than 30 ms so far.
#[must_use]
pub fn runs(pid: u32) -> bool {
    let mut times = [FILETIME::default(); 4];
    let [start, end, kernel, user] = &mut times;
    // SAFETY: duty: an open handle: just opened; valid pointers: live locals.
    let done = open(pid, PROCESS_QUERY_LIMITED_INFORMATION).is_ok_and(|process| unsafe {
        GetProcessTimes(process.as_raw_handle(), start, end, kernel, user) != 0
    });
    done && user.dwLowDateTime > 300_000
}

/// What mp ends processes with.
const TERMINATED: u32 = 0x10000;

/// An access violation.
const SEGFAULT: u32 = 0xc000_0005;

/// What `abort` ends with.
const ABORT: u32 = 0xc000_0409;

/// Whether a process ended with the code that stands for a signal here.
#[must_use]
pub fn died_of(status: mp::ExitStatus, name: &str) -> bool {
    let code = match name {
        "SIGABRT" => ABORT,
        "SIGSEGV" => SEGFAULT,
        "SIGILL" => 0xc000_001d,
        "SIGKILL" | "SIGTERM" => TERMINATED,
        "SIGINT" => 0xc000_013a,
        _ => return false,
    };
    status.code() == Some(code.cast_signed())
        // An overflow of the stack has a code of its own.
        || name == "SIGSEGV" && status.code() == Some(0xc000_00fd_u32.cast_signed())
}

/// A name that is no text.
#[must_use]
pub fn no_text() -> OsString {
    OsString::from_wide(&[u16::from(b'a'), 0xd800])
}

/// Nobody knows.
pub fn where_threads_are() -> String {
    format!("  {} threads", threads())
}

fn open(pid: u32, rights: u32) -> io::Result<OwnedHandle> {
    // SAFETY: duty: nobody else owns the handle: just opened.
    unsafe {
        let process = OpenProcess(rights, 0, pid);
        if process.is_null() {
            Err(io::Error::last_os_error())
        } else {
            Ok(OwnedHandle::from_raw_handle(process))
        }
    }
}

fn processes() -> Vec<PROCESSENTRY32W> {
    let mut found = Vec::new();
    let mut entry =
        PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..PROCESSENTRY32W::default() };
    // SAFETY: duty: valid pointers: a live local that knows its size; nobody else owns the snapshot: just made.
    unsafe {
        let snapshot = OwnedHandle::from_raw_handle(CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0));
        let mut more = Process32FirstW(snapshot.as_raw_handle(), &raw mut entry);
        while more != 0 {
            found.push(entry);
            more = Process32NextW(snapshot.as_raw_handle(), &raw mut entry);
        }
    }
    found
}
