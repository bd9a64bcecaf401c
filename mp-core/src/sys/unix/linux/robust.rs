//! A lock between processes that the kernel hands on when its holder is killed.

#![allow(unsafe_code)] // pthread's robust mutex

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A lock in shared memory. The kernel knows who holds it, so a holder that is killed at any instruction leaves it to the
/// next one, who is told.
#[repr(transparent)]
pub struct RobustMutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: duty: usable from any thread: a process-shared mutex is made for that; its bytes are reached by pthread only.
unsafe impl Send for RobustMutex {}
// SAFETY: duty: shared use from several threads. As for `Send`.
unsafe impl Sync for RobustMutex {}

/// What came of locking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Locked {
    /// It is ours.
    Clean,
    /// It is ours, and who held it before died with it: call [`RobustMutex::make_consistent`].
    OwnerDied,
    /// It is not ours: somebody held it all the time.
    TimedOut,
}

/// The kernel's clock for this lock is the one people change: it is looked at again after this long.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl RobustMutex {
    /// Makes an unlocked one.
    ///
    /// # Safety
    /// `place` must be valid for writes and aligned, nobody may use it yet, and it stays there while it is used.
    pub unsafe fn init(place: *mut Self) -> io::Result<()> {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        // SAFETY: duty: each call gets a pointer to what it makes or uses: the attributes live in this frame and are
        // made first; the mutex is the caller's by the contract.
        unsafe {
            check(libc::pthread_mutexattr_init(attributes.as_mut_ptr()))?;
            check(libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED))?;
            check(libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST))?;
            check(libc::pthread_mutexattr_settype(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ERRORCHECK))?;
            check(libc::pthread_mutex_init(place.cast(), attributes.as_ptr()))
        }
    }

    /// Takes it; waits at most `timeout`, and zero looks once.
    ///
    /// # Errors
    /// [`io::ErrorKind::Deadlock`] when this thread holds it.
    ///
    /// # Blocking and death
    /// A holder that is killed hands it on.
    #[allow(clippy::cast_lossless, reason = "the type of a `timespec`'s field differs between targets")]
    pub fn lock(&self, timeout: Option<Duration>) -> io::Result<Locked> {
        let Some(timeout) = timeout else {
            // SAFETY: duty: an initialised mutex: `init`, by whoever made the memory, before it was shared.
            return outcome(unsafe { libc::pthread_mutex_lock(self.0.get()) });
        };
        let deadline = Instant::now().checked_add(timeout);
        let mut locked = self.try_lock()?;
        while locked == Locked::TimedOut {
            let rest =
                deadline.map_or(LOOK_AGAIN, |deadline| deadline.saturating_duration_since(Instant::now()));
            if rest.is_zero() {
                break;
            }
            let until = SystemTime::now() + rest.min(LOOK_AGAIN);
            let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
            let mut time = MaybeUninit::<libc::timespec>::zeroed();
            // SAFETY: duty: all-zero bytes are a `timespec`, and the pointers are to it and to an initialised mutex.
            locked = outcome(unsafe {
                let time = time.assume_init_mut();
                time.tv_sec = libc::time_t::try_from(until.as_secs()).unwrap_or(libc::time_t::MAX);
                time.tv_nsec = until.subsec_nanos() as _;
                libc::pthread_mutex_timedlock(self.0.get(), time)
            })?;
        }
        Ok(locked)
    }

    /// Takes it if nobody holds it.
    pub fn try_lock(&self) -> io::Result<Locked> {
        // SAFETY: duty: an initialised mutex, as in `lock`.
        outcome(unsafe { libc::pthread_mutex_trylock(self.0.get()) })
    }

    /// Lets it go. One that is not ours stays as it is.
    pub fn unlock(&self) {
        // SAFETY: duty: an initialised mutex, as in `lock`; it checks who calls.
        let _ = unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }

    /// Says that what it protects is in order again after [`Locked::OwnerDied`].
    pub fn make_consistent(&self) {
        // SAFETY: duty: an initialised mutex, as in `lock`; it checks who calls.
        let _ = unsafe { libc::pthread_mutex_consistent(self.0.get()) };
    }
}

fn outcome(code: libc::c_int) -> io::Result<Locked> {
    match code {
        0 => Ok(Locked::Clean),
        libc::EOWNERDEAD => Ok(Locked::OwnerDied),
        libc::ETIMEDOUT | libc::EBUSY => Ok(Locked::TimedOut),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

fn check(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}
