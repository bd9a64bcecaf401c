//! Programs in a system that lacks what others have: a bare root, a container's, a jail's.

use mp_tests::scenario;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_start_program");

/// What the program prints in a system of its own, after `change` was made to that; `None` where nobody may have one.
fn run_in(change: &str, words: &[&str]) -> Option<String> {
    let inside = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, PROGRAM]).args(words);
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
            let said = run_in("mount -t tmpfs none /dev", &[case, PROGRAM]);
            assert!(said.is_none_or(|said| said == "42\n"), "{case}");
        }
    });
}
