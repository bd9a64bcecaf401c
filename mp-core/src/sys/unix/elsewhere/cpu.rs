//! Where this thread runs and how much there is to run on.

pub use super::leaf::cpu::current;

/// How many CPUs this process may keep busy: by affinity where there is such a thing; at least 1.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
