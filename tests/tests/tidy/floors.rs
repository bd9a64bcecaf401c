//! Imports of mp-core against the floors table of `docs/architecture.md`.

use crate::tree::{Finding, Source, Tree, block_after, closing, ident, spaces, words};

const PAGE: &str = "docs/architecture.md";
const CORE: &str = "mp-core/src/";

/// The tables of the architecture page.
pub struct Rules {
    /// Module and floor.
    floors: Vec<(String, u32)>,
    /// From, to.
    doors: Vec<(String, String)>,
    /// Modules that may hold unsafe code.
    pub rooms: Vec<String>,
}

impl Rules {
    /// Reads the page.
    pub fn of(tree: &Tree) -> Self {
        let page = tree.text(PAGE).unwrap_or_default();
        let (mut floors, mut doors) = (Vec::new(), Vec::new());
        for cells in rows(page, "## Floors") {
            match cells[0].parse() {
                Ok(floor) => floors.extend(quoted(cells[1]).into_iter().map(|module| (module, floor))),
                Err(_) => {
                    doors.extend(quoted(cells[0]).into_iter().zip(quoted(cells[1])));
                }
            }
        }
        let rooms = rows(page, "## Unsafe rooms").flat_map(|cells| quoted(cells[0])).collect();
        Self { floors, doors, rooms }
    }

    fn floor(&self, module: &str) -> Option<u32> {
        self.floors.iter().find(|(known, _)| known == module).map(|(_, floor)| *floor)
    }

    /// What is wrong with an import, if anything.
    fn objection(&self, from: &str, to: &str) -> Option<String> {
        if from == to || from == "lib" {
            return None;
        }
        let (Some(low), Some(high)) = (self.floor(from), self.floor(to)) else {
            let unknown = if self.floor(from).is_none() { from } else { to };
            return Some(format!(
                "`crate::{unknown}` is no module of the floors table; name the module itself"
            ));
        };
        let door = self.doors.iter().any(|(a, b)| a == from && b == to);
        (high >= low && !door).then(|| {
            format!("`{from}` (floor {low}) imports `{to}` (floor {high}); only lower floors may be imported")
        })
    }
}

/// Imports that climb, or go to a neighbour.
pub fn imports_climb(tree: &Tree) -> Vec<Finding> {
    let rules = Rules::of(tree);
    let mut findings = Vec::new();
    for source in tree.below(CORE) {
        let from = *source.module().first().unwrap_or(&"lib");
        for (at, target) in imports(source) {
            let objection = match target {
                "*" => (from != "lib").then(|| "imports everything of the crate root".to_owned()),
                module => rules.objection(from, module),
            };
            findings.extend(objection.map(|what| source.finding(at, what)));
        }
    }
    findings
}

/// Modules without a floor, floors without a module.
pub fn table_and_tree_differ(tree: &Tree) -> Vec<Finding> {
    let rules = Rules::of(tree);
    let finding = |what: String| Finding { path: PAGE.to_owned(), line: 1, what };
    if rules.floors.is_empty() {
        return vec![finding("no floors table below `## Floors`".to_owned())];
    }
    let mut modules: Vec<&str> = tree.below(CORE).map(|s| *s.module().first().unwrap_or(&"lib")).collect();
    modules.sort_unstable();
    modules.dedup();
    let homeless = modules.iter().filter(|module| rules.floor(module).is_none());
    let mut findings: Vec<Finding> =
        homeless.map(|module| finding(format!("module `{module}` stands on no floor"))).collect();
    for (module, floor) in &rules.floors {
        if !modules.contains(&module.as_str()) {
            findings.push(finding(format!("floor {floor} names `{module}`, which does not exist")));
        }
    }
    findings
}

/// The first name below the crate root of each path in the code that starts there.
fn imports(source: &Source) -> Vec<(usize, &str)> {
    let code = &source.code;
    let mut found = Vec::new();
    for at in source.words("crate") {
        let visibility = code[..at].trim_end();
        let inside_macro = code[..at].ends_with('$');
        let restricts = visibility.ends_with("pub(") || visibility.ends_with("pub(in");
        if !inside_macro && !restricts {
            found.extend(first_names(code, at + "crate".len()));
        }
    }
    for at in source.words("super") {
        if code[..at].trim_end().ends_with("::") {
            continue;
        }
        let (mut climbed, mut end) = (0, at);
        while code[end..].starts_with("super") {
            climbed += 1;
            end += "super".len();
            let next = end + spaces(&code[end..]);
            let Some(rest) = code[next..].strip_prefix("::") else { break };
            if rest.trim_start().starts_with("super") {
                end = next + 2 + spaces(rest);
            }
        }
        if climbed >= source.module().len() + inline_depth(code, at) {
            found.extend(first_names(code, end));
        }
    }
    found.retain(|(at, _)| !source.is_test(*at));
    found
}

/// The names after `::`, in a group or alone. Macros are exported to the crate root and have no floor there.
fn first_names(code: &str, end_of_root: usize) -> Vec<(usize, &str)> {
    let colons = end_of_root + spaces(&code[end_of_root..]);
    if !code[colons..].starts_with("::") {
        return Vec::new();
    }
    let start = colons + 2 + spaces(&code[colons + 2..]);
    if !code[start..].starts_with('{') {
        return first_name(code, start).into_iter().collect();
    }
    let (mut names, mut depth) = (Vec::new(), 0);
    for (at, c) in code[start..closing(code, start)].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 1 && (c == '{' || c == ',') {
            let name = start + at + 1;
            names.extend(first_name(code, name + spaces(&code[name..])));
        }
    }
    names
}

fn first_name(code: &str, at: usize) -> Option<(usize, &str)> {
    if code[at..].starts_with('*') {
        return Some((at, "*"));
    }
    let name = ident(&code[at..]);
    (!name.is_empty() && !code[at + name.len()..].starts_with('!')).then_some((at, name))
}

/// How many `mod name { .. }` of this file a place is in.
fn inline_depth(code: &str, place: usize) -> usize {
    let modules = words(code, "mod").filter_map(|at| block_after(code, at));
    modules.filter(|body| body.contains(&place)).count()
}

/// The cells of the table rows below a heading, without headers and rulers.
fn rows<'a>(page: &'a str, heading: &str) -> impl Iterator<Item = Vec<&'a str>> {
    let section = page.split(heading).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.trim().strip_prefix('|'));
    let rows = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    rows.filter(|cells| {
        cells.len() >= 2 && (cells[0].starts_with('`') || cells[0].starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// The words of a cell that stand between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
