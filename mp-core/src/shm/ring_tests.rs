use super::*;
use crate::shm::frame::{split_frame, split_word};
use crate::shm::region::{Ring, tests::both_sides};
use std::collections::VecDeque;

/// A small generator of numbers that differ (splitmix64): every test prints its seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// `MP_SEED`, or a different one each time.
fn seed() -> u64 {
    let seed = std::env::var("MP_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| std::process::id().into());
    println!("MP_SEED={seed}");
    seed
}

fn random_head(numbers: &mut Numbers) -> FrameHead {
    let bits = numbers.next();
    FrameHead { kind: bits as u8, flags: (bits >> 8) as u8, count: (bits >> 16) as u16, seq: numbers.next() }
}

#[test]
fn a_frame_that_is_echoed_is_read_beside_the_ring() {
    let (mut parent, mut worker) = both_sides(1024);
    for (echoes, kind) in [(true, 1), (false, 2), (true, 3)] {
        worker.responses.echo(echoes);
        let head = FrameHead { kind, flags: 1, count: 2, seq: 3 };
        let start = worker.responses.place.position(worker.responses.cursor.tail());
        worker.responses.try_push(head, &[b"one", b"two"]).unwrap();
        // Whoever reads it where it lies finds something else.
        let there = FrameHead { kind: 9, ..head };
        worker.responses.place.write_word(start, encode(there, 6)[0]);
        let frame = parent.responses.peek().unwrap().unwrap();
        let mut payload = Vec::new();
        frame.copy_to(&mut payload);
        assert_eq!((frame.head, payload.as_slice()), (if echoes { head } else { there }, &b"onetwo"[..]));
        parent.responses.advance();
    }
}

#[test]
fn what_came_after_the_last_look_is_left_for_the_next() {
    let (mut parent, mut worker) = both_sides(1024);
    let mut bytes = Vec::new();
    for payload in [b"a", b"b"] {
        worker.responses.try_push_short(payload).unwrap();
    }
    assert!(!parent.responses.is_behind(), "it has not looked");
    parent.responses.copy_piece(8, &mut bytes).unwrap();
    worker.responses.try_push_short(b"c").unwrap();
    parent.responses.advance_over(8);
    assert!(parent.responses.is_behind(), "it has seen the second");
    parent.responses.advance_over(8);
    assert!(!parent.responses.is_behind() && parent.responses.is_ready(), "the third came later");
    assert_eq!(parent.responses.used(), Ok(8));
    assert!(parent.responses.is_behind());
}

#[test]
fn a_ring_that_never_holds_much_uses_little_of_its_memory_and_one_that_does_all_of_it() {
    let (mut parent, mut worker) = both_sides(64 << 10);
    let mut furthest = 0;
    let mut wraps = 0;
    for number in 0..10_000_u32 {
        let (payload, mut bytes) = (number.to_le_bytes(), Vec::new());
        worker.responses.try_push(FrameHead::default(), &[&payload]).expect("room");
        furthest = furthest.max(parent.responses.place.position(worker.responses.cursor.tail()));
        parent.responses.copy_piece(64 << 10, &mut bytes).expect("honest");
        if bytes.is_empty() {
            wraps += 1;
        } else {
            assert_eq!((bytes.len(), &bytes[HEAD_BYTES..][..4]), (24, &payload[..]));
        }
        bytes.clear();
        parent.responses.peek().expect("honest").expect("a frame").copy_to(&mut bytes);
        assert_eq!(bytes, payload);
        parent.responses.advance();
    }
    assert!(furthest <= USED_FIRST && wraps == 10_000 * 24 / USED_FIRST, "{furthest} {wraps}");
    let mut pushed = 0_u32;
    while worker.responses.try_push(FrameHead::default(), &[&pushed.to_le_bytes()]).is_ok() {
        pushed += 1;
        if pushed == 1 {
            // What was left unused by a wrap is free again when the frame behind it has been taken.
            parent.responses.peek().expect("honest").expect("a frame");
            parent.responses.advance();
        }
    }
    assert!(pushed as usize > (64 << 10) / 24 - 2, "{pushed}");
}

#[test]
fn a_frame_that_starts_over_leaves_room_for_as_much_again() {
    let (mut parent, mut worker) = both_sides(64 << 10);
    for _ in 0..100 {
        worker.responses.try_push(FrameHead::default(), &[&[0; 8]]).expect("room");
        parent.responses.peek().expect("honest").expect("a frame");
        parent.responses.advance();
    }
    for payload in [[1; 2000], [2; 2000]] {
        worker
            .responses
            .try_push(FrameHead::default(), &[&payload])
            .expect("room, though nobody has taken any");
    }
}

#[test]
fn what_lies_behind_a_short_payload_does_not_count() {
    for len in 0..=Short::BYTES_MAX {
        let mut frame = [0xee; 8];
        frame[0] = 2 * len as u8 + 1;
        let (short, behind) = split_word(&frame).unwrap();
        assert_eq!((short, behind), (Short { word: word_of(&frame[1..=len]), len }, &[][..]));
    }
    assert_eq!(split_word(&[2 * 8 + 1; 8]), None, "longer than a word");
    assert_eq!(split_word(&[2; 8]), None, "no short frame");
}

#[test]
fn a_ring_is_a_queue() {
    let mut numbers = Numbers(seed());
    for ring_bytes in [256, 1024, 4096, 64 << 10] {
        let (mut parent, mut worker) = both_sides(ring_bytes);
        let mut model: VecDeque<(FrameHead, Vec<u8>)> = VecDeque::new();
        let (mut popped, mut split, mut refused) = (0, 0, 0);
        for _ in 0..20_000 {
            if numbers.below(2) == 0 {
                let short = numbers.below(3) == 0;
                let longest = if short { SHORT_BYTES_MAX } else { ring_bytes / 2 - 16 };
                let head = if short { FrameHead::default() } else { random_head(&mut numbers) };
                let len = numbers.below(longest as u64 + 1) as usize;
                let payload: Vec<u8> = (0..len).map(|_| numbers.next() as u8).collect();
                worker.responses.echo(numbers.below(2) == 0);
                let pushed = if len <= Short::BYTES_MAX && short && numbers.below(2) == 0 {
                    worker.responses.try_push_word(Short { word: word_of(&payload), len }).is_ok()
                } else if short {
                    worker.responses.try_push_short(&payload).is_ok()
                } else {
                    push(&mut worker.responses, &mut numbers, head, &payload)
                };
                if pushed {
                    model.push_back((head, payload));
                } else {
                    refused += 1;
                    assert!(!model.is_empty(), "an empty ring has room for every frame");
                }
            } else if numbers.below(4) == 0 {
                // Several at once; what is cut off stays.
                let mut bytes = Vec::new();
                let max = numbers.below(1 + ring_bytes as u64) as usize;
                parent.responses.copy_piece(max, &mut bytes).expect("honest");
                assert!(bytes.len() <= max);
                let mut rest = bytes.as_slice();
                while let Some((head, payload, behind)) = split_frame(rest) {
                    if let Some((short, behind_word)) = split_word(rest) {
                        let mut bytes = Vec::new();
                        short.append_to(&mut bytes);
                        assert_eq!(
                            (head, bytes.as_slice(), behind_word),
                            (FrameHead::default(), payload, behind)
                        );
                        assert_eq!(short.word, word_of(payload), "nothing of what was there before");
                    }
                    assert_eq!(model.pop_front(), Some((head, payload.to_vec())));
                    rest = behind;
                    popped += 1;
                    split += 1;
                }
                let taken = bytes.len() - rest.len();
                parent.responses.advance_over(taken);
            } else {
                let frame = parent.responses.peek().expect("honest");
                let found = frame.map(|frame| {
                    let mut bytes = Vec::new();
                    frame.copy_to(&mut bytes);
                    assert_eq!((frame.len(), frame.is_empty()), (bytes.len(), bytes.is_empty()));
                    (frame.head, bytes)
                });
                assert_eq!(found, model.pop_front());
                popped += u32::from(found.is_some());
                parent.responses.advance();
            }
        }
        let enough = popped > 1000 && split > 200 && refused > 100;
        assert!(enough, "{popped} {split} {refused}: the test tests nothing");
    }
}

/// Pushes in one of the ways there are; whether there was room.
fn push(producer: &mut Producer<Trusted>, numbers: &mut Numbers, head: FrameHead, payload: &[u8]) -> bool {
    let cut = numbers.below(payload.len() as u64 + 1) as usize;
    if numbers.below(2) == 0 {
        return producer.try_push(head, &[&payload[..cut], &payload[cut..]]).is_ok();
    }
    // What is dropped never was.
    drop(producer.reserve(cut));
    let Ok(mut slot) = producer.reserve(payload.len()) else { return false };
    assert!(slot.append(&payload[..cut]) && slot.append(&payload[cut..]) && !slot.append(b"x"));
    slot.finish(head);
    true
}

/// A worker that writes anything anywhere: the parent neither panics nor hangs nor takes more than there is room for.
#[test]
fn hostile_bytes_do_no_harm() {
    let mut numbers = Numbers(seed());
    let (mut sound, mut corrupt) = (0_u32, 0_u32);
    for _ in 0..3_000 {
        let (mut parent, worker) = both_sides(1024);
        let place = worker.responses.place.clone();
        let words = place.words();
        for _ in 0..20 {
            scribble(&place, &mut numbers);
            let tail = match numbers.below(4) {
                0 => numbers.next(),
                1 => numbers.below(4096),
                _ => numbers.below(129) * 8,
            };
            words.scribble_tail(tail);
            let echo = std::array::from_fn(|_| random_word(&mut numbers));
            words.scribble_echo(1 + numbers.below(129) * 8, echo);
            let mut bytes = Vec::new();
            if parent.responses.copy_piece(1024, &mut bytes).is_ok() {
                assert!(bytes.len() <= 1024);
                let mut rest = bytes.as_slice();
                while let Some((_, payload, behind)) = split_frame(rest) {
                    assert!(payload.len() < rest.len() && behind.len() < rest.len());
                    rest = behind;
                }
            }
            for _ in 0..100 {
                match parent.responses.peek() {
                    Ok(Some(frame)) => {
                        let mut bytes = Vec::new();
                        frame.copy_to(&mut bytes);
                        assert!(bytes.len() <= 1024 - HEAD_BYTES);
                        sound += 1;
                    }
                    Ok(None) => break,
                    Err(Corrupt) => {
                        corrupt += 1;
                        break;
                    }
                }
                parent.responses.advance();
            }
            worker.shared.words(Ring::Requests).scribble_head(numbers.below(64) * 4);
            let _ = parent.requests.try_push(FrameHead::default(), &[&[0; 100]]);
        }
    }
    assert!(sound > 1000 && corrupt > 1000, "{sound} {corrupt}: the test tests nothing");
}

/// Random bytes, with plausible lengths and wraps here and there.
fn scribble(place: &Place, numbers: &mut Numbers) {
    for start in (0..place.capacity).step_by(8) {
        place.write_word(start, random_word(numbers));
    }
}

fn random_word(numbers: &mut Numbers) -> u64 {
    match numbers.below(8) {
        0 => numbers.next(),
        1 => u64::from(WRAP),
        2 => MAX_INLINE as u64 + numbers.below(3) - 1,
        _ => numbers.below(64),
    }
}

#[test]
fn a_wrap_that_leads_nowhere_is_corrupt() {
    let (mut parent, worker) = both_sides(1024);
    let place = &worker.responses.place;
    place.write_word(0, u64::from(WRAP));
    place.words().scribble_tail(1024);
    assert_eq!(parent.responses.peek().map(|frame| frame.is_some()), Err(Corrupt), "at the start");
    let (mut parent, mut worker) = both_sides(1024);
    worker.responses.try_push(FrameHead::default(), &[&[0; 400]]).expect("room");
    worker.responses.place.write_word(416, u64::from(WRAP));
    worker.responses.place.words().scribble_tail(1024);
    assert!(parent.responses.peek().expect("honest").is_some());
    parent.responses.advance();
    assert_eq!(parent.responses.peek().map(|frame| frame.is_some()), Err(Corrupt), "nothing behind it");
}
