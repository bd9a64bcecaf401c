//! A task that is named like the module it is in, which is common.

#[mp::task]
pub fn halved(x: u32) -> u32 {
    x / 2
}
