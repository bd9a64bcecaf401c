//! Runs every example and compares what it prints with `mp-examples/expected/NAME.txt`.
//!
//! In an expected text `[..]` stands for anything within a line, and a line `...` for any number of lines. Arguments
//! come from `NAME.args`, one on each line. Examples run in the root of the workspace, in which they were built before:
//! `cargo test --workspace` does that.
//!
//! `.ci/matrix` runs the same comparison on other builds: `EXAMPLES_DIR` says where their programs are, `EXAMPLES_ONLY`
//! which to run (names with commas), and for `EXAMPLES_VARIANT=x` (on Windows: `windows`) a file
//! `NAME.x.txt` goes before `NAME.txt`.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long one example may take before it counts as hung, on a loaded machine and under an emulator.
const WATCHDOG: Duration = Duration::from_secs(120);

#[test]
fn examples_print_what_they_promise() {
    let only = env::var("EXAMPLES_ONLY").unwrap_or_default();
    let only: Vec<&str> = only.split(',').filter(|name| !name.is_empty()).collect();
    let names = names();
    assert!(!names.is_empty(), "mp-examples/examples holds no examples");
    for name in &only {
        assert!(names.iter().any(|known| known == name), "EXAMPLES_ONLY: no example is called {name:?}");
    }
    let chosen = names.iter().filter(|name| only.is_empty() || only.contains(&name.as_str()));
    let wrong: Vec<String> = chosen.filter_map(|name| mismatch(name)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn wildcards_match_what_they_stand_for() {
    let check = |pattern: &str, text: &str, expected: bool| {
        assert_eq!(matches(pattern, text), expected, "{pattern:?} against {text:?}");
    };
    check("a\nb\n", "a\nb\n", true);
    check("a\nb\n", "a\n", false);
    check("a\n", "a\nb\n", false);
    check("took [..] ms\n", "took 12 ms\n", true);
    check("took [..] ms\n", "took 12 s\n", false);
    check("[..]a[..]a\n", "banana\n", true);
    check("a[..]a\n", "a\n", false);
    check("a\n...\nz\n", "a\nb\nc\nz\n", true);
    check("a\n...\nz\n", "a\nz\n", true);
    check("a\n...\nz\n", "a\nb\n", false);
    check("...\n", "", true);
}

/// What is wrong with one example, if anything.
fn mismatch(name: &str) -> Option<String> {
    let expected = expected_file(name);
    let Ok(pattern) = fs::read_to_string(&expected) else {
        return Some(format!("example {name}: cannot read {}", expected.display()));
    };
    match run(name) {
        Err(why) => Some(format!("example {name}: {why}")),
        Ok(printed) if matches(&pattern, &printed) => None,
        Ok(printed) => {
            let file = expected.display();
            Some(format!("example {name} does not print what {file} says; it printed:\n{printed}"))
        }
    }
}

/// Runs an example; what it wrote to stdout, or why there is nothing to compare.
fn run(name: &str) -> Result<String, String> {
    let program = directory().join(format!("{name}{}", env::consts::EXE_SUFFIX));
    if !program.exists() {
        return Err(format!("{} is not built: run cargo test --workspace", program.display()));
    }
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null()).stdout(Stdio::piped());
    let arguments =
        fs::read_to_string(root().join(format!("mp-examples/expected/{name}.args"))).unwrap_or_default();
    command.args(arguments.lines());
    let mut child = command.spawn().map_err(|error| format!("cannot start: {error}"))?;
    let mut stdout = child.stdout.take().expect("stdout is a pipe");
    let (send, printed) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.read_to_end(&mut bytes);
        // The receiver is gone if the watchdog came first.
        let _ = send.send(read.map(|_| bytes));
    });
    let Ok(read) = printed.recv_timeout(WATCHDOG) else {
        child.kill().expect("our own child can be killed");
        child.wait().expect("a killed child can be waited for");
        return Err(format!("still held its stdout open after {WATCHDOG:?}"));
    };
    reader.join().expect("the reader does not panic");
    let status = child.wait().map_err(|error| format!("cannot be waited for: {error}"))?;
    let bytes = read.map_err(|error| format!("stdout cannot be read: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|error| format!("stdout is not text: {error}"))?;
    if status.success() { Ok(text) } else { Err(format!("ended with {status}; it printed:\n{text}")) }
}

/// Line by line, with wildcards.
fn matches(pattern: &str, text: &str) -> bool {
    fn lines_match(pattern: &[&str], text: &[&str]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((&"...", rest)) => (0..=text.len()).any(|skipped| lines_match(rest, &text[skipped..])),
            Some((first, rest)) => text
                .split_first()
                .is_some_and(|(line, more)| line_matches(first, line) && lines_match(rest, more)),
        }
    }
    lines_match(&pattern.lines().collect::<Vec<_>>(), &text.lines().collect::<Vec<_>>())
}

fn line_matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn names() -> Vec<String> {
    let folder = root().join("mp-examples/examples");
    let entries = fs::read_dir(&folder).expect("mp-examples/examples can be listed");
    let files = entries.map(|entry| entry.expect("an entry can be read").path());
    let rust = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut names: Vec<String> =
        rust.filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).collect();
    names.sort();
    names
}

fn expected_file(name: &str) -> PathBuf {
    let folder = root().join("mp-examples/expected");
    let variant = env::var("EXAMPLES_VARIANT").ok().or_else(|| cfg!(windows).then(|| "windows".to_owned()));
    let variant = variant.map(|variant| folder.join(format!("{name}.{variant}.txt")));
    variant.filter(|file| file.exists()).unwrap_or_else(|| folder.join(format!("{name}.txt")))
}

/// Where cargo puts examples: beside the folder of this test.
fn directory() -> PathBuf {
    env::var_os("EXAMPLES_DIR").map_or_else(
        || {
            let here = env::current_exe().expect("this program has a path");
            here.parent().and_then(Path::parent).expect("a test lies in PROFILE/deps").join("examples")
        },
        PathBuf::from,
    )
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a workspace member").to_owned()
}
