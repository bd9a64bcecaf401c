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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_published_hash_and_the_end_of_a_text_counts() {
        // Test vectors of the draft.
        assert_eq!(Fnv::new().number(u64::from(b'a')).0, 0xaf63_dc4c_8601_ec8c);
        let foobar = b"foobar".iter().fold(Fnv::new(), |hash, &byte| hash.number(u64::from(byte)));
        assert_eq!(foobar.0, 0x8594_4171_f739_67e8);
        assert_eq!(Fnv::new().text("foobar").0, foobar.number(0xff).0);
        assert_ne!(Fnv::new().text("ab").text("c").0, Fnv::new().text("a").text("bc").0);
    }
}
