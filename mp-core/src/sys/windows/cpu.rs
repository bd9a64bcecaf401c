//! Where this thread runs and how much there is to run on.

/// The CPU this thread runs on right now. Always the same until the port is made: partners then never spin.
pub fn current() -> u32 {
    0
}

/// How many CPUs this process may keep busy; at least 1.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
