//! Names of files and folders, what names them, and the links between pages.

use crate::tree::{Finding, Source, Tree};

/// What the top level may hold.
const TOP_LEVEL: &[&str] = &[
    ".ci",
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "docs",
    "mp-core",
    "mp-examples",
    "mp-macros",
    "rustfmt.toml",
    "tests",
];

/// Names that would fit anything say nothing.
pub fn names_that_fit_anything(tree: &Tree) -> Vec<Finding> {
    const EMPTY: &[&str] = &["util", "utils", "common", "misc", "helper", "helpers"];
    let mut findings = Vec::new();
    for file in &tree.files {
        let stems = file.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        for stem in stems.filter(|stem| EMPTY.contains(stem)) {
            findings.push(Finding {
                path: file.path.clone(),
                line: 1,
                what: format!("`{stem}` would fit anything"),
            });
        }
    }
    findings
}

/// Files and folders at the top that nobody agreed on.
pub fn uninvited_entries(tree: &Tree) -> Vec<Finding> {
    let ignored: Vec<&str> =
        tree.text(".gitignore").unwrap_or_default().lines().map(|l| l.trim_matches('/')).collect();
    let mut entries: Vec<&str> =
        tree.files.iter().map(|f| f.path.split('/').next().unwrap_or(&f.path)).collect();
    entries.sort_unstable();
    entries.dedup();
    entries.retain(|entry| !TOP_LEVEL.contains(entry) && !ignored.contains(entry));
    let finding = |entry: &str| {
        let what = "not agreed for the top level (see TOP_LEVEL in tests/tests/tidy/layout.rs)";
        Finding { path: entry.to_owned(), line: 1, what: what.to_owned() }
    };
    entries.into_iter().map(finding).collect()
}

/// Links in pages to files that do not exist.
pub fn dead_links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.split('.').next_back() == Some("md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in file.text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let place = target.split('#').next().unwrap_or(target);
                if place.is_empty() || place.contains("://") || place.starts_with("mailto:") {
                    continue;
                }
                if !exists(tree, &resolved(folder, place)) {
                    let what = format!("link to `{place}`, which does not exist");
                    findings.push(Finding { path: file.path.clone(), line: number + 1, what });
                }
            }
        }
    }
    findings
}

/// Rust files of a crate that no module names: nobody compiles them.
pub fn files_that_no_module_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources.iter().filter(|source| source.path.contains("/src/")) {
        let Some((folder, file)) = source.path.rsplit_once('/') else { continue };
        let is_root = matches!(file, "lib.rs" | "main.rs") || folder.ends_with("/src/bin");
        let (above, name) = match file.strip_suffix(".rs") {
            Some("mod") | None => folder.rsplit_once('/').unwrap_or(("", folder)),
            Some(stem) => (folder, stem),
        };
        let declaration = format!("mod {name};");
        let parents = ["/mod.rs", "/lib.rs", "/main.rs", ".rs"].map(|end| format!("{above}{end}"));
        let declares = |other: &Source| parents.contains(&other.path) && other.code.contains(&declaration);
        let named_by_path = |other: &Source| {
            let paths = other.text.split("path = \"").skip(1).filter_map(|rest| rest.split('"').next());
            paths.map(|path| path.rsplit('/').next()).any(|last| last == Some(file))
        };
        if !is_root && !tree.sources.iter().any(|other| declares(other) || named_by_path(other)) {
            let what = "no module names this file".to_owned();
            findings.push(Finding { path: source.path.clone(), line: 1, what });
        }
    }
    findings
}

fn exists(tree: &Tree, path: &str) -> bool {
    tree.files
        .iter()
        .any(|file| file.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn resolved(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            "." | "" => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}
