//! Workers from another file than the one that runs.

use mp_tests::scenario;
use std::process::Command;

/// A program that knows nothing of mp, and ends at once.
const STRANGER: &str = if cfg!(windows) { r"c:\windows\system32\hostname.exe" } else { "/bin/true" };

fn run(case: &str, path: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_start_program")).args([case, path]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn processes_of_processes_run_the_executable_that_was_chosen_wherever_they_are() {
    scenario(|| {
        let scratch = crate::scratch::Scratch::new();
        let other_name = scratch.file("another-name.exe");
        mp_tests::copy_program(env!("CARGO_BIN_EXE_start_program"), &other_name);
        let from_here = std::path::Path::new(".").join("another-name.exe");
        let cases =
            if crate::has_copies() { &["spawned below", "forked below"][..] } else { &["spawned below"] };
        for case in cases {
            let mut program = Command::new(env!("CARGO_BIN_EXE_start_program"));
            let output = program.arg(case).arg(&from_here).current_dir(scratch.file("")).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{case}: {said}{}", String::from_utf8_lossy(&output.stderr));
            assert!(said.trim_end().ends_with("another-name.exe"), "{case}: {said}");
        }
    });
}

/// The file that a process runs need not be the one by which it was started.
#[test]
fn processes_of_processes_come_through_the_wrapper_that_was_chosen() {
    if !crate::has_copies() {
        return; // where there is a shell to make one
    }
    scenario(|| {
        let scratch = crate::scratch::Scratch::new();
        let wrapper = scratch.file("wrapper");
        let program = env!("CARGO_BIN_EXE_start_program");
        // By another process: see `copy_program`.
        let make = r#"printf '#!/bin/sh\nexport WRAPPED=$((WRAPPED + 1))\nexec "%s" "$@"\n' "$1" >"$0" && chmod 700 "$0""#;
        assert!(Command::new("sh").args(["-c", make]).arg(&wrapper).arg(program).status().unwrap().success());
        for case in ["spawned below", "forked below"] {
            assert_eq!(run(case, wrapper.to_str().unwrap()).trim_end(), format!("2 {program}"), "{case}");
        }
    });
}

/// `/nowhere/at/all` in errors: on Windows it is relative to the drive.
fn nowhere() -> String {
    format!("\"{}\"", std::path::absolute("/nowhere/at/all").unwrap().display())
}

#[test]
fn a_pool_whose_workers_cannot_be_started_again_says_so_and_blames_no_earlier_death() {
    if mp_tests::is_emulated() {
        return; // qemu-user makes a fork of a vfork: the child's refusal comes too late for the parent
    }
    scenario(|| {
        let said = run("not again", "/nowhere/at/all");
        for part in ["gave up", "the last could not be started", &nowhere(), "mp::set_executable"] {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
        assert!(!said.contains("exit code 3"), "{said}");
    });
}

#[test]
fn another_executable_is_this_program_or_an_error_that_says_what_to_do() {
    scenario(|| {
        let scratch = crate::scratch::Scratch::new();
        let other_name = scratch.file("another-name.exe");
        mp_tests::copy_program(env!("CARGO_BIN_EXE_start_program"), &other_name);
        let cases = if crate::has_copies() { &["spawned", "forked"][..] } else { &["spawned"] };
        for case in cases {
            assert_eq!(run(case, other_name.to_str().unwrap()), "42\n");
            if mp_tests::is_emulated() {
                continue; // qemu-user makes a fork of a vfork: the child's refusal comes too late for the parent
            }
            let missing = run(case, "/nowhere/at/all");
            // No such file; Windows says that there is no such path.
            let number = if cfg!(windows) { "os error 3" } else { "os error 2" };
            for part in ["cannot start", &nowhere(), "mp::set_executable", number] {
                assert!(missing.contains(part), "{case}: {part:?} is not in {missing}");
            }
            let other = run(case, STRANGER);
            assert!(other.contains("mp::main!()"), "{case}: {other}");
            assert!(*case != "spawned" || other.contains("mp::set_executable"), "{other}");
            let family = run(case, env!("CARGO_BIN_EXE_program"));
            assert!(family.contains("another program") || family.contains("mp::main!()"), "{case}: {family}");
        }
    });
}
