//! A lock between processes that survives its holder: the robust, process-shared mutex of pthreads.
//!
//! The kernel keeps, for each thread, a list of the robust mutexes it holds, and marks them when the thread ends, however
//! it ends. There is one such list for each thread and libc owns it, so this lock can only be libc's.

#![allow(unsafe_code)] // pthread_mutex_*: neither std nor rustix has them

use std::cell::UnsafeCell;
use std::io;
use std::time::{Duration, Instant};

/// A mutex without a value. Lies in shared memory; every process may map it at another address.
#[repr(C)]
pub struct Robust(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: duty: calls from several threads at once: kept by pthreads, whose mutexes are made for that.
unsafe impl Sync for Robust {}
// SAFETY: duty: it is tied to no thread while it is not held: kept by pthreads; who holds it is the caller's to keep.
unsafe impl Send for Robust {}

/// How a lock was got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// As it should be.
    Clean,
    /// The thread that held it ended. Until [`Robust::mark_consistent`] is called, an unlock makes it unusable for ever.
    OwnerDied,
}

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// It is held by this thread now.
    Taken(Taken),
    /// Another thread holds it.
    Busy,
    /// This thread holds it already.
    Mine,
}

impl Robust {
    /// Makes a mutex out of the bytes at `place`.
    ///
    /// # Safety
    /// `place` is valid for writes and aligned, and nobody uses it yet.
    pub unsafe fn init(place: *mut Self) -> io::Result<()> {
        let mut attributes = std::mem::MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: duty: attributes are initialised before use and destroyed after: by the order of the calls. Duty: the
        // place is ours: the caller by the contract.
        unsafe {
            checked(libc::pthread_mutexattr_init(attributes))?;
            let made = checked(libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED))
                .and_then(|()| {
                    checked(libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST))
                })
                .and_then(|()| {
                    checked(libc::pthread_mutexattr_settype(attributes, libc::PTHREAD_MUTEX_ERRORCHECK))
                })
                .and_then(|()| checked(libc::pthread_mutex_init(place.cast(), attributes)));
            libc::pthread_mutexattr_destroy(attributes);
            made
        }
    }

    /// Waits for the lock. Never [`Attempt::Busy`].
    ///
    /// # Blocking and death
    /// The kernel wakes a waiter when the holder dies.
    #[inline]
    pub fn lock(&self) -> io::Result<Attempt> {
        // SAFETY: duty: an initialised mutex: whoever has a `&Robust` made it by `init`, here or in another process.
        read(unsafe { libc::pthread_mutex_lock(self.0.get()) })
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> io::Result<Attempt> {
        // SAFETY: duty: an initialised mutex, as in `lock`.
        let code = unsafe { libc::pthread_mutex_trylock(self.0.get()) };
        // Who has it, only glibc says here.
        if cfg!(not(target_env = "gnu")) && code == libc::EBUSY {
            let long_ago = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: duty: an initialised mutex, as in `lock`; the time is a local.
            return read(unsafe { libc::pthread_mutex_timedlock(self.0.get(), &raw const long_ago) });
        }
        read(code)
    }

    /// Waits for the lock until `deadline`, in monotonic time; then says [`Attempt::Busy`].
    ///
    /// # Blocking and death
    /// As [`lock`](Self::lock). Where libc lacks `pthread_mutex_clocklock` (musl, glibc before 2.30) it tries again and
    /// again, with naps of up to a millisecond: the only other timed lock goes by the clock on the wall.
    pub fn lock_until(&self, deadline: Instant) -> io::Result<Attempt> {
        let first = self.try_lock()?;
        if first != Attempt::Busy {
            return Ok(first);
        }
        match clock::lock_until(self.0.get(), deadline) {
            Some(code) => read(code),
            None => self.poll_until(deadline),
        }
    }

    /// Says that what the lock protects is in order again, after [`Taken::OwnerDied`].
    ///
    /// # Safety
    /// This thread holds the lock.
    pub unsafe fn mark_consistent(&self) -> io::Result<()> {
        // SAFETY: duty: held by this thread: the caller by the contract.
        checked(unsafe { libc::pthread_mutex_consistent(self.0.get()) })
    }

    /// Gives the lock back.
    ///
    /// # Safety
    /// This thread holds the lock.
    #[inline]
    pub unsafe fn unlock(&self) {
        // SAFETY: duty: held by this thread: the caller by the contract. So it cannot fail.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }

    fn poll_until(&self, deadline: Instant) -> io::Result<Attempt> {
        const NAP_MAX: Duration = Duration::from_millis(1);
        let mut nap = Duration::from_micros(20);
        loop {
            let attempt = self.try_lock()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if attempt != Attempt::Busy || left.is_zero() {
                return Ok(attempt);
            }
            std::thread::sleep(nap.min(left));
            nap = (nap * 2).min(NAP_MAX);
        }
    }
}

#[inline]
fn read(code: libc::c_int) -> io::Result<Attempt> {
    match code {
        0 => Ok(Attempt::Taken(Taken::Clean)),
        libc::EOWNERDEAD => Ok(Attempt::Taken(Taken::OwnerDied)),
        libc::EBUSY | libc::ETIMEDOUT => Ok(Attempt::Busy),
        libc::EDEADLK => Ok(Attempt::Mine),
        other => Err(io::Error::from_raw_os_error(other)),
    }
}

fn checked(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

#[cfg(target_env = "gnu")]
mod clock {
    //! `pthread_mutex_clocklock`, if this glibc has it.

    use std::sync::OnceLock;
    use std::time::Instant;

    type ClockLock = unsafe extern "C" fn(
        *mut libc::pthread_mutex_t,
        libc::clockid_t,
        *const libc::timespec,
    ) -> libc::c_int;

    /// What `pthread_mutex_clocklock` says, if there is one.
    pub fn lock_until(mutex: *mut libc::pthread_mutex_t, deadline: Instant) -> Option<libc::c_int> {
        let clock_lock = function()?;
        let left = deadline.saturating_duration_since(Instant::now());
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        // Sums of 64 bits: `time_t` has 32 on some targets, where the furthest time has to do.
        let nanos = now.tv_nsec as i64 + i64::from(left.subsec_nanos());
        let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
        let seconds = now.tv_sec.saturating_add(seconds).saturating_add(nanos / 1_000_000_000);
        let until = libc::timespec {
            tv_sec: libc::time_t::try_from(seconds).unwrap_or(libc::time_t::MAX),
            tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
        };
        // SAFETY: duty: an initialised mutex, from a `&Robust`; the time is a local; the function has this type since it
        // exists (glibc 2.30).
        Some(unsafe { clock_lock(mutex, libc::CLOCK_MONOTONIC, &raw const until) })
    }

    fn function() -> Option<ClockLock> {
        static FOUND: OnceLock<Option<ClockLock>> = OnceLock::new();
        *FOUND.get_or_init(|| {
            // SAFETY: duty: a name that ends in NUL: a C string literal.
            let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"pthread_mutex_clocklock".as_ptr()) };
            // SAFETY: duty: the type fits the symbol: glibc's manual; null becomes None.
            unsafe { std::mem::transmute::<*mut libc::c_void, Option<ClockLock>>(address) }
        })
    }
}

#[cfg(not(target_env = "gnu"))]
mod clock {
    //! There is no `pthread_mutex_clocklock`.

    use std::time::Instant;

    pub fn lock_until(_: *mut libc::pthread_mutex_t, _: Instant) -> Option<libc::c_int> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_it_is_told_so_however_it_asks() {
        let mut place = Box::<Robust>::new_uninit();
        // SAFETY: duty: valid and unused: just made.
        unsafe { Robust::init(place.as_mut_ptr()) }.expect("a lock");
        // SAFETY: duty: a lock: just made one.
        let lock = unsafe { place.assume_init_ref() };
        let soon = || Instant::now() + Duration::from_millis(20);
        assert_eq!(lock.try_lock().expect("a lock"), Attempt::Taken(Taken::Clean));
        let asked = [lock.try_lock(), lock.lock(), lock.lock_until(soon())];
        assert_eq!(asked.map(|attempt| attempt.expect("a lock")), [Attempt::Mine; 3]);
        std::thread::scope(|scope| {
            let other =
                scope.spawn(|| [lock.try_lock(), lock.lock_until(soon())].map(|it| it.expect("a lock")));
            assert_eq!(other.join().expect("no panic"), [Attempt::Busy; 2]);
        });
        // SAFETY: duty: held by this thread: taken above.
        unsafe { lock.unlock() };
        assert_eq!(lock.try_lock().expect("a lock"), Attempt::Taken(Taken::Clean));
        // SAFETY: duty: held by this thread: just taken.
        unsafe { lock.unlock() };
    }
}
