//! Sleeping on a word in shared memory.
//!
//! `WaitOnAddress` does not reach over process borders, so a sleeper writes down on the back page of the memory which word
//! it sleeps on ([`super::lot`]), and sleeps on an event of its thread; wakers open that by its name.
//!
//! ```text
//!  sleeper  enter the lot ──► word as expected? ──► wait for the event of this thread ──► leave the lot
//!  waker    change the word ─► a sleeper of it? take it out ─► set the event of its thread
//! ```

#![allow(unsafe_code)] // events, WaitOnAddress

use super::call::{millis, number, owned, signal, wide};
use super::{BorrowedHandle, Handle, borrow, family, view};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, fence};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;
use windows_sys::Win32::System::Threading::{
    CreateEventW, EVENT_MODIFY_STATE, GetCurrentThreadId, OpenEventW, WaitForMultipleObjects, WaitOnAddress,
    WakeByAddressAll, WakeByAddressSingle,
};

/// How long one sleeps at a time who cannot be woken: there was no slot, or no event.
const NAP: Duration = Duration::from_millis(1);

/// Events of other threads that are kept open.
const KNOWN_MAX: usize = 1024;

thread_local! {
    /// The event that this thread sleeps on, and the number of the thread.
    static BED: Option<(Handle, u32)> = make_bed();
}

/// The events of other threads that were woken before.
static KNOWN: LazyLock<Mutex<HashMap<u32, Handle>>> = LazyLock::new(Mutex::default);

/// Sleeps while `word` holds `expected`, at most `timeout`. Returns early for many reasons: the caller tests its condition
/// and comes back.
///
/// # Blocking and death
/// A sleeper that is killed takes one wake-up along that was meant for another one of its word.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    wait_beside(word, expected, timeout, None);
}

/// The same, and returns when `other` is signalled.
pub(super) fn wait_beside(
    word: &AtomicU32,
    expected: u32,
    timeout: Option<Duration>,
    other: Option<BorrowedHandle<'_>>,
) {
    let nap = || std::thread::sleep(timeout.map_or(NAP, |timeout| timeout.min(NAP)));
    let Some((back, number_of_word)) = view::find(word) else { return wait_alone(word, expected, timeout) };
    // A thread that is ending has no bed any more.
    let slept = BED.try_with(|bed| {
        let (event, thread) = bed.as_ref()?;
        let _place = back.lot.enter(number_of_word, *thread)?;
        // PAIR: `wake`: its caller has changed the word before.
        if word.load(SeqCst) == expected {
            let handles = [number(borrow(event)), other.map_or(std::ptr::null_mut(), number)];
            let count = if other.is_some() { 2 } else { 1 };
            // SAFETY: duty: open handles, as many as are named: ours, and one that the caller lends.
            unsafe { WaitForMultipleObjects(count, handles.as_ptr(), 0, millis(timeout)) };
        }
        Some(())
    });
    if slept.ok().flatten().is_none() && word.load(SeqCst) == expected {
        nap();
    }
}

/// Wakes up to `count` sleepers on `word`; returns how many there were.
#[allow(clippy::unnecessary_wraps)] // the signature is that of systems where it can fail
pub fn wake(word: &AtomicU32, count: u32) -> io::Result<usize> {
    // PAIR: `Lot::enter`, whose caller looks at the word after it: it sees the change, or we see it.
    fence(SeqCst);
    let Some((back, number_of_word)) = view::find(word) else { return Ok(wake_alone(word, count)) };
    let mut woken = 0;
    while woken < count as usize {
        let Some(thread) = back.lot.take_out(number_of_word) else { break };
        woken += usize::from(set_event_of(thread));
    }
    Ok(woken)
}

/// For words that no other process sees.
fn wait_alone(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    // SAFETY: duty: valid pointers to four bytes each: a live word and a live local.
    unsafe {
        WaitOnAddress(std::ptr::from_ref(word).cast(), (&raw const expected).cast(), 4, millis(timeout));
    }
}

fn wake_alone(word: &AtomicU32, count: u32) -> usize {
    let wake = if count == 1 { WakeByAddressSingle } else { WakeByAddressAll };
    // SAFETY: duty: none: the address is only compared.
    unsafe { wake(std::ptr::from_ref(word).cast()) };
    // The system does not tell.
    0
}

fn make_bed() -> Option<(Handle, u32)> {
    // SAFETY: duty: none, the call takes nothing.
    let thread = unsafe { GetCurrentThreadId() };
    // SAFETY: duty: valid pointers: null is the default, the name ends in NUL. Duty of `owned`: it was made just now.
    let event = unsafe { owned(CreateEventW(std::ptr::null(), 0, 0, name_of(thread).as_ptr())) };
    Some((event.ok()?, thread))
}

/// Whether it is there.
fn set_event_of(thread: u32) -> bool {
    // Nothing that panics runs under this lock.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if !known.contains_key(&thread) {
        // SAFETY: duty: a valid pointer: the name ends in NUL. Duty of `owned`: it was made just now.
        let event = unsafe { owned(OpenEventW(EVENT_MODIFY_STATE, 0, name_of(thread).as_ptr())) };
        let Ok(event) = event else { return false };
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(thread, event);
    }
    // The next thread with this number finds the event that is kept open here: the number names the same event for ever.
    known.get(&thread).map(|event| signal(borrow(event))).is_some()
}

fn name_of(thread: u32) -> Vec<u16> {
    wide(&format!("Local\\mp.{:016x}.{thread:x}", family::token()))
}

#[cfg(test)]
mod tests {
    use super::super::memory::{Access, Mapping, Memory};
    use super::*;

    #[allow(clippy::cast_ptr_alignment)] // a page is aligned enough
    fn word_in(mapping: &Mapping) -> &AtomicU32 {
        // SAFETY: duty: in bounds, aligned, alive: the start of a mapping, which is borrowed; shareable: an atomic.
        unsafe { &*mapping.ptr().cast() }
    }

    fn wakes(word: &AtomicU32) {
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                while word.load(SeqCst) == 0 {
                    wait(word, 0, None);
                }
            });
            word.store(1, SeqCst);
            wake(word, 1).unwrap();
            sleeper.join().unwrap();
        });
    }

    #[test]
    fn a_sleeper_is_woken_wherever_the_word_lies() {
        let memory = Memory::create("test", 100).unwrap();
        for _ in 0..100 {
            wakes(&AtomicU32::new(0));
            let mapping = Mapping::map(&memory, Access::ReadWrite).unwrap();
            let word = word_in(&mapping);
            word.store(0, SeqCst);
            wakes(word);
        }
    }

    #[test]
    fn a_changed_word_and_a_time_out_end_the_sleep() {
        let memory = Memory::create("test", 100).unwrap();
        let mapping = Mapping::map(&memory, Access::ReadWrite).unwrap();
        let word = word_in(&mapping);
        wait(word, 1, None);
        wait(word, 0, Some(Duration::from_millis(2)));
        assert_eq!(wake(word, 1).unwrap(), 0, "it has left the lot");
    }
}
