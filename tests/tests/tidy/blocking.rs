//! A public function whose first sentence says that it waits also says how the wait ends.

use crate::tree::{Finding, Function, Source, Tree, block_after, closing, ident, spaces, words};
use std::ops::Range;

const SECTION: &str = "# Blocking and death";
const SAYS_SO: &[&str] = &["blocks", "Blocks", "waits", "Waits"];

/// Public functions of re-exported types, and re-exported functions, that block and lack the section.
pub fn blocks_without_saying_how(tree: &Tree) -> Vec<Finding> {
    let Some(lib) = tree.sources.iter().find(|source| source.path == "mp-core/src/lib.rs") else {
        return Vec::new();
    };
    let public = re_exports(&lib.code);
    let mut findings = Vec::new();
    for source in tree.below("mp-core/src/").filter(|source| !source.path.starts_with("mp-core/src/sys/")) {
        let impls = impls_of(&source.code, &public);
        for function in source.functions().filter(|function| is_public(source, function)) {
            let owned = impls.iter().any(|range| range.contains(&function.start));
            let free = inside_nothing(source, function.start) && public.contains(&function.name);
            let doc = doc_above(source, function.start);
            let first = doc.split(". ").next().and_then(|text| text.split(".\n").next()).unwrap_or_default();
            let denies = first.contains("ever block") || first.contains("not block");
            let blocks = !denies && SAYS_SO.iter().any(|word| words(first, word).next().is_some());
            if (owned || free) && blocks && !doc.contains(SECTION) {
                let what =
                    format!("fn `{}` blocks, and its docs lack the section `{SECTION}`", function.name);
                findings.push(source.finding(function.start, what));
            }
        }
    }
    findings
}

/// Names in the `pub use` lines, before any `as`.
fn re_exports(code: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for at in words(code, "use").filter(|at| code[..*at].trim_end().ends_with("pub")) {
        let end = at + code[at..].find(';').unwrap_or(0);
        for name in code[at..end].split([',', '{', '}']) {
            let path = name.split(" as ").next().unwrap_or(name).trim();
            names.push(path.rsplit("::").next().unwrap_or(path).trim());
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The bodies of the inherent impls of these types.
fn impls_of(code: &str, types: &[&str]) -> Vec<Range<usize>> {
    let mut bodies = Vec::new();
    for at in words(code, "impl") {
        let mut name = at + "impl".len();
        name += spaces(&code[name..]);
        if code[name..].starts_with('<') {
            name += generics_end(&code[name..]);
            name += spaces(&code[name..]);
        }
        if let (true, Some(body)) = (types.contains(&ident(&code[name..])), block_after(code, name)) {
            bodies.push(body);
        }
    }
    bodies
}

fn generics_end(code: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in code.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if !code[..at].ends_with('-') => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

fn is_public(source: &Source, function: &Function<'_>) -> bool {
    let line = source.code[..function.start].rfind('\n').map_or(0, |newline| newline + 1);
    source.code[line..function.start].trim_start().starts_with("pub ")
}

fn inside_nothing(source: &Source, place: usize) -> bool {
    let mut open = source.code[..place].match_indices('{').map(|(at, _)| at);
    !open.any(|at| closing(&source.code, at) > place)
}

/// The doc comment above a function, attributes skipped.
fn doc_above(source: &Source, place: usize) -> String {
    let lines: Vec<&str> = source.text.lines().take(source.line(place) - 1).map(str::trim).collect();
    let above = lines.iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
    let mut doc: Vec<&str> = above.filter_map(|line| line.strip_prefix("///")).collect();
    doc.reverse();
    doc.join("\n")
}
