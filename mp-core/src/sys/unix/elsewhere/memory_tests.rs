use super::*;
use rustix::fs::ftruncate;

fn sent(memory: &Memory) -> Handle {
    memory.handle().try_clone_to_owned().expect("a copy")
}

#[test]
fn two_mappings_show_the_same_bytes() {
    let memory = Memory::create("mp-test", 8192).expect("memory");
    let copy = Memory::from_handle(sent(&memory), 8192).expect("memory");
    let ours = Mapping::map(&memory, Access::ReadWrite).expect("a mapping");
    let theirs = Mapping::map(&copy, Access::Read).expect("a mapping");
    ours.copy_in(100, b"hello").expect("in bounds");
    let mut bytes = b"> ".to_vec();
    theirs.copy_out(100, 5, &mut bytes).expect("in bounds");
    assert_eq!(bytes, b"> hello");
    assert!(theirs.copy_in(0, b"x").is_err());
}

#[test]
fn memory_that_grew_is_another_one_with_the_same_contents() {
    let mut memory = Memory::create_growable("mp-test", 4096).expect("memory");
    let before = Mapping::map(&memory, Access::ReadWrite).expect("a mapping");
    before.copy_in(10, b"hello").expect("in bounds");
    memory.grow(20_000).expect("room");
    memory.grow(100).expect("already larger");
    let after = Mapping::map(&memory, Access::ReadWrite).expect("a mapping");
    let mut bytes = Vec::new();
    after.copy_out(10, 5, &mut bytes).expect("in bounds");
    after.copy_in(19_999, b"x").expect("in bounds");
    assert_eq!(bytes, b"hello");
}

#[test]
fn what_is_sealed_lets_nobody_write() {
    let memory = Memory::create_sealable("mp-test", 4096).expect("memory");
    Mapping::map(&memory, Access::ReadWrite).expect("a mapping").copy_in(0, b"hello").expect("in bounds");
    assert!(!memory.is_content_sealed());
    memory.seal_contents().expect("nobody else has it");
    for memory in [Memory::from_handle(sent(&memory), 4096).expect("memory"), memory] {
        assert!(memory.is_content_sealed());
        assert!(Mapping::map(&memory, Access::ReadWrite).is_err());
        assert!(ftruncate(&memory.handle, 1).is_err());
        let mapping = Mapping::map(&memory, Access::Sealed).expect("a mapping");
        // SAFETY: duty: in bounds, and nobody writes: it is sealed.
        assert_eq!(unsafe { mapping.slice(0, 5) }, b"hello");
        assert!(memory.seal_contents().is_err());
    }
}

#[test]
fn what_others_may_write_to_cannot_be_sealed() {
    let memory = Memory::create_sealable("mp-test", 4096).expect("memory");
    let copy = Memory::from_handle(sent(&memory), 4096).expect("memory");
    for memory in [memory, copy] {
        let refused = memory.seal_contents().expect_err("it was given out");
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert!(!memory.is_content_sealed());
    }
}

#[test]
fn memory_has_no_name() {
    let names = || std::fs::read_dir("/dev/shm").into_iter().flatten().flatten().map(|entry| entry.path());
    let memory = Memory::create("mp-test", 4096).expect("memory");
    let number = fstat(&memory.handle).expect("open").st_ino;
    let found = names().find(|path| rustix::fs::stat(path).is_ok_and(|named| named.st_ino == number));
    assert_eq!(found, None);
}

#[test]
fn impostors_are_refused() {
    let file = std::fs::File::open(std::env::current_exe().expect("a program")).expect("our own program");
    let short = sent(&Memory::create("mp-test", 4096).expect("memory"));
    let (pipe, _writer) = rustix::pipe::pipe().expect("a pipe");
    let (socket, _other) = super::super::socket::Socket::pair().expect("sockets");
    let cases = [("file", file.into(), 4096), ("pipe", pipe, 1), ("socket", socket.into_handle(), 1)];
    for (name, handle, len) in cases {
        let refused = Memory::from_handle(handle, len).expect_err(name);
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{name}");
    }
    // Some systems have whole pages.
    assert_eq!(Memory::from_handle(short, 1 << 20).expect_err("short").kind(), io::ErrorKind::InvalidData);
}
