//! FNV-1a, 64 bits wide (draft-eastlake-fnv): a hash that the compiler can compute, of names that nobody chose in order to
//! have two of them collide.

/// A hash so far.
#[derive(Clone, Copy, Debug)]
pub struct Fnv(pub u64);

impl Fnv {
    /// That of nothing.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// With the bytes of a text, and with its end: two texts are not the same as both in one.
    pub const fn text(self, text: &str) -> Self {
        let mut hash = self;
        let mut rest = text.as_bytes();
        while let Some((&byte, behind)) = rest.split_first() {
            hash = hash.number(byte as u64);
            rest = behind;
        }
        hash.number(0xff)
    }

    /// With a number, in one step.
    pub const fn number(self, number: u64) -> Self {
        Self((self.0 ^ number).wrapping_mul(0x0100_0000_01b3))
    }
}
