//! The argument vector as the kernel laid it on the stack.
//!
//! ```text
//!  start of stack ─► argc │ argv[0] .. argv[argc-1] │ NULL │ envp .. │ NULL │ auxv
//! ```
//!
//! glibc hands the vector to constructors. musl does not, and `environ` (which lies right behind it) moves with the first
//! `setenv`: there `/proc/self/stat` names the start of the stack, which works before `main` as well.

#![allow(unsafe_code)] // a constructor, and one null written into the argument vector

use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
#[cfg(target_env = "gnu")]
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// This process's arguments, also where std does not know them yet (musl, before `main`).
pub fn arguments() -> Vec<OsString> {
    let known: Vec<_> = std::env::args_os().collect();
    if known.is_empty() { recorded().unwrap_or_default() } else { known }
}

/// Removes the last argument from the vector if it is `expected`; whether it was.
///
/// std walks the vector up to the first null each time it is asked, so it never shows that argument again. What `ps`
/// shows stays.
pub fn remove_last(expected: &OsStr) -> io::Result<bool> {
    if let Some((argv, last)) = passed().and_then(|(argv, argc)| Some((argv, argc.checked_sub(1)?))) {
        // SAFETY: duty: in bounds, a terminated string, and writable: it is the vector that the C library has from the
        // kernel, with as many entries, which C lets a program change. Duty: nobody reads it at this moment: `entry` is
        // called before threads exist, by the contract of `hide_marker`.
        unsafe {
            let entry = argv.add(last).read_volatile();
            let is_expected = !entry.is_null() && CStr::from_ptr(entry).to_bytes() == expected.as_bytes();
            if is_expected {
                argv.add(last).write_volatile(std::ptr::null());
            }
            return Ok(is_expected);
        }
    }
    let recorded = recorded()?;
    let Some(last) = recorded.len().checked_sub(1) else { return Ok(false) };
    if recorded[last] != expected {
        return Ok(false);
    }
    let argv = vector(&recorded)?;
    // SAFETY: duty: in bounds and writable: `vector` has checked that `argv[..recorded.len()]` is the argument vector,
    // which C lets a program change. Duty: nobody reads it at this moment: `entry` is called before threads exist, by
    // the contract of `hide_marker`.
    unsafe { argv.add(last).write_volatile(std::ptr::null()) };
    Ok(true)
}

/// The vector and its length, where the C library hands them to constructors: which takes no look at `/proc`.
#[cfg(target_env = "gnu")]
fn passed() -> Option<(*mut *const libc::c_char, usize)> {
    let (argv, argc) = (ARGV.load(Relaxed), ARGC.load(Relaxed));
    (!argv.is_null()).then_some((argv, argc))
}

#[cfg(not(target_env = "gnu"))]
fn passed() -> Option<(*mut *const libc::c_char, usize)> {
    None
}

/// What [`note`] was told. PAIR: nobody: it runs before there are threads.
#[cfg(target_env = "gnu")]
static ARGV: AtomicPtr<*const libc::c_char> = AtomicPtr::new(std::ptr::null_mut());
#[cfg(target_env = "gnu")]
static ARGC: AtomicUsize = AtomicUsize::new(0);

#[cfg(target_env = "gnu")]
extern "C" fn note(argc: libc::c_int, argv: *mut *const libc::c_char, _: *const *const libc::c_char) {
    ARGC.store(usize::try_from(argc).unwrap_or(0), Relaxed);
    ARGV.store(argv, Relaxed);
}

// SAFETY: duty: what runs there is a function of the signature that glibc calls constructors with, and touches nothing that
// is set up before `main`.
#[cfg(target_env = "gnu")]
#[used]
#[unsafe(link_section = ".init_array.00700")]
static NOTE: extern "C" fn(libc::c_int, *mut *const libc::c_char, *const *const libc::c_char) = note;

/// The arguments as the kernel recorded them at exec.
fn recorded() -> io::Result<Vec<OsString>> {
    let text = std::fs::read("/proc/self/cmdline")?;
    let text = text.strip_suffix(b"\0").unwrap_or(&text);
    Ok(text.split(|byte| *byte == 0).map(|one| OsString::from_vec(one.to_vec())).collect())
}

/// Where the stack of the main thread starts, from which it grows down.
pub fn start_of_stack() -> io::Result<usize> {
    let [start] = stat([START_OF_STACK])?;
    if start == 0 { Err(elsewhere()) } else { Ok(start) }
}

const START_OF_STACK: usize = 28;

/// Fields of `/proc/self/stat`, by their number in proc(5); those that cannot be read are 0.
fn stat<const N: usize>(numbers: [usize; N]) -> io::Result<[usize; N]> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // Counted from the state, the 3rd, which follows the last parenthesis.
    let fields: Vec<_> = stat[stat.rfind(')').map_or(0, |end| end + 1)..].split_ascii_whitespace().collect();
    Ok(numbers.map(|number| fields.get(number - 3).and_then(|text| text.parse::<usize>().ok()).unwrap_or(0)))
}

/// The argument vector, compared entry by entry with what the kernel recorded.
///
/// # Errors
/// When it is not where the kernel puts it: a loader called by hand moves it, as do some emulators.
fn vector(recorded: &[OsString]) -> io::Result<*mut *const libc::c_char> {
    let [stack, start, end] = stat([START_OF_STACK, 48, 49])?;
    let strings = start..end;
    if stack == 0 || stack % align_of::<usize>() != 0 || strings.is_empty() {
        return Err(elsewhere());
    }
    let argc = std::ptr::with_exposed_provenance::<libc::c_long>(stack);
    // SAFETY: duty: a readable, aligned word: the kernel names the word it started this process with, on a stack that
    // is mapped as long as the process lives; alignment is checked above.
    if usize::try_from(unsafe { argc.read_volatile() }) != Ok(recorded.len()) {
        return Err(elsewhere());
    }
    let argv = std::ptr::with_exposed_provenance_mut::<*const libc::c_char>(stack + size_of::<usize>());
    for (index, expected) in recorded.iter().enumerate() {
        // SAFETY: duty: in bounds: the count that precedes the vector is the number of arguments, checked above.
        let entry = unsafe { argv.add(index).read_volatile() };
        if !strings.contains(&entry.addr()) {
            return Err(elsewhere());
        }
        // SAFETY: duty: a terminated string: it lies in the area of the argument strings, which the kernel ends with
        // the terminator of the last one.
        if unsafe { CStr::from_ptr(entry) }.to_bytes() != expected.as_bytes() {
            return Err(elsewhere());
        }
    }
    Ok(argv)
}

fn elsewhere() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the argument vector is not where the kernel puts it")
}
