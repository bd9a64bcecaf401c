//! A thread as the kernel knows it, for locks that are a word: no kernel here looks after those.

use std::sync::atomic::AtomicU32;

/// The bits of a lock's word that hold the number of its holder.
pub const HOLDER: u32 = 0x3fff_ffff;

/// Somebody sleeps on the word.
pub const WANTED: u32 = 0x8000_0000;

/// The holder ended, says the kernel.
pub const DIED: u32 = 0x4000_0000;

/// This thread: there is none.
#[derive(Clone, Copy, Debug)]
pub enum Me {}

/// `None`.
#[inline]
pub fn me() -> Option<Me> {
    None
}

impl Me {
    /// What a word holds that is this thread's.
    pub fn number(self) -> u32 {
        match self {}
    }

    /// From now on the kernel looks at a word when this thread ends.
    pub fn announce(self, _: &AtomicU32) -> bool {
        match self {}
    }

    /// From now on it does not.
    pub fn withdraw(self) {
        match self {}
    }
}
