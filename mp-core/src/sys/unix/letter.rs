//! Packets on a stream, for systems without `SOCK_SEQPACKET`: letters of one length.
//!
//! ```text
//!  letter  length of the packet (4) │ in memory? (4) │ its first bytes (248)
//!            └ with it go the handles; before them, if the packet is longer, that of a memory with all of it
//! ```
//! A stream has no borders, but all letters have one length, and one so short goes into a stream whole or not at all: a kernel
//! takes less than it was given only where there is less room than its low-water mark, which is longer than a letter. So a
//! sender that is killed leaves no half of one, and a receiver takes one with its handles in one call.

use super::memory::{Access, Mapping, Memory};
use super::packet::{Packets, Patient};
use super::{BorrowedHandle, Handle};
use std::io::{self, IoSlice};

/// Bytes of a letter.
const LETTER_BYTES: usize = 256;

/// Bytes of a letter before those of the packet.
const HEAD_BYTES: usize = 8;

/// Bytes of a packet that lie in the letter.
const INLINE_BYTES: usize = LETTER_BYTES - HEAD_BYTES;

/// Room for letters in each direction, in bytes.
#[cfg_attr(not(any(target_os = "macos", mp_portable_unix)), allow(dead_code, reason = "packets are packets"))]
pub const STREAM_BYTES: usize = 256 << 10;

/// Sends a packet.
pub fn send(
    to: &Packets,
    bytes: &[IoSlice<'_>],
    handles: &[BorrowedHandle<'_>],
    patient: Patient,
) -> io::Result<()> {
    let packet: Vec<u8> = bytes.iter().flat_map(|part| part.iter().copied()).collect();
    let is_long = packet.len() > INLINE_BYTES;
    let memory = is_long.then(|| stored(&packet)).transpose()?;
    let mut letter = [0; LETTER_BYTES];
    letter[..4].copy_from_slice(&(packet.len() as u32).to_le_bytes());
    letter[4] = u8::from(is_long);
    let inline = packet.len().min(INLINE_BYTES);
    letter[HEAD_BYTES..HEAD_BYTES + inline].copy_from_slice(&packet[..inline]);
    let all: Vec<_> = memory.iter().map(Memory::handle).chain(handles.iter().copied()).collect();
    match to.send_once(&[IoSlice::new(&letter)], &all, patient)? {
        LETTER_BYTES => Ok(()),
        _ => Err(io::Error::other("a letter was torn")),
    }
}

/// Receives a packet.
pub fn receive(
    from: &Packets,
    bytes: &mut [u8],
    handles: &mut Vec<Handle>,
    patient: Patient,
) -> io::Result<usize> {
    let (mut letter, mut came) = ([0; LETTER_BYTES], Vec::new());
    let received = from.receive_once(&mut letter, &mut came, patient);
    if received.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::QuotaExceeded) {
        let room = bytes.len().min(INLINE_BYTES);
        bytes[..room].copy_from_slice(&letter[HEAD_BYTES..HEAD_BYTES + room]);
    }
    let Some((len, is_long)) = read_head(&letter[..received?])? else { return Ok(0) };
    let mut came = came.into_iter();
    let room = bytes.get_mut(..len).ok_or_else(|| lost("the packet is longer than its receiver expects"))?;
    if is_long {
        let handle = came.next().ok_or_else(|| lost("the memory of a packet was lost on the way"))?;
        let mapping = Mapping::map(&Memory::from_handle(handle, len)?, Access::Read)?;
        let mut packet = Vec::new();
        mapping.copy_out(0, len, &mut packet)?;
        room.copy_from_slice(&packet);
    } else {
        room.copy_from_slice(&letter[HEAD_BYTES..HEAD_BYTES + len]);
    }
    handles.extend(came);
    Ok(len)
}

/// The first bytes of the next packet, which stays.
pub fn peek(from: &Packets, bytes: &mut [u8], patient: Patient) -> io::Result<usize> {
    let mut letter = [0; LETTER_BYTES];
    let count = from.peek_once(&mut letter, patient)?;
    let Some((len, _)) = read_head(&letter[..count])? else { return Ok(0) };
    let count = bytes.len().min(len).min(INLINE_BYTES);
    bytes[..count].copy_from_slice(&letter[HEAD_BYTES..HEAD_BYTES + count]);
    Ok(count)
}

fn stored(packet: &[u8]) -> io::Result<Memory> {
    let memory = Memory::create("mp-packet", packet.len())?;
    memory.fill([packet].into_iter())?;
    Ok(memory)
}

/// How long the packet is, and whether it lies in memory; `None` at the end of the stream.
fn read_head(letter: &[u8]) -> io::Result<Option<(usize, bool)>> {
    let Some((len, _)) = letter.split_first_chunk::<4>() else {
        return if letter.is_empty() { Ok(None) } else { Err(lost("a letter was torn")) };
    };
    let (len, is_long) = (u32::from_le_bytes(*len) as usize, letter.get(4) == Some(&1));
    if letter.len() < LETTER_BYTES || (!is_long && len > INLINE_BYTES) {
        return Err(lost("a letter was torn"));
    }
    Ok(Some((len, is_long)))
}

fn lost(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::super::socket::Socket;
    use super::*;

    fn pair() -> (Packets, Packets) {
        let (one, other) = Socket::pair().expect("sockets");
        (Packets::from_handle(one.into_handle()), Packets::from_handle(other.into_handle()))
    }

    #[test]
    fn letters_keep_their_borders_whatever_they_carry() {
        let (one, other) = pair();
        let long: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
        let packets: [&[u8]; 5] = [b"a", &long[..248], &long[..249], b"bc", &long];
        for (index, packet) in packets.into_iter().enumerate() {
            let halves = packet.split_at(packet.len() / 2);
            let handles = vec![other.handle(); index % 3];
            send(&one, &[IoSlice::new(halves.0), IoSlice::new(halves.1)], &handles, Patient::No)
                .expect("room");
        }
        for (index, packet) in packets.into_iter().enumerate() {
            let (mut bytes, mut handles) = (vec![0; 100_000], Vec::new());
            let seen = peek(&other, &mut bytes[..9], Patient::Yes).expect("there");
            assert_eq!((&bytes[..seen], seen), (&packet[..seen], packet.len().min(9)));
            let len = receive(&other, &mut bytes, &mut handles, Patient::Yes).expect("there");
            assert_eq!((&bytes[..len], handles.len()), (packet, index % 3));
        }
        drop(one);
        assert_eq!(receive(&other, &mut [0; 9], &mut Vec::new(), Patient::Yes).expect("the end"), 0);
        assert_eq!(peek(&other, &mut [0; 9], Patient::Yes).expect("the end"), 0);
    }

    #[test]
    fn a_full_stream_is_full_and_each_letter_comes_once() {
        let (one, other) = pair();
        let mut sent = 0_u32;
        while send(&one, &[IoSlice::new(&sent.to_le_bytes())], &[], Patient::No).is_ok() {
            sent += 1;
        }
        let full = send(&one, &[IoSlice::new(b"x")], &[], Patient::No).expect_err("full");
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        drop(one);
        let taken = std::sync::Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut bytes = [0; 4];
                    while receive(&other, &mut bytes, &mut Vec::new(), Patient::Yes).expect("sound") > 0 {
                        taken.lock().expect("no panic").push(u32::from_le_bytes(bytes));
                    }
                });
            }
        });
        let mut taken = taken.into_inner().expect("no panic");
        taken.sort_unstable();
        assert_eq!(taken, (0..sent).collect::<Vec<_>>());
    }

    #[test]
    fn a_packet_that_does_not_fit_is_lost_and_the_next_is_not() {
        let (one, other) = pair();
        for packet in [&[1; 300][..], &[2; 20], b"ok"] {
            send(&one, &[IoSlice::new(packet)], &[], Patient::No).expect("room");
        }
        for _ in 0..2 {
            let lost = receive(&other, &mut [0; 9], &mut Vec::new(), Patient::Yes).expect_err("too long");
            assert_eq!(lost.kind(), io::ErrorKind::InvalidData);
        }
        let mut bytes = [0; 9];
        assert_eq!(receive(&other, &mut bytes, &mut Vec::new(), Patient::Yes).expect("it fits"), 2);
    }

    #[test]
    fn what_is_no_letter_is_refused() {
        let (one, other) = pair();
        one.send_once(&[IoSlice::new(&[7; 256])], &[], Patient::No).expect("room");
        one.send_once(&[IoSlice::new(&[7, 0, 0, 0, 1])], &[], Patient::No).expect("room");
        for _ in 0..2 {
            let refused = receive(&other, &mut [0; 9], &mut Vec::new(), Patient::No).expect_err("torn");
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        }
    }
}
