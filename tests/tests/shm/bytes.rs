//! `SharedMemory` with and without a name, and `ShareableList`.

use mp::ErrorKind;
use mp::shm::{Item, ShareableList, SharedMemory};
use mp_tests::scenario;

/// A name that no other test uses.
fn name(what: &str) -> String {
    format!("mp-test-{what}-{}", std::process::id())
}

#[mp::task]
fn reverse(memory: &SharedMemory) {
    let mut bytes = vec![0; memory.len()];
    memory.read(0, &mut bytes).unwrap();
    bytes.reverse();
    memory.write(0, &bytes).unwrap();
}

#[mp::task]
fn attach_and_reverse(name: &str) {
    reverse(&SharedMemory::attach(name).unwrap());
}

#[test]
fn bytes_are_seen_by_who_was_sent_them() {
    scenario(|| {
        let memory = SharedMemory::new(5).unwrap();
        memory.write(0, b"abcde").unwrap();
        mp::spawn(reverse, (&memory,)).unwrap().join().unwrap();
        let mut bytes = [0; 3];
        memory.read(1, &mut bytes).unwrap();
        assert_eq!((&bytes, memory.name()), (b"dcb", None));
        for (offset, count) in [(5, 1), (0, 6), (usize::MAX, 1)] {
            let error = memory.read(offset, &mut vec![0; count]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        }
        assert_eq!(SharedMemory::new(0).unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_name_has_one_owner() {
    scenario(|| {
        let name = name("owner");
        let owner = SharedMemory::create_named(&name, 4).unwrap();
        owner.write(0, b"1234").unwrap();
        let taken = SharedMemory::create_named(&name, 4).unwrap_err();
        assert!(taken.kind() == ErrorKind::Os && taken.to_string().contains(&name), "{taken}");
        mp::spawn(attach_and_reverse, (&name,)).unwrap().join().unwrap();
        mp::spawn(reverse, (&owner,)).unwrap().join().unwrap();
        let attached = SharedMemory::attach(&name).unwrap();
        assert_eq!((attached.len(), attached.name()), (4, Some(&*name)));
        drop(SharedMemory::attach(&name).unwrap());
        drop(owner.clone());
        SharedMemory::attach(&name).expect("it is there while its owner is");
        drop(owner);
        // There a name goes away with whoever has what it names.
        if cfg!(not(windows)) {
            let missing = SharedMemory::attach(&name).unwrap_err();
            assert!(missing.to_string().contains(&name), "{missing}");
        }
        let mut bytes = [0; 4];
        attached.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"1234", "who has it keeps it");
        drop(attached);
        assert!(SharedMemory::attach(&name).is_err());
        for wrong in ["", "a/b", ".."] {
            assert_eq!(SharedMemory::attach(wrong).unwrap_err().kind(), ErrorKind::InvalidInput, "{wrong:?}");
        }
    });
}

#[mp::task]
fn own_and_die(name: &str) {
    let _owner = SharedMemory::create_named(name, 1).unwrap();
    std::process::abort();
}

#[test]
fn the_name_of_a_killed_owner_can_be_removed() {
    scenario(|| {
        let name = name("killed");
        assert!(mp::spawn(own_and_die, (&name,)).unwrap().join().unwrap_err().is_worker_lost());
        // There nothing is left that could be removed.
        if cfg!(not(windows)) {
            SharedMemory::attach(&name).expect("it was asked for by name");
            SharedMemory::unlink(&name).unwrap();
        }
        assert!(SharedMemory::unlink(&name).is_err());
    });
}

fn items() -> Vec<Item> {
    vec![
        "nul\0\0".into(),
        (-5).into(),
        2.5.into(),
        true.into(),
        Item::None,
        Item::Bytes(vec![0, 1, 0]),
        "".into(),
    ]
}

#[mp::task]
fn double_numbers(list: ShareableList, from: usize, to: usize) {
    for index in from..to {
        match list.get(index).unwrap() {
            Some(Item::Int(number)) => list.set(index, 2 * number).unwrap(),
            Some(Item::Float(number)) => list.set(index, 2.0 * number).unwrap(),
            _ => {}
        }
    }
}

#[test]
fn a_list_keeps_items_of_all_types() {
    scenario(|| {
        let list = ShareableList::new(items()).unwrap();
        assert_eq!(list.to_vec().unwrap(), items());
        assert_eq!((list.len().unwrap(), list.get(7).unwrap()), (7, None));
        assert_eq!(list.count(&Item::None).unwrap(), 1);
        assert_eq!(list.index(&2.5.into()).unwrap(), Some(2));
        assert_eq!(list.index(&3.5.into()).unwrap(), None);
        let too_long = list.set(0, "nine byte").unwrap_err();
        assert_eq!(too_long.kind(), ErrorKind::InvalidInput, "{too_long}");
        assert_eq!(list.get(0).unwrap(), Some("nul\0\0".into()), "the old one stays");
        list.set(0, "8 bytes!").unwrap();
        list.set(4, 7).unwrap();
        assert_eq!(list.set(7, 1).unwrap_err().kind(), ErrorKind::InvalidInput);
        let halves = [(&list, 0, 3), (&list, 3, 7)];
        mp::Pool::new(2).unwrap().starmap(double_numbers, halves).unwrap();
        let mut expected = items();
        expected[0] = "8 bytes!".into();
        (expected[1], expected[2], expected[4]) = ((-10).into(), 5.0.into(), 14.into());
        assert_eq!(list.to_vec().unwrap(), expected);
        assert!(ShareableList::new(Vec::<Item>::new()).unwrap().is_empty().unwrap());
    });
}

/// Everything that lies in shared memory, with a limit for files that none of it respects.
#[cfg(unix)]
#[mp::task]
fn make_with_small_files() -> Vec<String> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    const BYTES: usize = 1 << 20;
    let attached = SharedMemory::create_named(&name("small"), BYTES).unwrap();
    setrlimit(Resource::Fsize, Rlimit { current: Some(64 << 10), maximum: None }).unwrap();
    let of = |error: mp::Error| error.to_string();
    vec![
        of(SharedMemory::new(BYTES).unwrap_err()),
        of(SharedMemory::create_named(&name("large"), BYTES).unwrap_err()),
        // Where it is mapped there is no file to be written.
        #[cfg(all(target_os = "linux", not(mp_portable_unix)))]
        of(attached.write(BYTES - 1, b"x").unwrap_err()),
        of(mp::shm::SharedVec::<u8>::zeroed(BYTES).unwrap_err()),
        of(mp::Queue::<u8>::unbounded().unwrap_err()),
        of(mp::Pool::new(1).unwrap_err()),
        of(mp::spawn(reverse, (&attached,)).unwrap_err()),
    ]
}

// A process that asks for more than it may have is ended by SIGXFSZ.
#[cfg(unix)]
#[test]
fn a_limit_for_the_size_of_files_is_an_error_and_not_the_end_of_the_program() {
    scenario(|| {
        for text in mp::spawn(make_with_small_files, ()).unwrap().join().unwrap() {
            assert!(text.contains("`ulimit -f`"), "{text}");
        }
    });
}

#[test]
fn what_a_list_and_a_memory_print_is_what_is_in_them() {
    scenario(|| {
        let list = ShareableList::new([Item::from(b"HoWdY"), 42.into(), Item::None]).unwrap();
        assert_eq!(format!("{list:?}"), "ShareableList([Bytes([72, 111, 87, 100, 89]), Int(42), None])");
        let memory = SharedMemory::new(3).unwrap();
        assert_eq!(format!("{memory:?}"), "SharedMemory { name: None, len: 3 }");
    });
}
