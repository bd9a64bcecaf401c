//! What a reader can hold: file and function lengths, and tables of contents without functions.

use crate::tree::{Finding, Tree};

const FILE_MAX_LINES: usize = 500;
const FUNCTION_MAX_LINES: usize = 70;

/// Functions in `lib.rs` and `mod.rs`. The doors of a macro crate have to stand in its `lib.rs`.
pub fn functions_in_tables_of_contents(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.below("mp-core/src/") {
        if source.path.ends_with("/lib.rs") || source.path.ends_with("/mod.rs") {
            let functions = source.functions().filter(|function| !source.is_test(function.start));
            findings.extend(functions.map(|function| {
                source.finding(function.start, format!("fn `{}` in a table of contents", function.name))
            }));
        }
    }
    findings
}

/// Files that are too long to read in one go.
pub fn long_files(tree: &Tree) -> Vec<Finding> {
    let lengths = tree.sources.iter().map(|source| (source, source.text.lines().count()));
    let long =
        lengths.filter(|(source, lines)| *lines > FILE_MAX_LINES && source.path != "tests/tests/tidy.rs");
    long.map(|(source, lines)| source.finding(0, format!("{lines} lines, more than {FILE_MAX_LINES}")))
        .collect()
}

/// Functions that do not fit on a screen.
pub fn long_functions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        for function in source.functions() {
            let Some(body) = function.body else { continue };
            let lines = source.line(body.end) - source.line(function.start) + 1;
            if lines > FUNCTION_MAX_LINES {
                let what =
                    format!("fn `{}` has {lines} lines, more than {FUNCTION_MAX_LINES}", function.name);
                findings.push(source.finding(function.start, what));
            }
        }
    }
    findings
}
