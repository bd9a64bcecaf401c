//! Workers from another file than the one that runs.

use mp_tests::scenario;
use std::process::Command;

fn run(case: &str, path: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_start_program")).args([case, path]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn another_executable_is_this_program_or_an_error_that_says_what_to_do() {
    scenario(|| {
        let scratch = crate::scratch::Scratch::new();
        let link = scratch.file("link");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_start_program"), &link).unwrap();
        for case in ["spawned", "forked"] {
            assert_eq!(run(case, link.to_str().unwrap()), "42\n");
            let missing = run(case, "/nowhere/at/all");
            assert!(missing.contains("cannot start") && missing.contains("o such file"), "{case}: {missing}");
            let other = run(case, "/bin/true");
            assert!(other.contains("mp::main!()"), "{case}: {other}");
            let family = run(case, env!("CARGO_BIN_EXE_program"));
            assert!(family.contains("another program") || family.contains("mp::main!()"), "{case}: {family}");
        }
    });
}
