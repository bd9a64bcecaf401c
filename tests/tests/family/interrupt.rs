//! Ctrl-C, sent by a terminal.

use crate::tree::new_mark;
use mp_tests::{family, is_emulated, marked, scenario, until};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

const CTRL_C: &[u8] = b"\x03";

/// Cases, and those with a fork server where there is one: qemu-user has a thread of its own in each process.
fn cases<'a>(cases: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let has_server = cfg!(all(target_os = "linux", not(mp_portable_unix))) && !is_emulated();
    cases.iter().copied().filter(move |case| has_server || !case.ends_with("forkserver"))
}

/// `family_interrupt` at a terminal of its own.
struct Program {
    child: Child,
    terminal: File,
    said: String,
    name: String,
}

impl Program {
    /// With one argument or two.
    fn start(arguments: &str) -> Self {
        let mut program = Self::start_quietly(arguments);
        program.hear("ready");
        program
    }

    /// The same, for one that does not say that it is ready.
    fn start_quietly(arguments: &str) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::io::fcntl_setfd(&terminal, rustix::io::FdFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let path = ptsname(&terminal, Vec::new()).unwrap();
        let path = std::ffi::OsStr::from_bytes(path.as_bytes());
        let end = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).custom_flags(libc::O_NOCTTY).open(path).unwrap()
        };
        let name = new_mark();
        let mut command = marked(env!("CARGO_BIN_EXE_family_interrupt"), &name);
        command.args(arguments.split(' ')).env("RUST_BACKTRACE", "1");
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        // It holds the program's end of the terminal, too: nobody would hear that the program is gone.
        drop(command);
        Self { child, terminal: terminal.into(), said: String::new(), name }
    }

    /// Reads what it says until a word comes, or to the end; whether the word came.
    fn hears(&mut self, word: Option<&str>) -> bool {
        let mut bytes = [0; 4096];
        while word.is_none_or(|word| !self.said.contains(word)) {
            match self.terminal.read(&mut bytes) {
                Ok(count) if count > 0 => self.said += &String::from_utf8_lossy(&bytes[..count]),
                // Nobody has the other end any more: EIO.
                Ok(_) | Err(_) => return false,
            }
        }
        true
    }

    fn hear(&mut self, word: &str) {
        assert!(self.hears(Some(word)), "it ended without {word:?} and said:\n{}", self.said);
    }

    fn press(&mut self, keys: &[u8]) {
        self.terminal.write_all(keys).unwrap();
    }

    /// Its end and all that it said. Nobody of it may live, and nobody may have complained.
    fn end(mut self) -> (ExitStatus, String) {
        // It waits then: the end of a session takes away what has not been read.
        if self.hears(Some("in order")) {
            self.press(b"\n");
        }
        self.hears(None);
        let status = self.child.wait().unwrap();
        until(|| family(&self.name).is_empty());
        for noise in ["panicked", "stack backtrace", "died", "mp:"] {
            assert!(!self.said.contains(noise), "{noise:?} in:\n{}", self.said);
        }
        (status, self.said)
    }
}

#[test]
fn one_ctrl_c_gives_control_back_and_the_program_ends_in_order() {
    scenario(|| {
        for case in cases(&[
            "short",
            "iterator",
            "stuck",
            "starting",
            "inline",
            "beside",
            "joining",
            "stuck forkserver",
        ]) {
            let mut program = Program::start(case);
            program.press(CTRL_C);
            let (status, said) = program.end();
            assert!(
                status.success() && said.contains("interrupted") && said.contains("in order"),
                "{case}: {said}"
            );
        }
    });
}

/// Workers are in the background, from where nobody brings them to the foreground.
#[test]
fn tasks_write_to_the_terminal_and_are_refused_to_read_from_it_and_do_not_stand_still() {
    scenario(|| {
        for case in cases(&["terminal", "terminal forkserver"]) {
            let (status, said) = Program::start(case).end();
            assert!(status.success() && said.contains("in order"), "{case}: {said}");
            for number in [0, 1] {
                for words in ["wrote", "complained", "read: true, false"] {
                    assert!(said.contains(&format!("task {number} {words}")), "{case}: {words:?}: {said}");
                }
            }
        }
    });
}

#[test]
fn a_second_ctrl_c_ends_the_program_at_once() {
    scenario(|| {
        let mut program = Program::start("twice");
        // Two that come at the same moment count as one, so it is pressed until it works.
        until(|| {
            program.press(CTRL_C);
            program.child.try_wait().unwrap().is_some()
        });
        let (status, said) = program.end();
        assert_eq!(status.signal(), Some(libc::SIGINT), "{said}");
        assert!(!said.contains("in order"), "{said}");
    });
}

#[test]
fn ctrl_c_ends_a_program_that_waits_for_no_call_as_it_ends_any_other() {
    scenario(|| {
        for case in cases(&["idle", "idle forkserver"]) {
            let mut program = Program::start(case);
            program.press(CTRL_C);
            let (status, said) = program.end();
            assert_eq!(status.signal(), Some(libc::SIGINT), "{said}");
        }
    });
}

/// Its call has a value, or the pool was on its way out: nobody would be told, and the program would go on as if nothing had been.
#[test]
fn ctrl_c_that_finds_nothing_left_to_stop_ends_the_program() {
    scenario(|| {
        for case in ["last", "stopping"] {
            let (status, said) = Program::start_quietly(case).end();
            assert_eq!(status.signal(), Some(libc::SIGINT), "{case}: {said}");
        }
    });
}

#[test]
fn ctrl_c_that_comes_with_the_first_step_of_a_call_is_one_that_finds_work() {
    scenario(|| {
        let (status, said) = Program::start_quietly("early").end();
        assert!(status.success() && said.contains("in order"), "{status:?}: {said}");
    });
}

#[test]
fn a_handler_of_the_programs_own_stays_in_place() {
    scenario(|| {
        let mut program = Program::start("handler");
        program.press(CTRL_C);
        let (status, said) = program.end();
        assert!(status.success() && said.contains("handled") && said.contains("in order"), "{said}");
    });
}
