use super::*;
use rustix::fs::ftruncate;

#[test]
fn two_mappings_show_the_same_bytes() {
    let memory = Memory::create("mp-test", 8192).expect("memory");
    let copy = Memory::from_handle(memory.handle().try_clone_to_owned().expect("a copy"), 8192);
    let ours = Mapping::map(&memory, Access::ReadWrite).expect("a mapping");
    let theirs = Mapping::map(&copy.expect("sealed memory"), Access::Read).expect("a mapping");
    ours.copy_in(100, b"hello").expect("in bounds");
    let mut bytes = b"> ".to_vec();
    theirs.copy_out(100, 5, &mut bytes).expect("in bounds");
    assert_eq!(bytes, b"> hello");
}

#[test]
fn what_is_filled_in_pieces_is_read_as_one() {
    let long = vec![7; 10_000];
    let memory = Memory::create("mp-test", 10_003).expect("memory");
    memory.fill([b"a".as_slice(), &[], &long, b"bc"].into_iter()).expect("room");
    assert!(memory.fill([long.as_slice(), b"abcd"].into_iter()).is_err(), "more than there is room for");
    memory.fill([b"a".as_slice()].into_iter()).expect("room");
    let mut bytes = b"> ".to_vec();
    memory.read(&mut bytes).expect("memory");
    assert_eq!(bytes.len(), 2 + 10_003);
    assert!(bytes.starts_with(b"> a\x07\x07") && bytes.ends_with(b"\x07bc"), "{:?}", &bytes[10_000..]);
    // Of memory that is longer than we were told of, so much.
    let handle = memory.handle().try_clone_to_owned().expect("a copy");
    let mut part = Vec::with_capacity(5_000);
    Memory::from_handle(handle, 3).expect("sealed memory").read(&mut part).expect("memory");
    assert_eq!(part, b"a\x07\x07");
}

#[test]
fn copies_out_of_bounds_are_refused() {
    let memory = Memory::create("mp-test", 4096).expect("memory");
    let mapping = Mapping::map(&memory, Access::ReadWrite).expect("a mapping");
    for (offset, len) in [(4096, 1), (0, 4097), (usize::MAX, 2), (2, usize::MAX)] {
        assert!(mapping.copy_out(offset, len, &mut Vec::new()).is_err(), "{offset} {len}");
    }
    assert!(mapping.copy_in(4090, &[0; 7]).is_err());
    assert!(mapping.copy_in(4090, &[0; 6]).is_ok());
    let read_only = Mapping::map(&memory, Access::Read).expect("a mapping");
    assert!(read_only.copy_in(0, b"x").is_err());
}

#[cfg(target_pointer_width = "64")]
#[test]
fn a_copy_that_fits_no_memory_is_refused() {
    // More than half of the addresses that there are: it can be mapped, since nothing is written, and not copied.
    const LEN: usize = 80 << 40;
    if super::super::super::is_emulated() {
        return; // qemu-user has fewer addresses to map to
    }
    let memory = Memory::create("mp-test", LEN).expect("a length");
    let mapping = Mapping::map(&memory, Access::Read).expect("a mapping");
    let refused = mapping.copy_out(0, LEN, &mut Vec::new()).expect_err("no room for a copy");
    assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
}

#[test]
fn memory_cannot_shrink_and_grows_only_where_asked() {
    let mut fixed = Memory::create("mp-test", 4096).expect("memory");
    assert!(ftruncate(&fixed.handle, 100).is_err());
    assert!(fixed.grow(8192).is_err());
    let mut growable = Memory::create_growable("mp-test", 4096).expect("memory");
    assert!(ftruncate(&growable.handle, 100).is_err());
    growable.grow(8192).expect("growable");
    growable.grow(4096).expect("already larger");
}

#[test]
fn impostors_are_refused() {
    let unsealed = memfd_create("mp-test", MemfdFlags::ALLOW_SEALING).expect("a memfd");
    ftruncate(&unsealed, 4096).expect("room");
    let file = std::fs::File::open("/proc/self/exe").expect("our own program");
    let short = Memory::create("mp-test", 4096).expect("memory").handle;
    let (pipe, _writer) = rustix::pipe::pipe().expect("a pipe");
    for (name, handle, len) in
        [("unsealed", unsealed, 4096), ("file", file.into(), 4096), ("short", short, 4097), ("pipe", pipe, 1)]
    {
        let refused = Memory::from_handle(handle, len).expect_err(name);
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{name}");
    }
}
