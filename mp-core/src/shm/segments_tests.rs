use super::*;

const RING: usize = 1 << 20;

fn frame(place: u32) -> Vec<u8> {
    place.to_le_bytes().into_iter().cycle().take(place as usize % 5000).collect()
}

fn units(bytes: &[u8]) -> u32 {
    (1 + bytes.len().div_ceil(UNIT)) as u32
}

/// Frames between `head` and `tail`, which are written and read as a queue does it.
struct Ring {
    segments: Segments,
    head: u32,
    tail: u32,
}

impl Ring {
    fn new(start: u32) -> Self {
        Self { segments: Segments::create(4096, RING).expect("memory"), head: start, tail: start }
    }

    fn put(&mut self) {
        let bytes = frame(self.tail);
        let end = self.tail.wrapping_add(units(&bytes));
        if self.segments.is_fresh(self.tail, end) {
            self.segments.open(self.head, self.tail, end).expect("memory");
        }
        self.segments.write(self.tail, [bytes.len() as u64, 7], &bytes);
        self.tail = end;
    }

    fn get(&mut self) {
        let (expected, mut bytes) = (frame(self.head), Vec::new());
        assert_eq!(self.segments.read_head(self.head), [expected.len() as u64, 7]);
        self.segments.read(self.head, expected.len(), &mut bytes);
        assert!(bytes == expected, "at {}", self.head);
        let from = self.head;
        self.head = from.wrapping_add(units(&expected));
        if self.segments.has_left(from, self.head) {
            self.segments.give_back((from, self.head), (self.head, self.tail));
        }
    }

    fn bytes(&self) -> usize {
        self.tail.wrapping_sub(self.head) as usize * UNIT
    }

    /// The highest piece that was ever used, by what the table says.
    fn highest_piece(&self) -> usize {
        let places = (0..2 * RING / SEGMENT_BYTES).map(|number| (number * SEGMENT_BYTES / UNIT) as u32);
        places.map(|place| self.segments.piece(place)).max().unwrap_or_default()
    }
}

#[test]
fn what_is_shallow_lies_in_few_pieces_and_what_is_deep_in_all() {
    let mut ring = Ring::new(0);
    for _ in 0..2000 {
        ring.put();
        ring.get();
    }
    assert!(ring.highest_piece() <= 1, "{}", ring.highest_piece());
    while ring.bytes() + 5100 <= RING {
        ring.put();
    }
    assert!(ring.highest_piece() >= RING / SEGMENT_BYTES - 1);
}

#[test]
fn frames_keep_their_bytes_however_deep_it_is_and_where_places_wrap_around() {
    for start in [0, 5, u32::MAX - 3 * (RING / UNIT) as u32] {
        let mut ring = Ring::new(start);
        let mut depth = 0;
        for round in 0..6000_usize {
            depth = if round.is_multiple_of(100) { round.wrapping_mul(7919) % (RING - 5100) } else { depth };
            if ring.bytes() <= depth { ring.put() } else { ring.get() }
        }
        assert!(ring.tail.wrapping_sub(start) as usize > 4 * RING / UNIT);
        while ring.head != ring.tail {
            ring.get();
        }
    }
}

#[test]
fn a_ring_as_small_as_can_be_holds_what_it_says() {
    let segments = Segments::create(4096, 4 * UNIT).unwrap();
    let mut place = 0_u32;
    for round in 0..1000_u32 {
        let bytes = vec![round as u8; 3 * UNIT];
        let end = place.wrapping_add(units(&bytes));
        if segments.is_fresh(place, end) {
            segments.open(place, place, end).expect("memory");
        }
        segments.write(place, [u64::from(round), 0], &bytes);
        let mut read = Vec::new();
        segments.read(place, bytes.len(), &mut read);
        assert_eq!((segments.read_head(place)[0], read), (u64::from(round), bytes));
        place = end.wrapping_add(u32::from(round.is_multiple_of(3)));
        if segments.is_fresh(end, place) {
            segments.open(end, end, place).expect("memory");
        }
    }
}
