//! The sleep word: who waits for the other side, and whether a wake-up is owed.
//!
//! ```text
//!  consumer  spin a little? ─► asleep = 1 ─► fence ─► test again ─► futex wait
//!  producer  publish ──────────────────────► fence ─► asleep? swap it to 0 ─► wake
//! ```
//! The two fences order each side's write before its look at the other's: at least one of them sees the other, so a
//! sleeper with something to do is always woken, and a wake-up (a system call) is paid only when somebody sleeps.
//!
//! | `asleep` | by | goes to | when |
//! |---|---|---|---|
//! | 0 awake | consumer | 1 | it is about to sleep |
//! | 1 asleep | producer | 0 | it published and owes the wake-up |
//! | 1 asleep | consumer | 0 | it found something to do at the second test, timed out, or woke for no reason |
//!
//! `cpu` is one more than the number of the CPU its owner last waited or woke the other side on, 0 before that. All-zero bytes are a
//! valid word. A side that is killed leaves at worst one wake-up too many.

use super::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
    fence,
};
use crate::sys::cpu;
use std::time::{Duration, Instant};

/// The longest spin. Waking a sleeper on another CPU takes 25 to 50 µs: spinning longer than about that never pays.
pub const SPIN: Duration = Duration::from_micros(20);

/// A wait up to this length is a short one: a futex wake-up and a short task of the partner fit into it, so that who
/// has once stopped to spin comes back to it.
const SHORT: Duration = Duration::from_micros(150);

/// Looks before the clock is read for the first time: back-to-back calls end within these.
const LOOKS_UNTIMED: u32 = 64;

/// Looks between two readings of the clock and of the CPU, which together take as long as several looks.
const LOOKS_TIMED: u32 = 64;

/// Who ran instead of one that spins for so long is none of ours, which do some work and spin or sleep, and has work for ever.
const YIELD_LONG: Duration = Duration::from_millis(1);

/// After that nobody else is let run for so many times as long: it may cost a fiftieth of the time.
const YIELD_REST: u32 = 50;

/// The word its owner, the consumer, sleeps on.
#[repr(C, align(128))] // see `line` on its size
#[derive(Debug, Default)]
pub struct SleepWord {
    asleep: AtomicU32,
    cpu: AtomicU32,
    #[cfg(loom)]
    kernel: model::Kernel,
}

/// A sleep word whose owner wants to sleep through the first results and sleeps on a poller: a bell wakes it.
#[repr(C)]
#[derive(Debug, Default)]
pub struct CountedSleep {
    word: SleepWord,
    wake_at: AtomicU64,
    /// The producer waits for the owner to take something.
    held_up: AtomicU32,
}

/// What the owner of a word remembers of its recent waits. Private to one process.
#[derive(Debug, Default)]
pub struct Patience {
    /// A moving average.
    recent: Duration,
    /// Whether others may run instead of it while it spins.
    yields: bool,
    /// When they may again.
    yields_from: Option<Instant>,
}

impl SleepWord {
    /// Waits until `is_ready`, at most `timeout` (`None`: for ever); whether it is. `partner` is the word that the
    /// other side publishes its CPU in.
    ///
    /// # Blocking and death
    /// A partner that dies wakes nobody: who cannot wait for ever names a time-out or is ended from outside.
    pub fn wait(
        &self,
        partner: &Self,
        patience: &mut Patience,
        timeout: Option<Duration>,
        mut is_ready: impl FnMut() -> bool,
    ) -> bool {
        if is_ready() {
            return true;
        }
        let Err(start) = self.spin_from(partner, patience, &mut is_ready) else { return true };
        let ready = self.sleep_until(start, timeout, is_ready);
        patience.remember(start.elapsed());
        ready
    }

    /// Publishes the CPU this side runs on and spins while that promises something: the partner runs elsewhere and
    /// recent waits were short. A spin on the partner's CPU would keep it from doing what we wait for.
    pub fn spin(
        &self,
        partner: &Self,
        patience: &mut Patience,
        is_ready: impl FnMut() -> bool,
    ) -> Option<Found> {
        self.spin_from(partner, patience, is_ready).ok()
    }

    /// The same; in vain, it says when it began.
    fn spin_from(
        &self,
        partner: &Self,
        patience: &mut Patience,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<Found, Instant> {
        if !self.is_apart(partner) || !patience.expects_short() {
            return Err(Instant::now());
        }
        for _ in 0..LOOKS_UNTIMED {
            if is_ready() {
                patience.remember(Duration::ZERO);
                return Ok(Found::AtOnce);
            }
            std::hint::spin_loop();
        }
        let start = Instant::now();
        let mut spent = start.elapsed();
        while spent < SPIN && self.is_apart(partner) {
            patience.step_back(start + spent);
            for _ in 0..LOOKS_TIMED {
                if is_ready() {
                    patience.remember(start.elapsed());
                    return Ok(Found::Later);
                }
                std::hint::spin_loop();
            }
            spent = start.elapsed();
        }
        Err(start)
    }

    /// Says that the owner is about to sleep. It must test its condition once more before it does, and
    /// [`retract`](Self::retract) when it is up again.
    pub fn announce(&self) {
        // PAIR: `take_sleeper` loads it after its fence. A swap, as loom does not know that a store comes after a swap of
        // the other side that it did not see; on the way to sleep it costs nothing that counts.
        self.asleep.swap(1, Relaxed);
        fence(SeqCst);
    }

    /// Says that the owner is awake.
    pub fn retract(&self) {
        // PAIR: `take_sleeper`; a producer that still sees 1 makes one wake-up too many.
        self.asleep.store(0, Relaxed);
    }

    /// Producer, after it has published: whether the owner sleeps and this caller owes it the wake-up.
    #[inline]
    pub fn take_sleeper(&self) -> bool {
        // PAIR: the fence in `announce`: either we see the flag, or the owner's second test sees what we published.
        fence(SeqCst);
        self.asleep.load(Relaxed) != 0 && self.asleep.swap(0, SeqCst) != 0
    }

    /// Producer, after it has published: wakes the owner if it sleeps.
    #[inline]
    pub fn notify(&self) {
        if self.take_sleeper() {
            self.wake_owner();
        }
    }

    /// The same for a producer that has a word of its own, `from`, so that who is woken knows where it runs.
    #[inline]
    pub fn notify_from(&self, from: &Self) {
        if self.take_sleeper() {
            from.publish_cpu();
            self.wake_owner();
        }
    }

    /// Whether the owner would run on the CPU of this thread: it was last seen there, and does not sleep.
    #[inline]
    pub fn is_awake_here(&self) -> bool {
        // PAIR: none; a guess.
        self.cpu.load(Relaxed) == cpu::current().wrapping_add(1) && self.asleep.load(Relaxed) == 0
    }

    /// Publishes the CPU of this thread; whether the partner was last seen on another one.
    #[inline]
    fn is_apart(&self, partner: &Self) -> bool {
        let here = self.publish_cpu();
        let there = partner.cpu.load(Relaxed);
        there != 0 && there != here
    }

    /// Publishes the CPU of this thread, as the word has it.
    #[inline]
    fn publish_cpu(&self) -> u32 {
        let here = cpu::current().wrapping_add(1);
        // PAIR: the loads above. A guess that is out of date costs time, never correctness.
        if self.cpu.load(Relaxed) != here {
            self.cpu.store(here, Relaxed);
        }
        here
    }

    fn sleep_until(
        &self,
        start: Instant,
        timeout: Option<Duration>,
        mut is_ready: impl FnMut() -> bool,
    ) -> bool {
        loop {
            self.announce();
            let ready = is_ready();
            let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            if ready || left.is_some_and(|left| left.is_zero()) {
                self.retract();
                return ready;
            }
            self.sleep(left);
        }
    }

    #[cfg(not(loom))]
    fn sleep(&self, timeout: Option<Duration>) {
        crate::sys::futex::wait(&self.asleep, 1, timeout);
    }

    #[cfg(not(loom))]
    fn wake_owner(&self) {
        // One owner, so one sleeper. The word is memory of ours: there is no other way to fail.
        let _ = crate::sys::futex::wake(&self.asleep, 1);
    }
}

/// When a spin found what it waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Before it looked at the clock: a few microseconds after it began.
    AtOnce,
    /// Later.
    Later,
}

impl CountedSleep {
    /// The word by itself, for its CPU.
    pub fn word(&self) -> &SleepWord {
        &self.word
    }

    /// Says that the owner is about to sleep and cares for nothing before `wake_at` results were published in all. It
    /// must test its condition once more before it sleeps.
    pub fn announce(&self, wake_at: u64) {
        // PAIR: `take_sleeper`. A producer that still sees an older number rings too early, or not at all, but then the
        // fences say that the owner's second test sees what it published.
        self.wake_at.store(wake_at, Relaxed);
        self.word.announce();
    }

    /// Says that the owner is awake.
    pub fn retract(&self) {
        self.word.retract();
    }

    /// Producer: it can publish no more until the owner takes something, however many that sleeps for. Whether it owes the owner a
    /// ring of its bell. Until [`release`](Self::release).
    pub fn hold_up(&self) -> bool {
        // PAIR: `is_held_up`: either that sees this, behind the fence of `announce`, or we see the sleeper, behind the one of
        // `take_sleeper`.
        self.held_up.store(1, Relaxed);
        self.take_sleeper(u64::MAX)
    }

    /// Producer: it goes on.
    pub fn release(&self) {
        self.held_up.store(0, Relaxed);
    }

    /// Owner, after it has announced its sleep: whether the producer waits for it, so that there is no more to wait for.
    pub fn is_held_up(&self) -> bool {
        // PAIR: `hold_up`.
        self.held_up.load(Relaxed) != 0
    }

    /// Whether the owner seems to sleep, and to wait for no more than `published` results. It may have said something else
    /// just now without being seen.
    #[inline]
    pub fn seems_owed(&self, published: u64) -> bool {
        // PAIR: none; a hint.
        self.word.asleep.load(Relaxed) != 0 && published >= self.wake_at.load(Relaxed)
    }

    /// Producer, after it has published its result number `published`: whether it owes the owner a ring of its bell.
    #[inline]
    pub fn take_sleeper(&self, published: u64) -> bool {
        // PAIR: the fence in `SleepWord::announce`.
        fence(SeqCst);
        self.word.asleep.load(Relaxed) != 0
            && published >= self.wake_at.load(Relaxed)
            && self.word.asleep.swap(0, SeqCst) != 0
    }
}

impl Patience {
    fn expects_short(&self) -> bool {
        self.recent <= SHORT
    }

    /// Whether others run instead of it on this CPU, if they want to, while it spins: worth it for one of several on whom the partner
    /// may wait, and a loss for the only one.
    #[inline]
    pub fn let_others_run(&mut self, yes: bool) {
        self.yields = yes;
    }

    /// Lets a third one run on this CPU, who may be whom the partner waits for, unless that has just cost too much.
    fn step_back(&mut self, now: Instant) {
        if self.may_yield(now) {
            std::thread::yield_now();
            self.note_yield(now, Instant::now());
        }
    }

    fn may_yield(&self, now: Instant) -> bool {
        self.yields && self.yields_from.is_none_or(|from| now >= from)
    }

    fn note_yield(&mut self, from: Instant, until: Instant) {
        let took = until - from;
        if took >= YIELD_LONG {
            self.yields_from = Some(until + took * YIELD_REST);
        }
    }

    /// A wait that was not spun through took so long.
    pub fn remember(&mut self, wait: Duration) {
        // Cut, so that after a long pause a few short waits are enough to spin again.
        self.recent = self.recent * 3 / 4 + wait.min(SHORT * 8) / 4;
    }
}

#[cfg(loom)]
mod model {
    //! The kernel's side of a futex: it compares and goes to sleep in one step.

    use super::{Duration, Relaxed, SleepWord};
    use loom::sync::{Condvar, Mutex};

    #[derive(Debug, Default)]
    pub(super) struct Kernel {
        queue: Mutex<()>,
        sleepers: Condvar,
    }

    impl SleepWord {
        pub(super) fn sleep(&self, _: Option<Duration>) {
            let queue = self.kernel.queue.lock().expect("models do not panic under it");
            if self.asleep.load(Relaxed) == 1 {
                drop(self.kernel.sleepers.wait(queue));
            }
        }

        pub(super) fn wake_owner(&self) {
            // Who sees 1 is in the queue before the lock is free. The wake-up is outside of it: the release of loom's mutex
            // makes a thread forget the wake-up that it was given before it slept.
            drop(self.kernel.queue.lock().expect("models do not panic under it"));
            self.kernel.sleepers.notify_all();
        }
    }
}

#[cfg(test)]
#[path = "sleep_tests.rs"]
mod tests;
