use super::*;

#[test]
fn what_is_written_is_seen_by_every_mapping() {
    let memory = Memory::create("test", 5000).unwrap();
    let other = Memory::from_handle(super::super::duplicate(memory.handle()).unwrap(), 5000).unwrap();
    let (here, there) =
        (Mapping::map(&memory, Access::ReadWrite).unwrap(), Mapping::map(&other, Access::Read).unwrap());
    here.copy_in(4990, b"0123456789").unwrap();
    assert!(here.copy_in(4991, b"0123456789").is_err(), "beyond the end, though the page goes on");
    assert!(there.copy_in(0, b"x").is_err(), "for reading only");
    let mut bytes = Vec::new();
    there.copy_out(4990, 10, &mut bytes).unwrap();
    assert_eq!(bytes, b"0123456789");
}

#[test]
fn only_memory_of_ours_is_taken() {
    let small = Memory::create("test", 10).unwrap();
    let copy = || super::super::duplicate(small.handle()).unwrap();
    assert!(Memory::from_handle(copy(), 10).is_ok());
    assert_eq!(Memory::from_handle(copy(), 11).unwrap_err().kind(), io::ErrorKind::InvalidData);
    let event = super::super::call::event(true).unwrap();
    assert_eq!(Memory::from_handle(event, 1).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn memory_grows_with_what_is_in_it() {
    let mut memory = Memory::create_growable("test", 100).unwrap();
    Mapping::map(&memory, Access::ReadWrite).unwrap().copy_in(90, b"abc").unwrap();
    memory.grow(100_000).unwrap();
    let mapping = Mapping::map(&memory, Access::ReadWrite).unwrap();
    let mut bytes = Vec::new();
    mapping.copy_out(90, 4, &mut bytes).unwrap();
    assert_eq!(bytes, b"abc\0");
    mapping.copy_in(99_999, b"z").unwrap();
}

#[test]
fn sealed_memory_is_written_by_nobody_any_more() {
    let memory = Memory::create_sealable("test", 100).unwrap();
    let early = Memory::from_handle(super::super::duplicate(memory.handle()).unwrap(), 100).unwrap();
    let writer = Mapping::map(&memory, Access::ReadWrite).unwrap();
    assert_eq!(memory.seal_contents().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    assert!(!memory.is_content_sealed());
    drop(writer);
    memory.seal_contents().unwrap();
    assert!(memory.is_content_sealed());
    for memory in [&memory, &early] {
        assert!(Mapping::map(memory, Access::ReadWrite).is_err());
        assert!(Mapping::map(memory, Access::Sealed).is_ok());
    }
}

#[test]
fn sparse_memory_is_there_where_it_was_committed() {
    const LEN: usize = 1 << 30;
    let memory = Memory::create_sparse("test", LEN).unwrap();
    let (here, there) =
        (Mapping::map(&memory, Access::ReadWrite).unwrap(), Mapping::map(&memory, Access::Read).unwrap());
    assert!(memory.resident().unwrap() <= 4096, "of a gibibyte only the page behind it");
    here.commit(LEN / 2, 100_000).unwrap();
    here.copy_in(LEN / 2, b"abc").unwrap();
    here.commit(LEN / 2, 1).unwrap();
    let mut bytes = Vec::new();
    there.copy_out(LEN / 2, 4, &mut bytes).unwrap();
    assert_eq!(bytes, b"abc\0");
    assert!(here.commit(LEN - 10, 11).is_err(), "beyond the end");
    assert!(memory.resident().unwrap() < 200_000);
    let other = Memory::from_handle(super::super::duplicate(memory.handle()).unwrap(), LEN).unwrap();
    assert!(Mapping::map(&other, Access::ReadWrite).is_ok(), "it is as long as it was made");
}
