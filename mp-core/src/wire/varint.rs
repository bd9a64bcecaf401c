//! postcard's numbers: seven bits to a byte, the lowest first; the last byte is below 128.
//!
//! Up to eight bytes are handled as one word, without a step for each: a copy of what was just stored byte by byte is slow.
//! The bits are moved as in "Hacker's Delight" (Warren, 2nd ed., section 7-4): by half the distance in each step.

/// As long as 64 bits get.
pub const BYTES_MAX: usize = 10;

/// The top bit of each byte: another one follows.
const MORE: u64 = 0x8080_8080_8080_8080;

/// Numbers from here on have more than eight bytes.
const LONG: u64 = 1 << 56;

/// Numbers from here on are not [`Short`].
const TOO_LONG: u64 = 1 << (7 * Short::BYTES_MAX);

/// A few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// The bytes, the first of them lowest; all others are zero.
    pub word: u64,
    /// How many there are: at most [`BYTES_MAX`](Self::BYTES_MAX).
    pub len: usize,
}

impl Short {
    /// As many as fit into a word beside their length.
    pub const BYTES_MAX: usize = 7;

    /// The bytes of a number, if they are so few.
    #[inline]
    pub fn of(number: u64) -> Option<Self> {
        (number < TOO_LONG).then(|| {
            let (word, len) = word(number);
            Self { word, len }
        })
    }

    /// The number with these bytes, if they are one and no more.
    #[inline]
    pub fn number(self) -> Option<u64> {
        let ends = !self.word & MORE;
        let is_one = self.len > 0 && ends.trailing_zeros() as usize == 8 * self.len - 1;
        is_one.then(|| gather(self.word))
    }

    /// Appends the bytes.
    pub fn append_to(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.word.to_le_bytes()[..self.len]);
    }
}

/// Appends a number.
#[inline]
pub fn put(number: u64, out: &mut Vec<u8>) {
    if number >= LONG {
        return put_long(number, out);
    }
    let (word, len) = word(number);
    let before = out.len();
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(before + len);
}

/// The bytes of a number that has up to eight, and how many they are.
#[inline]
const fn word(number: u64) -> (u64, usize) {
    let len = (70 - (number | 1).leading_zeros()) / 7;
    let more = MORE & ((1 << (8 * (len - 1))) - 1);
    (spread(number) | more, len as usize)
}

#[cold]
fn put_long(number: u64, out: &mut Vec<u8>) {
    let mut rest = number;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// A number from the front of `input` and what is behind it; none that has more than eight bytes.
#[inline]
pub fn take(input: &[u8]) -> Option<(u64, &[u8])> {
    let word = word_of(&input[..input.len().min(8)]);
    // Behind the end there are zeros: the end of a number that lacks a byte lies there.
    let ends = !word & MORE;
    if ends == 0 {
        return None;
    }
    let len = ends.trailing_zeros() as usize / 8 + 1;
    let rest = input.get(len..)?;
    // What is behind the last byte does not count: all bits up to that byte's top one.
    Some((gather(word & (ends ^ (ends - 1))), rest))
}

/// Each seven bits into a byte of their own.
#[inline]
const fn spread(number: u64) -> u64 {
    let halves = number & 0x0fff_ffff | (number & 0x00ff_ffff_f000_0000) << 4;
    let quarters = halves & 0x0000_3fff_0000_3fff | (halves & 0x0fff_c000_0fff_c000) << 2;
    quarters & 0x007f_007f_007f_007f | (quarters & 0x3f80_3f80_3f80_3f80) << 1
}

/// The other way round; the top bits of the bytes do not count.
#[inline]
const fn gather(word: u64) -> u64 {
    let pairs = word & 0x007f_007f_007f_007f | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let quads = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    quads & 0x0fff_ffff | (quads & 0x0fff_ffff_0000_0000) >> 4
}

/// Up to eight bytes as the lowest of a word, loaded by halves that may overlap.
#[inline]
pub fn word_of(bytes: &[u8]) -> u64 {
    let (front, back, half) =
        if let (Some(front), Some(back)) = (bytes.first_chunk(), bytes.last_chunk::<4>()) {
            (u32::from_le_bytes(*front), u32::from_le_bytes(*back), 4)
        } else if let (Some(front), Some(back)) = (bytes.first_chunk(), bytes.last_chunk::<2>()) {
            (u16::from_le_bytes(*front).into(), u16::from_le_bytes(*back).into(), 2)
        } else {
            return bytes.first().map_or(0, |&byte| byte.into());
        };
    u64::from(front) | u64::from(back) << (8 * (bytes.len() - half))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Around every power of two, both ways.
    fn numbers() -> impl Iterator<Item = u64> {
        (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1, u64::MAX >> bit])
    }

    #[test]
    fn numbers_are_written_as_postcard_does() {
        for number in numbers() {
            let mut bytes = vec![7];
            put(number, &mut bytes);
            assert_eq!(bytes[1..], postcard::to_allocvec(&number).unwrap(), "{number:#x}");
        }
    }

    #[test]
    fn numbers_are_read_whatever_is_behind_them() {
        for number in numbers() {
            for behind in [&[][..], &[0], &[0xff; 9], &[0x80, 1, 0xff]] {
                let mut bytes = Vec::new();
                put(number, &mut bytes);
                let expected = (bytes.len() <= 8).then_some((number, behind));
                let bytes = [&bytes, behind].concat();
                assert_eq!(take(&bytes), expected, "{number:#x}, then {behind:?}");
            }
        }
    }

    #[test]
    fn numbers_that_are_short_are_words() {
        for number in numbers() {
            let mut bytes = Vec::new();
            put(number, &mut bytes);
            let Some(short) = Short::of(number) else {
                assert!(bytes.len() > Short::BYTES_MAX, "{number:#x}");
                continue;
            };
            let mut appended = Vec::new();
            short.append_to(&mut appended);
            assert_eq!((short.len, short.word), (bytes.len(), word_of(&bytes)), "{number:#x}");
            assert_eq!((appended, short.number()), (bytes, Some(number)));
            // One byte less is no whole number, one more is not only a number.
            assert_eq!(Short { word: short.word, len: short.len - 1 }.number(), None);
            assert_eq!(Short { word: short.word, len: short.len + 1 }.number(), None);
        }
    }

    #[test]
    fn a_number_that_is_cut_off_is_none() {
        for number in numbers() {
            let mut bytes = Vec::new();
            put(number, &mut bytes);
            bytes.pop();
            assert_eq!(take(&bytes), None, "{number:#x}");
        }
    }

    #[test]
    fn bytes_make_a_word() {
        for len in 0..=8 {
            let bytes: Vec<u8> = (0..len).map(|index| 0xf1 + index).collect();
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(&bytes);
            assert_eq!(word_of(&bytes), u64::from_le_bytes(whole), "{len}");
        }
    }
}
