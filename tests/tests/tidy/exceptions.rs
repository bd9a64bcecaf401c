//! Findings that stay, each with its reason.

use crate::tree::Finding;

/// Lets the findings of one check stand in one file.
pub struct Exception {
    /// The name of the check in `CHECKS`.
    pub check: &'static str,
    /// The file.
    pub path: &'static str,
    /// A part of the finding's text that says which finding in the file is meant; empty for all.
    pub part: &'static str,
    /// Why it stays.
    pub why: &'static str,
}

/// All of them. One that covers nothing any more fails a test.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        check: "panics",
        path: "mp-core/src/pool/verbs.rs",
        part: "panic!",
        why: "`Pool::default` has no way to return an error; its documentation says so and names the builder",
    },
    Exception {
        check: "sleeps",
        path: "tests/src/bin/family_interrupt.rs",
        part: "thread::sleep",
        why: "a call that lasts: its length is the input, nothing is synchronised by it",
    },
    Exception {
        check: "sleeps",
        path: "tests/src/bin/mp-bench/measure.rs",
        part: "thread::sleep",
        why: "the time in which two processes count is what is measured: nothing is synchronised by it",
    },
    Exception {
        check: "sleeps",
        path: "tests/src/windows.rs",
        part: "thread::sleep",
        why: "Windows does not tell whether a thread sleeps: one that uses no processor for this long is taken to",
    },
    Exception {
        check: "sleeps",
        path: "tests/tests/crash/poisson.rs",
        part: "thread::sleep",
        why: "the killer strikes at random moments: the pause is the randomness, nothing is synchronised by it",
    },
    Exception {
        check: "sleeps",
        path: "tests/tests/family/tree.rs",
        part: "thread::sleep",
        why: "the family is killed at a random moment: the pause is the randomness, nothing is synchronised by it",
    },
];

/// Whether an exception lets this finding stand.
pub fn covered(check: &str, finding: &Finding) -> bool {
    EXCEPTIONS.iter().any(|e| e.check == check && covers(e.path, e.part, finding))
}

/// Whether a finding is the one that path and part name.
pub fn covers(path: &str, part: &str, finding: &Finding) -> bool {
    finding.path == path && finding.what.contains(part)
}
