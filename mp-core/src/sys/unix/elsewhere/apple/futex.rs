//! Sleeping on a word in shared memory: `os_sync_wait_on_address` (macOS 14.4). Where it is missing, naps: whoever is to be
//! woken looks by itself, up to a millisecond late.

#![allow(unsafe_code)] // functions that are looked up by name

use super::{naps, symbol};
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

type WaitFor = unsafe extern "C" fn(*mut libc::c_void, u64, usize, u32, u32, u64) -> libc::c_int;
type Wake = unsafe extern "C" fn(*mut libc::c_void, usize, u32) -> libc::c_int;

/// The functions of `os/os_sync_wait_on_address.h`.
#[derive(Clone, Copy)]
struct Calls {
    wait_for: WaitFor,
    wake_any: Wake,
    wake_all: Wake,
}

/// `OS_SYNC_WAIT_ON_ADDRESS_SHARED` and `OS_SYNC_WAKE_BY_ADDRESS_SHARED`: the word lies in memory of several processes.
const SHARED: u32 = 1;

/// `OS_CLOCK_MACH_ABSOLUTE_TIME`.
const MACH_TIME: u32 = 32;

/// A wait without an end is one of this length: waits may end early.
const LONGEST: Duration = Duration::from_secs(3600);

/// Sleeps while `word` holds `expected`, at most `timeout`. Returns early for many reasons, a signal among them: the
/// caller tests its condition and comes back.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let timeout = timeout.map_or(LONGEST, |timeout| timeout.min(LONGEST));
    let Some(calls) = calls() else { return naps::wait(word, expected, Some(timeout)) };
    // The call refuses to wait for no time.
    let nanos = (timeout.as_nanos() as u64).max(1);
    // SAFETY: duty: an aligned word of this size: the borrow of it; the function has this type: it is what the system's header
    // says. All ends mean the same to the caller.
    unsafe {
        (calls.wait_for)(word.as_ptr().cast(), expected.into(), size_of::<u32>(), SHARED, MACH_TIME, nanos)
    };
}

/// Wakes up to `count` sleepers on `word`; returns how many there were, as far as the system tells.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
pub fn wake(word: &AtomicU32, count: u32) -> io::Result<usize> {
    // Who naps wakes up by itself.
    let Some(calls) = calls() else { return Ok(0) };
    let (address, size) = (word.as_ptr().cast::<libc::c_void>(), size_of::<u32>());
    if count == u32::MAX {
        // SAFETY: duty: as in `wait`.
        return Ok(usize::from(unsafe { (calls.wake_all)(address, size, SHARED) } == 0));
    }
    // SAFETY: duty: as in `wait`. It fails when nobody sleeps there.
    let woken = (0..count).take_while(|_| unsafe { (calls.wake_any)(address, size, SHARED) } == 0);
    Ok(woken.count())
}

fn calls() -> Option<Calls> {
    static CALLS: OnceLock<Option<Calls>> = OnceLock::new();
    *CALLS.get_or_init(|| {
        let wait_for = symbol::find(c"os_sync_wait_on_address_with_timeout")?;
        let wake_any = symbol::find(c"os_sync_wake_by_address_any")?;
        let wake_all = symbol::find(c"os_sync_wake_by_address_all")?;
        // SAFETY: duty: the types fit the symbols: the system's header says so, since they exist.
        unsafe {
            Some(Calls {
                wait_for: std::mem::transmute::<*mut libc::c_void, WaitFor>(wait_for.as_ptr()),
                wake_any: std::mem::transmute::<*mut libc::c_void, Wake>(wake_any.as_ptr()),
                wake_all: std::mem::transmute::<*mut libc::c_void, Wake>(wake_all.as_ptr()),
            })
        }
    })
}
