//! What the test programs share: a watchdog and the leak gate.
//!
//! Each test runs its body in [`scenario`]: alone in its process, with a time after which the watchdog says where it hangs
//! and aborts, and with a look at what is left when it is over.

#[cfg(not(any(windows, target_os = "linux")))]
mod bsd;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(windows))]
mod signals;
#[cfg(windows)]
mod windows;

#[cfg(not(any(windows, target_os = "linux")))]
use bsd as system;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(windows)]
use windows as system;

#[cfg(not(windows))]
pub use signals::{
    MESSAGE_HEAD, close_everything, died_of, is_wine, limit_memory, own_group, say_to_all, sleeper,
};
#[cfg(any(windows, target_os = "linux"))]
pub use system::shared_memory;
#[cfg(windows)]
pub use system::{MESSAGE_HEAD, close_everything, died_of, is_wine, own_group, say_to_all, sleeper};
pub use system::{
    family, is_asleep, is_emulated, lives, living_children, marked, no_text, resident, runs, send,
    this_thread,
};

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test may take before it counts as hanging. It is not a measure of speed: a machine under load may be slow.
const WATCHDOG: Duration = Duration::from_secs(120);

/// The same for the long forms of the random tests, which `MP_ROUNDS` makes: they take as much longer, up to two hours. So they do
/// where everything is slow.
fn watchdog() -> Duration {
    let rounds = std::env::var("MP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1_u32);
    WATCHDOG * rounds.clamp(if is_slow() { 3 } else { 1 }, 60)
}

/// Whether a process takes long to start here, under Wine or an emulator: long tests take smaller numbers.
#[must_use]
pub fn is_slow() -> bool {
    is_wine() || is_emulated()
}

/// How long what a test leaves behind may take to go away by itself.
const SETTLE: Duration = Duration::from_secs(10);

/// Copies a program to where it is to be run. Another process does it: a child that somebody else starts in that moment would have the
/// file open that this one writes, and nobody can run a program that is open for that.
pub fn copy_program(from: &str, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg(from).arg(to).status();
    if !copied.is_ok_and(|status| status.success()) {
        std::fs::copy(from, to).expect("room for a copy");
    }
}

/// Runs a test alone, under the watchdog, and fails if it leaves a child, a descriptor, a thread or shared memory behind.
///
/// # Panics
/// If the body does, or if something is left.
pub fn scenario(body: impl FnOnce()) {
    let mut body = Some(body);
    alone(&mut || body.take().expect("it is called once")());
}

/// The same, compiled once and not for each test.
fn alone(body: &mut dyn FnMut()) {
    static ALONE: Mutex<()> = Mutex::new(());
    IN_LINE.fetch_add(1, Ordering::SeqCst);
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    IN_LINE.fetch_sub(1, Ordering::SeqCst);
    warm_up();
    let before = Footprint::now();
    watched(body);
    let deadline = Instant::now() + SETTLE;
    loop {
        let left = Footprint::now().beyond(&before);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left behind:\n{}", left.join("\n"));
        thread::yield_now();
    }
}

/// How many threads this process has but for those of the test harness, which come while we count.
fn threads() -> usize {
    loop {
        let in_line = IN_LINE.load(Ordering::SeqCst);
        let threads = system::threads();
        if IN_LINE.load(Ordering::SeqCst) == in_line {
            return threads.saturating_sub(in_line);
        }
    }
}

/// How many threads of the test harness wait for their turn. They come and go, and are no leaks.
static IN_LINE: AtomicUsize = AtomicUsize::new(0);

/// Runs `body`; if it does not end, says so and aborts the test program.
fn watched(body: &mut dyn FnMut()) {
    let (ended, watch) = channel::<()>();
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let patience = watchdog();
    let dog = thread::Builder::new().name("watchdog".into()).spawn(move || {
        if watch.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            let _ = writeln!(
                std::io::stderr(),
                "\n{name} hangs for {patience:?}:\n{}",
                system::where_threads_are()
            );
            std::process::abort();
        }
    });
    body();
    drop(ended);
    if let Ok(dog) = dog {
        let _ = dog.join();
    }
}

/// Everything that lives as long as the process is made once, before anything is counted.
fn warm_up() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        if let Ok(process) = mp::Process::<()>::new(nothing, ()).start() {
            let _ = process.join();
        }
    });
}

#[mp::task]
fn nothing() {}

/// What a process has.
#[derive(Debug)]
pub struct Footprint {
    children: BTreeSet<u32>,
    descriptors: usize,
    threads: usize,
    shared: usize,
    dev_shm: BTreeSet<String>,
}

impl Footprint {
    /// What this process has now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            children: living_children(std::process::id()),
            descriptors: system::descriptors(),
            threads: threads(),
            shared: system::mappings(),
            dev_shm: system::names(),
        }
    }

    /// What there is more of than there was, one line each.
    #[must_use]
    pub fn beyond(&self, before: &Self) -> Vec<String> {
        let mut left = Vec::new();
        left.extend(self.children.difference(&before.children).map(|pid| format!("child process {pid}")));
        left.extend(self.dev_shm.difference(&before.dev_shm).map(|name| format!("/dev/shm/{name}")));
        let counts = [
            ("descriptors", self.descriptors, before.descriptors),
            ("threads", self.threads, before.threads),
            ("mappings of shared memory", self.shared, before.shared),
        ];
        for (what, now, then) in counts {
            if now > then {
                left.push(format!("{what}: {now}, there were {then}"));
            }
        }
        left
    }
}

/// What can be sent to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It ends, whatever it does.
    Kill,
    /// It is asked to end, and knows no better.
    Terminate,
    /// It is told of a bad access that it has not made.
    Segfault,
    /// It is told to give up.
    Abort,
    /// It is told something that nobody cares for.
    User,
    /// It stands still.
    Stop,
    /// It goes on.
    Continue,
}

/// Sends it to this process.
pub fn send_self(signal: Signal) {
    // A process that cannot end itself goes on, and the test sees that.
    let _ = send(std::process::id(), signal);
}

/// Waits until `condition` holds. The watchdog ends a wait that never does.
pub fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

/// A small generator of random numbers (`SplitMix64`), so that a failing test can be run again by its seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Seeded from `MP_SEED` or from the clock; prints the seed, which the test harness shows when the test fails.
    #[must_use]
    pub fn new() -> Self {
        let given = std::env::var("MP_SEED").ok().and_then(|seed| seed.parse().ok());
        let clock = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = given.unwrap_or_else(|| clock().map_or(1, |time| time.as_nanos() as u64));
        println!("MP_SEED={seed}");
        Self(seed)
    }

    /// With this seed, unprinted.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[allow(clippy::should_implement_trait)] // it never ends: an `Option` would be in the way
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}
