//! The children are this test program again: libtest is told to run `child` alone, and takes the marker for one of its
//! own options. What the child does is in its environment.

#![allow(clippy::cast_ptr_alignment)] // a page is aligned enough

use super::super::super::{entry, fault};
use super::super::memory;
use super::*;
use std::io::{IoSlice, Read as _};
use std::os::fd::FromRawFd as _;
use std::time::Duration;

const MARKER: &str = "--include-ignored";

/// Every wait ends, but a wait this long is a hang.
const WATCHDOG: Duration = Duration::from_secs(60);

fn start(what: &str) -> (Child, Socket) {
    let (ours, theirs) = Socket::pair().expect("a socket pair");
    let name = format!("{}::child", module_path!().split_once("::").expect("a module").1);
    let spawned = spawn(Spawn {
        program: None,
        args: ["arg zero", &name, "--exact", "--nocapture", "--test-threads=1"].map(OsString::from).to_vec(),
        marker: MARKER,
        env: vec![("MP_TEST_CHILD".into(), Some(what.into())), ("MP_TEST_REMOVED".into(), None)],
        current_dir: Some("/".into()),
        stdin: theirs,
        stdout: Stdio::null(),
        stderr: Stdio::null(),
    });
    (spawned.expect("a child"), ours)
}

fn say(socket: &Socket, text: &str) {
    socket.send(&[IoSlice::new(text.as_bytes())], &[]).expect("the parent lives");
}

fn hear(socket: &Socket, handles: &mut Vec<Handle>) -> String {
    assert!(poller::ready(socket.handle(), Some(WATCHDOG)).expect("pollable"), "no word from the child");
    let mut bytes = [0; 4096];
    let count = socket.receive(&mut bytes, handles).expect("readable").bytes;
    String::from_utf8(bytes[..count].to_vec()).expect("text")
}

fn end_of(child: &Child) -> Status {
    child.reap(Some(WATCHDOG)).expect("our child").expect("dead within the watchdog's time").status
}

#[test]
#[ignore = "a part of the other tests"]
fn child() {
    let Ok(what) = std::env::var("MP_TEST_CHILD") else { return };
    let channel = entry::take_channel().expect("the channel is stdin");
    match what.as_str() {
        "exit" => exit_now(7),
        "report" => {
            let seen = entry::is_worker(MARKER);
            let hidden = entry::hide_marker(MARKER);
            let gone = !entry::is_worker(MARKER);
            let args: Vec<_> = std::env::args().collect();
            let null = std::fs::read_link("/proc/self/fd/0").expect("stdin");
            let cwd = std::env::current_dir().expect("a directory");
            say(&channel, &format!("{seen} {hidden:?} {gone} {} {args:?} {null:?} {cwd:?}", args.len()));
            exit_now(0);
        }
        "fds" => {
            let open = std::fs::read_dir("/proc/self/fd").expect("proc").flatten();
            let names = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
            // Not the pipes that cargo leaves open for everybody.
            let ours =
                names.filter(|name| name.starts_with("/memfd:") || name.to_string_lossy().contains("socket"));
            say(&channel, &ours.count().to_string());
        }
        "family" => {
            let mut middle = Command::new("sh");
            middle.args(["-c", "sleep 1000 & setsid sleep 1001 & echo $! ; wait"]).stdout(Stdio::piped());
            let mut middle = middle.spawn().expect("sh exists");
            let mut first = [0; 1];
            middle.stdout.as_mut().expect("piped").read_exact(&mut first).expect("a number");
            say(&channel, "up");
            hear(&channel, &mut Vec::new());
            entry::kill_descendants();
            middle.wait().expect("our child");
            say(&channel, "childless");
            entry::kill_own_group_and_exit();
        }
        "watch" => {
            entry::die_with_parent().expect("prctl");
            entry::ignore_interrupt().expect("a handler");
            say(&channel, "up");
            loop {
                std::thread::park();
            }
        }
        "overflow" | "segfault" | "sent" | "illegal" => crash(&what, &channel),
        "memory" => {
            // Of each page one byte: all of them take an emulated processor a minute.
            let block = std::hint::black_box(vec![1_u8; 400 << 20]);
            say(&channel, &block.iter().step_by(4096).map(|byte| u32::from(*byte)).sum::<u32>().to_string());
            exit_now(0);
        }
        other => panic!("{other}"),
    }
}

fn crash(what: &str, channel: &Socket) -> ! {
    let notes = memory::Memory::create("mp-test", 4096).expect("memory");
    let mapping = memory::Mapping::map(&notes, memory::Access::ReadWrite).expect("a mapping");
    let words = mapping.ptr().cast::<fault::FaultWords>();
    std::mem::forget(mapping);
    // SAFETY: duty: alive for ever and all bits valid: just forgotten, atomics.
    fault::install(unsafe { &*words }).expect("handlers");
    channel.send(&[IoSlice::new(b"up")], &[notes.handle()]).expect("the parent lives");
    match what {
        // SAFETY: none: this is meant to fault.
        "segfault" => unsafe { std::ptr::without_provenance_mut::<u8>(0xdead_0000).write_volatile(1) },
        "sent" => super::super::super::disposition::raise(libc::SIGSEGV),
        "illegal" => std::process::abort(),
        _ => println!("{}", deep(1)),
    }
    exit_now(1);
}

#[allow(unconditional_recursion)]
fn deep(number: u64) -> u64 {
    let block = std::hint::black_box([number; 64]);
    deep(block[5] + 1) + block[7]
}

#[test]
fn a_child_sees_what_it_was_given_and_no_marker() {
    if super::super::super::is_emulated() {
        return; // qemu-user has the arguments on a stack of its own, where the marker stays in sight
    }
    let (child, socket) = start("report");
    let report = hear(&socket, &mut Vec::new());
    let expected = "true Ok(true) true 5 [\"arg zero\", ";
    assert!(report.starts_with(expected) && report.ends_with("\"/dev/null\" \"/\""), "{report}");
    assert_eq!(end_of(&child), Status::Code(0));
}

#[test]
fn exit_codes_and_signals_are_told_apart() {
    let (child, _socket) = start("exit");
    assert_eq!(end_of(&child), Status::Code(7));
    assert_eq!(end_of(&child), Status::Code(7), "it stays known");
    child.signal(Signal::Kill).expect("no error for the dead");
    child.kill_group().expect("no error for the dead");
    for (signal, number) in [(Signal::Terminate, libc::SIGTERM), (Signal::Kill, libc::SIGKILL)] {
        let (child, socket) = start("watch");
        assert_eq!(hear(&socket, &mut Vec::new()), "up");
        child.signal(Signal::Interrupt).expect("alive");
        assert_eq!(child.reap(Some(Duration::ZERO)).expect("our child"), None);
        child.signal(signal).expect("alive");
        assert_eq!(end_of(&child), Status::Signal(number));
        assert!(poller::ready(child.handle(), None).expect("pollable"));
    }
    assert_eq!(signal_name(libc::SIGKILL), "SIGKILL");
    assert_eq!(Status::Signal(libc::SIGSEGV).to_string(), format!("signal {} (SIGSEGV)", libc::SIGSEGV));
}

#[test]
fn descriptors_of_the_parent_do_not_reach_the_child() {
    let _others = [Socket::pair().expect("sockets"), Socket::pair().expect("sockets")];
    let _memory = memory::Memory::create("mp-test", 4096).expect("memory");
    let (child, socket) = start("fds");
    assert_eq!(hear(&socket, &mut Vec::new()), "1", "the channel alone");
    end_of(&child);
}

#[test]
fn the_family_of_a_child_goes_with_it() {
    let (child, socket) = start("family");
    assert_eq!(hear(&socket, &mut Vec::new()), "up");
    say(&socket, "end them");
    assert_eq!(hear(&socket, &mut Vec::new()), "childless");
    assert_eq!(end_of(&child), Status::Signal(libc::SIGKILL));
}

#[test]
fn a_dropped_child_takes_its_group_along() {
    let (child, socket) = start("family");
    assert_eq!(hear(&socket, &mut Vec::new()), "up");
    drop(child);
    // Its copy of the socket and those of its descendants are closed: the end comes when all of the group are dead.
    assert_eq!(hear(&socket, &mut Vec::new()), "");
}

#[test]
fn faults_leave_a_note() {
    let cases = [
        ("overflow", libc::SIGABRT, Some((libc::SIGSEGV, true))),
        ("segfault", libc::SIGSEGV, Some((libc::SIGSEGV, false))),
        ("sent", libc::SIGSEGV, Some((libc::SIGSEGV, false))),
        ("illegal", libc::SIGABRT, None),
    ];
    for (what, status, noted) in cases {
        let (child, socket) = start(what);
        let mut handles = Vec::new();
        assert_eq!(hear(&socket, &mut handles), "up");
        assert_eq!(end_of(&child), Status::Signal(status), "{what}");
        let notes = memory::Memory::from_handle(handles.remove(0), 4096).expect("memory");
        let mapping = memory::Mapping::map(&notes, memory::Access::Read).expect("a mapping");
        // SAFETY: duty: in bounds and alive: the mapping above; all bits are valid.
        let fault = unsafe { &*mapping.ptr().cast::<fault::FaultWords>() }.read();
        assert_eq!(fault.map(|fault| (fault.signal, fault.is_stack_overflow)), noted, "{what}");
        if what == "segfault" {
            assert_eq!(fault.map(|fault| fault.address), Some(0xdead_0000));
        }
    }
}

#[test]
fn peak_memory_is_the_childs_own() {
    let (child, socket) = start("memory");
    // More than all tests of this process together need at their worst: what is less than that is not known.
    assert_eq!(hear(&socket, &mut Vec::new()), ((400 << 20) / 4096).to_string());
    let ended = child.reap(Some(WATCHDOG)).expect("our child").expect("dead");
    assert!(ended.peak_rss.expect("more than ours") > 400 << 20, "{ended:?}");
    let (child, _socket) = start("exit");
    let _ballast = std::hint::black_box(vec![1_u8; 1 << 20]);
    let ended = child.reap(Some(WATCHDOG)).expect("our child").expect("dead");
    assert!(ended.peak_rss.is_none_or(|peak| peak < 100 << 20), "{ended:?}");
}

#[test]
fn a_stranger_on_descriptor_zero_is_refused() {
    // In a child of its own, as descriptor 0 belongs to the whole process: here libtest's, which is no socket.
    // SAFETY: duty: the descriptor is open and stays so: standard input of this process; it is forgotten, not closed.
    let stdin = unsafe { Handle::from_raw_fd(0) };
    let is_socket = rustix::net::getsockname(&stdin).is_ok();
    std::mem::forget(stdin);
    if !is_socket {
        assert_eq!(entry::take_channel().expect_err("no socket").kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn handles_travel_over_the_socket() {
    let (one, other) = Socket::pair().expect("a socket pair");
    let bell = super::super::bell::Bell::new().expect("a bell");
    let many = vec![bell.handle(); super::super::super::socket::HANDLES_MAX];
    assert_eq!(one.send(&[IoSlice::new(b"he"), IoSlice::new(b"llo")], &many).expect("room"), 5);
    let mut handles = Vec::new();
    assert_eq!(hear(&other, &mut handles), "hello");
    assert_eq!(handles.len(), many.len());
    let copy = super::super::bell::Bell::from_handle(handles.remove(0));
    copy.ring();
    copy.ring();
    assert!(bell.clear());
    assert!(!bell.clear());
    assert!(one.send(&[], &many[..1]).is_err());
    other.set_nonblocking(true).expect("a socket");
    let would_block = other.receive(&mut [0], &mut handles).expect_err("nothing to read");
    assert_eq!(would_block.kind(), io::ErrorKind::WouldBlock);
    drop(one);
    // A child that is being spawned by another test holds a copy of every socket up to its exec.
    assert!(poller::ready(other.handle(), Some(WATCHDOG)).expect("pollable"));
    assert_eq!(other.receive(&mut [0], &mut handles).expect("the end").bytes, 0);
    assert_eq!(other.send(&[IoSlice::new(b"x")], &[]).expect_err("nobody").kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_poller_names_what_is_ready() {
    let (bell, other) = (super::super::bell::Bell::new().expect("a bell"), Socket::pair().expect("sockets"));
    let poller = poller::Poller::new().expect("a poller");
    poller.add(bell.handle(), 5).expect("added");
    poller.add(other.0.handle(), u64::MAX).expect("added");
    let mut keys = vec![1];
    poller.wait(Some(Duration::ZERO), &mut keys).expect("pollable");
    assert_eq!(keys, []);
    bell.ring();
    poller.wait(None, &mut keys).expect("pollable");
    assert_eq!(keys, [5]);
    drop(other.1);
    poller.remove(bell.handle()).expect("there");
    poller.wait(Some(Duration::MAX), &mut keys).expect("pollable");
    assert_eq!(keys, [u64::MAX]);
    let ready = poller::ready_any(&[bell.handle(), other.0.handle()], Some(WATCHDOG)).expect("pollable");
    assert_eq!(ready, [true, true]);
    bell.clear();
    let each = poller::ready_each([other.0.handle(), bell.handle()], Some(Duration::ZERO)).expect("pollable");
    assert_eq!(each, [true, false]);
    assert!(!poller::ready(bell.handle(), Some(Duration::ZERO)).expect("pollable"));
}

#[test]
fn the_parents_handle_is_silent_while_it_lives() {
    let parent = parent_handle().expect("a pidfd");
    assert!(!poller::ready(parent.as_fd(), Some(Duration::ZERO)).expect("pollable"));
}
