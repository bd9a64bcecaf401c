//! Words that must not stand in the text. They are put together from parts here, so that this file holds none.

use crate::tree::{Finding, Source, Tree, words};

/// Panics of the library itself are bugs, so the code says what happens instead.
pub fn panics(tree: &Tree) -> Vec<Finding> {
    let library = tree
        .sources
        .iter()
        .filter(|s| s.path.starts_with("mp-core/src/") || s.path.starts_with("mp-macros/src/"));
    let mut findings = Vec::new();
    for source in library {
        for pattern in [".unwrap()", ".expect(", "panic!"] {
            findings.extend(code_findings(source, pattern, |at| !source.is_test(at)));
        }
    }
    findings
}

/// Marks of unfinished work.
pub fn leftovers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        for pattern in ["todo!", "dbg!", "unimplemented!"] {
            findings.extend(code_findings(source, pattern, |_| true));
        }
    }
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ig", "nore]")];
    for file in tree.files.iter().filter(|file| !file.path.ends_with("Cargo.lock")) {
        for (number, line) in file.text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| has_word(line, mark)) {
                findings.push(Finding {
                    path: file.path.clone(),
                    line: number + 1,
                    what: format!("`{mark}` left over"),
                });
            }
        }
    }
    findings
}

/// Places of one machine and hosts of package registries. They are true nowhere else.
pub fn machine_places(tree: &Tree) -> Vec<Finding> {
    let folders =
        [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];
    let hosts = [
        concat!("cra", "tes.io"),
        concat!("py", "pi.org"),
        concat!("pytho", "nhosted.org"),
        concat!("npm", "js.org"),
        concat!("deb.deb", "ian.org"),
        concat!("rust-la", "ng.org"),
    ];
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !file.path.ends_with("Cargo.lock")) {
        for (number, line) in file.text.lines().enumerate() {
            let folder = folders.iter().find(|folder| starts_a_path(line, folder));
            if let Some(place) = folder.or_else(|| hosts.iter().find(|host| line.contains(**host))) {
                findings.push(Finding {
                    path: file.path.clone(),
                    line: number + 1,
                    what: format!("names `{place}`"),
                });
            }
        }
    }
    findings
}

/// A test that sleeps is slow when it passes and wrong when it fails.
pub fn sleeps_in_tests(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        let all = source.path.starts_with("tests/");
        findings.extend(code_findings(source, "thread::sleep", |at| all || source.is_test(at)));
    }
    findings
}

fn code_findings(source: &Source, pattern: &'static str, keep: impl Fn(usize) -> bool) -> Vec<Finding> {
    let starts_inside_a_word = |at: usize| {
        let before = source.code[..at].chars().next_back();
        !pattern.starts_with('.') && before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    let places = source.code.match_indices(pattern).map(|(at, _)| at);
    let kept = places.filter(|at| !starts_inside_a_word(*at) && keep(*at));
    kept.map(|at| source.finding(at, format!("`{pattern}`"))).collect()
}

fn has_word(line: &str, mark: &str) -> bool {
    if mark.starts_with('#') { line.contains(mark) } else { words(line, mark).next().is_some() }
}

/// Whether an absolute path with this start is in the line, rather than a part of a relative one.
fn starts_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~})*".contains(c))
    })
}
