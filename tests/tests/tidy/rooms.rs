//! Where unsafe code and the operating system may appear.

use crate::floors::Rules;
use crate::tree::{Finding, Source, Tree, closing, ident, spaces, words};

/// `unsafe` of mp-core outside its rooms, and whether mp-macros forbids it.
pub fn unsafe_outside_rooms(tree: &Tree) -> Vec<Finding> {
    let rooms = Rules::of(tree).rooms;
    let mut findings = Vec::new();
    for source in tree.below("mp-core/src/") {
        let module = source.module().join("/");
        if rooms.iter().any(|room| {
            module.strip_prefix(room.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }) {
            continue;
        }
        for at in source.words("unsafe") {
            findings.push(source.finding(at, format!("`unsafe` outside the rooms {}", rooms.join(", "))));
        }
    }
    for source in tree.below("mp-macros/src/lib.rs") {
        if !source.code.contains("#![forbid(unsafe_code)]") {
            findings.push(source.finding(0, "the crate does not forbid unsafe code".to_owned()));
        }
    }
    findings
}

/// `unsafe` that does not say who keeps its duty.
pub fn unsafe_without_reason(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What mp-macros quotes is code of the user's crate, and what `ui` holds is meant to be refused.
    let exempt = |source: &&Source| {
        source.path.starts_with("mp-macros/src/") || source.path.starts_with("mp-macros/ui/")
    };
    for source in tree.sources.iter().filter(|source| !exempt(source)) {
        for at in source.words("unsafe") {
            if !is_type(&source.code[at..]) && !has_reason(source, at) {
                findings.push(
                    source
                        .finding(at, "`unsafe` without a `SAFETY:` comment or `# Safety` section".to_owned()),
                );
            }
        }
    }
    findings
}

/// Conditions on the operating system outside `sys`.
pub fn os_cfg_outside_sys(tree: &Tree) -> Vec<Finding> {
    const SYSTEMS: &[&str] =
        &["unix", "windows", "target_os", "target_family", "target_env", "target_vendor"];
    let mut findings = Vec::new();
    for source in tree.below("mp-core/src/").filter(|source| source.module().first() != Some(&"sys")) {
        for condition in ["cfg", "cfg_attr"] {
            for at in source.words(condition) {
                let rest = source.code[at + condition.len()..].trim_start_matches('!');
                let open = source.code.len() - rest.len();
                if !rest.starts_with('(') {
                    continue;
                }
                let inside = &source.code[open..closing(&source.code, open)];
                for system in SYSTEMS.iter().filter(|system| words(inside, system).next().is_some()) {
                    findings.push(source.finding(at, format!("`{system}` in a cfg outside sys")));
                }
            }
        }
    }
    findings
}

/// Names that `sys` takes from one system only, and names without a file on one of them. A system may keep files of
/// its own for what it does inside.
pub fn sys_sides_differ(tree: &Tree) -> Vec<Finding> {
    let Some(sys) = tree.sources.iter().find(|source| source.path == "mp-core/src/sys/mod.rs") else {
        return Vec::new();
    };
    let sides = ["unix", "windows"].map(|side| (side, taken_from(&sys.code, side)));
    let mut findings = Vec::new();
    for ((here, names), (there, others)) in [(&sides[0], &sides[1]), (&sides[1], &sides[0])] {
        for name in names {
            if !others.contains(name) {
                findings.push(sys.finding(0, format!("`{name}` is taken from {here} and not from {there}")));
            } else if !has_module(tree, here, name) {
                findings.push(sys.finding(0, format!("`{name}` has no file below mp-core/src/sys/{here}")));
            }
        }
    }
    findings
}

/// The names of `pub use side::{..};`.
fn taken_from<'a>(code: &'a str, side: &str) -> Vec<&'a str> {
    let start = format!("pub use {side}::{{");
    let lists = code
        .match_indices(&start)
        .map(|(at, _)| code[at + start.len()..].split('}').next().unwrap_or_default());
    lists.flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// Whether a module has a file on a side, or a module or function stands inside one. Types are not looked for.
fn has_module(tree: &Tree, side: &str, name: &str) -> bool {
    if name.starts_with(|c: char| c.is_ascii_uppercase()) {
        return true;
    }
    let folder = format!("mp-core/src/sys/{side}/");
    let (file, inner) = (format!("/{name}.rs"), format!("/{name}/mod.rs"));
    let inline = [format!("pub mod {name} {{"), format!("pub fn {name}(")];
    tree.below(&folder).any(|s| {
        s.path.ends_with(&file) || s.path.ends_with(&inner) || inline.iter().any(|text| s.code.contains(text))
    })
}

/// Whether this is the type of an unsafe function rather than an unsafe thing.
fn is_type(code: &str) -> bool {
    let rest = code["unsafe".len()..].trim_start();
    let rest = rest.strip_prefix("extern").map_or(rest, |rest| {
        let rest = rest.trim_start();
        let abi = rest.strip_prefix('"').and_then(|inside| inside.split_once('"'));
        abi.map_or(rest, |(_, rest)| rest).trim_start()
    });
    let after = &rest[ident(rest).len()..];
    ident(rest) == "fn" && after[spaces(after)..].starts_with('(')
}

/// Looks for the reason on the same line, then upwards to the start of the statement or item.
fn has_reason(source: &Source, at: usize) -> bool {
    const STATEMENT_MAX_LINES: usize = 8;
    let gives_reason = |line: &str| line.contains("SAFETY:") || line.contains("# Safety");
    let text: Vec<&str> = source.text.lines().collect();
    let code: Vec<&str> = source.code.lines().collect();
    let line = source.line(at) - 1;
    if gives_reason(text[line]) {
        return true;
    }
    let mut code_lines = 0;
    for above in (0..line).rev() {
        let trimmed = text[above].trim();
        if trimmed.starts_with("//") {
            if gives_reason(trimmed) {
                return true;
            }
            continue;
        }
        code_lines += 1;
        let attribute = trimmed.starts_with("#[");
        let ends = code[above].trim_end().ends_with([';', '{', '}']);
        if trimmed.is_empty() || (ends && !attribute) || code_lines > STATEMENT_MAX_LINES {
            return false;
        }
    }
    false
}
