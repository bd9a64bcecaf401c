//! Programs in a system that lacks what others have: a bare root, a container's, a jail's.

use mp_tests::scenario;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_start_program");

const ODD: &str = env!("CARGO_BIN_EXE_start_odd");

/// What the program prints in a system of its own, after `change` was made to that; `None` where nobody may have one.
fn run_in(change: &str, program: &str, words: &[&str]) -> Option<String> {
    let inside = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, program]).args(words);
        command.output()
    };
    let is_able = inside(&format!("{change}; echo made")).is_ok_and(|output| output.stdout == b"made\n");
    if !is_able || mp_tests::is_emulated() {
        return None; // a container, or a system that has this forbidden; qemu-user's own needs would be met
    }
    let output = inside(&format!("{change}; exec \"$0\" \"$@\"")).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Some(said)
}

#[test]
fn processes_start_where_there_is_no_null_device() {
    scenario(|| {
        for case in ["spawned", "forked"] {
            let said = run_in("mount -t tmpfs none /dev", PROGRAM, &[case, PROGRAM]);
            assert!(said.is_none_or(|said| said == "42\n"), "{case}");
        }
        // Who asks for it hears what is missing.
        let Some(said) = run_in("mount -t tmpfs none /dev", ODD, &["silent"]) else { return };
        assert_eq!(said.matches("/dev/null, where output is to go, cannot be opened").count(), 2, "{said}");
    });
}

#[test]
fn where_proc_is_not_mounted_the_error_says_what_is_missing_and_what_to_do() {
    scenario(|| {
        let Some(said) = run_in("mount -t tmpfs none /proc", ODD, &["first calls"]) else { return };
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        for part in ["cannot start the process", "no /proc/self/exe", "mount /proc", "`mp::set_executable`"] {
            assert!(lines[0].contains(part), "{part:?} is not in {said}");
        }
        for part in ["cannot start the fork server", "/proc/self/task"] {
            assert!(lines[1].contains(part), "{part:?} is not in {said}");
        }
        let said = run_in("mount -t tmpfs none /proc", ODD, &["named memory"]).unwrap();
        for part in
            ["cannot create the shared memory \"mp-test-odd-", "there is no /proc/self/fd/", "mount /proc"]
        {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
    });
}

#[test]
fn a_program_that_may_not_be_run_again_hears_which_file_and_what_to_do() {
    if mp_tests::is_emulated() {
        return; // qemu-user makes a fork of a vfork: the child's refusal comes too late for the parent
    }
    scenario(|| {
        let scratch = crate::scratch::Scratch::new();
        let copy = scratch.file("start_odd");
        mp_tests::copy_program(ODD, &copy);
        let output = Command::new(&copy).arg("without rights").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.lines().count(), 2, "{said}");
        for part in ["/proc/self/exe", "the rights of its file", "`mp::set_executable`", "Permission denied"]
        {
            assert_eq!(said.matches(part).count(), 2, "{part:?}: {said}");
        }
    });
}

/// What the program prints when the kernel has no such call.
fn without(call: libc::c_long) -> String {
    let output = Command::new(ODD).args(["without", &call.to_string()]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_system_call_that_is_missing_or_forbidden_is_named() {
    if mp_tests::is_emulated() {
        return; // qemu-user has no filters for system calls
    }
    scenario(|| {
        let calls = [
            (libc::SYS_memfd_create, "`memfd_create`"),
            (libc::SYS_pidfd_open, "`pidfd_open`"),
            (libc::SYS_eventfd2, "`eventfd2`"),
            (libc::SYS_epoll_create1, "`epoll_create1`"),
        ];
        for (number, name) in calls {
            let said = without(number);
            assert_eq!(said.lines().filter(|line| line.contains(name)).count(), 2, "{name}: {said}");
        }
    });
}

/// Its parent, which sees the channel close, kills it.
#[test]
fn a_worker_that_cannot_begin_says_why_before_it_is_killed() {
    if mp_tests::is_emulated() {
        return; // qemu-user has no filters for system calls
    }
    scenario(|| {
        for _ in 0..10 {
            let said = without(libc::SYS_sigaltstack);
            assert_eq!(said.matches("died with exit code 71").count(), 2, "{said}");
            assert_eq!(said.matches("cannot install its crash handler").count(), 2, "{said}");
        }
        let number = libc::SYS_sigaltstack.to_string();
        let output = Command::new(ODD).args(["spawned without", &number]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("it could not begin its work, and has said why on stderr"), "{said}");
        assert!(said.contains("cannot install its crash handler"), "{said}");
    });
}
