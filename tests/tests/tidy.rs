//! The house rules that a machine can check. Each check is a function of the tree that returns what it found; each
//! has a test that runs it on the real tree and one that shows it a small tree which breaks the rule.
//!
//! A finding that has to stay is listed in `tidy/exceptions.rs` with its reason.

#[path = "tidy/blocking.rs"]
mod blocking;
#[path = "tidy/exceptions.rs"]
mod exceptions;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/layout.rs"]
mod layout;
#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/rooms.rs"]
mod rooms;
#[path = "tidy/size.rs"]
mod size;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/words.rs"]
mod words;

use exceptions::{EXCEPTIONS, Exception};
use tree::{Finding, Tree};

type Check = fn(&Tree) -> Vec<Finding>;

/// Every check by the name that exceptions use.
const CHECKS: &[(&str, Check)] = &[
    ("floors", floors::imports_climb),
    ("floors table", floors::table_and_tree_differ),
    ("unsafe rooms", rooms::unsafe_outside_rooms),
    ("safety comments", rooms::unsafe_without_reason),
    ("os cfg", rooms::os_cfg_outside_sys),
    ("sys names", rooms::sys_sides_differ),
    ("contents", size::functions_in_tables_of_contents),
    ("file size", size::long_files),
    ("function size", size::long_functions),
    ("panics", words::panics),
    ("leftovers", words::leftovers),
    ("places", words::machine_places),
    ("sleeps", words::sleeps_in_tests),
    ("names", layout::names_that_fit_anything),
    ("top level", layout::uninvited_entries),
    ("links", layout::dead_links),
    ("modules", layout::files_that_no_module_names),
    ("blocking docs", blocking::blocks_without_saying_how),
    ("dependencies", manifests::dependencies_without_reason),
];

fn check(name: &str) -> Check {
    let found = CHECKS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no check is called {name:?}")).1
}

/// Runs a check on the workspace and fails with everything that no exception covers.
fn clean(name: &str) {
    let findings = check(name)(Tree::workspace());
    let left: Vec<String> =
        findings.iter().filter(|f| !exceptions::covered(name, f)).map(ToString::to_string).collect();
    assert!(left.is_empty(), "{name}: {} finding(s)\n{}\n", left.len(), left.join("\n"));
}

/// Runs a check on a small tree and asserts that it finds exactly what is named, by a part of each finding.
#[track_caller]
fn finds(name: &str, files: &[(&str, &str)], expected: &[&str]) {
    let found: Vec<String> = check(name)(&Tree::of(files)).iter().map(ToString::to_string).collect();
    let same = found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| f.contains(e));
    assert!(same, "{name}: expected {expected:#?}, found {found:#?}");
}

const ARCHITECTURE: (&str, &str) = (
    "docs/architecture.md",
    "## Floors\n\n| floor | modules | what |\n|---|---|---|\n| 7 | `lib` | x |\n| 6 | `pool` `worker` | x |\n\
     | 1 | `error` | x |\n| 0 | `sys` `limits` | x |\n\n| from | to | why |\n|---|---|---|\n\
     | `sys` | `limits` | x |\n\n## Unsafe rooms\n\n| room | for what |\n|---|---|\n| `sys` | x |\n| `task/instance` | x |\n",
);

#[test]
fn modules_import_from_lower_floors_only() {
    clean("floors");
}

#[test]
fn a_climbing_import_is_seen() {
    let check =
        |path: &str, code: &str, expected: &[&str]| finds("floors", &[ARCHITECTURE, (path, code)], expected);
    check("mp-core/src/error.rs", "use crate::pool::Pool;", &["`error` (floor 1) imports `pool` (floor 6)"]);
    check("mp-core/src/error.rs", "use crate::{limits::MAX, pool::{Pool, Other}};", &["imports `pool`"]);
    check("mp-core/src/error.rs", "fn f() { crate :: worker :: go() }", &["imports `worker`"]);
    check("mp-core/src/error.rs", "use super::pool::Pool;", &["imports `pool`"]);
    check("mp-core/src/error/report.rs", "use super::super::pool::Pool;", &["imports `pool`"]);
    check("mp-core/src/pool/mod.rs", "use crate::worker::Seat;", &["imports `worker`"]);
    check("mp-core/src/limits.rs", "use crate::sys::page_size;", &["imports `sys`"]);
    check(
        "mp-core/src/pool/mod.rs",
        "use crate::Error;",
        &["`crate::Error` is no module of the floors table"],
    );
    check("mp-core/src/pool/mod.rs", "use crate::*;", &["everything of the crate root"]);
}

#[test]
fn allowed_imports_pass() {
    let check = |path: &str, code: &str| finds("floors", &[ARCHITECTURE, (path, code)], &[]);
    check("mp-core/src/pool/mod.rs", "use crate::{error::Error, limits};\nuse crate::pool::seat::Seat;");
    check("mp-core/src/pool/seat.rs", "use super::Pool;\nuse super::plan::Plan;");
    check("mp-core/src/sys/unix.rs", "use crate::limits::MAX;");
    check("mp-core/src/lib.rs", "pub use crate::pool::Pool;");
    check("mp-core/src/error.rs", "// use crate::pool::Pool;\nconst S: &str = \"crate::pool::Pool\";");
    check("mp-core/src/error.rs", "#[cfg(test)]\nmod tests {\n use super::*;\n use crate::pool::Pool;\n}");
    check(
        "mp-core/src/error.rs",
        "macro_rules! m { () => { $crate::pool::go() } }\npub(in crate::error) fn f() {}",
    );
}

#[test]
fn the_floors_table_names_the_modules_that_exist() {
    clean("floors table");
}

#[test]
fn a_module_without_a_floor_is_seen() {
    let rest =
        ["lib.rs", "pool/mod.rs", "worker.rs", "error.rs", "sys/mod.rs"].map(|f| format!("mp-core/src/{f}"));
    let mut files = vec![ARCHITECTURE];
    files.extend(rest.iter().map(|path| (path.as_str(), "")));
    finds("floors table", &files, &["floor 0 names `limits`"]);
    files.extend([("mp-core/src/limits.rs", ""), ("mp-core/src/attic/mod.rs", "")]);
    finds("floors table", &files, &["`attic` stands on no floor"]);
    finds("floors table", &[("docs/architecture.md", "# nothing")], &["no floors table"]);
}

#[test]
fn unsafe_stays_in_its_rooms() {
    clean("unsafe rooms");
}

#[test]
fn unsafe_in_the_wrong_room_is_seen() {
    let check = |path: &str, code: &str, expected: &[&str]| {
        finds("unsafe rooms", &[ARCHITECTURE, (path, code)], expected);
    };
    let block = "// SAFETY: x\nfn f() { unsafe { g() } }";
    check("mp-core/src/pool/mod.rs", block, &["mod.rs:2: `unsafe` outside the rooms sys, task/instance"]);
    check("mp-core/src/pool/mod.rs", "#[unsafe(no_mangle)] fn f() {}", &["outside the rooms"]);
    check("mp-core/src/sys/unix.rs", block, &[]);
    check("mp-core/src/task/instance.rs", block, &[]);
    check("mp-core/src/task/instances.rs", block, &["outside the rooms"]);
    check("mp-core/src/pool/mod.rs", "#![deny(unsafe_code)] // unsafe\n", &[]);
    check("mp-macros/src/lib.rs", "//! Doors.", &["does not forbid unsafe"]);
    check("mp-macros/src/lib.rs", "#![forbid(unsafe_code)]", &[]);
}

#[test]
fn unsafe_says_why_it_is_sound() {
    clean("safety comments");
}

#[test]
fn unsafe_without_a_reason_is_seen() {
    let check =
        |code: &str, expected: &[&str]| finds("safety comments", &[("mp-core/src/sys/a.rs", code)], expected);
    check("fn f() {\n    g();\n    unsafe { h() }\n}", &["a.rs:3: `unsafe` without a `SAFETY:` comment"]);
    check("// SAFETY: for f only\nfn f() {}\nunsafe impl Send for A {}", &["a.rs:3"]);
    check("/// Does.\npub unsafe fn f() {}", &["a.rs:2"]);
    check("fn f() {\n    // SAFETY: kept by g\n    let x =\n        unsafe { h() };\n}", &[]);
    check("/// Does.\n///\n/// # Safety\n/// The caller keeps it.\n#[inline]\npub unsafe fn f() {}", &[]);
    finds("safety comments", &[("mp-macros/ui/fail/a.rs", "unsafe fn f() {}")], &[]);
    check("type F = unsafe extern \"C\" fn(i32);\ntype G = unsafe fn();", &[]);
}

#[test]
fn the_operating_system_has_one_room() {
    clean("os cfg");
}

#[test]
fn an_os_cfg_elsewhere_is_seen() {
    let check = |path: &str, code: &str, expected: &[&str]| finds("os cfg", &[(path, code)], expected);
    check("mp-core/src/pool/mod.rs", "#[cfg(unix)]\nfn f() {}", &["mod.rs:1: `unix` in a cfg outside sys"]);
    check("mp-core/src/pool/mod.rs", "if cfg!(target_os = \"linux\") {}", &["`target_os`"]);
    check("mp-core/src/pool/mod.rs", "#[cfg_attr(all(not(windows), x), y)]\nfn f() {}", &["`windows`"]);
    check("mp-core/src/sys/mod.rs", "#[cfg(unix)]\nmod unix;", &[]);
    check("mp-core/src/pool/mod.rs", "#[cfg(test)]\nmod tests {}\nuse crate::sys::unix;", &[]);
}

#[test]
fn both_systems_have_the_same_names() {
    clean("sys names");
}

#[test]
fn a_name_of_one_system_only_is_seen() {
    let sys = |both: &'static str| ("mp-core/src/sys/mod.rs", both);
    let [unix, windows] = ["unix", "windows"].map(|side| format!("mp-core/src/sys/{side}/"));
    let (a, inner, other) = (format!("{unix}a.rs"), format!("{unix}linux/b.rs"), format!("{windows}a.rs"));
    let files = |sys| [sys, (a.as_str(), ""), (inner.as_str(), ""), (other.as_str(), "")];
    let same = "pub use unix::{Handle, a};\npub use windows::{Handle, a};";
    finds("sys names", &files(sys(same)), &[]);
    let missing = "pub use unix::{a, b};\npub use windows::{a, b};";
    finds("sys names", &files(sys(missing)), &["`b` has no file below mp-core/src/sys/windows"]);
    let fewer = "pub use unix::{a, b};\npub use windows::{a};";
    finds("sys names", &files(sys(fewer)), &["`b` is taken from unix and not from windows"]);
}

#[test]
fn tables_of_contents_hold_no_functions() {
    clean("contents");
}

#[test]
fn a_function_in_a_table_of_contents_is_seen() {
    let code = "//! Doc.\nmod a;\npub fn f() {}\ntype F = fn(i32);\n";
    finds("contents", &[("mp-core/src/lib.rs", code)], &["lib.rs:3: fn `f` in a table of contents"]);
    finds("contents", &[("mp-core/src/pool/mod.rs", code)], &["fn `f`"]);
    finds("contents", &[("mp-core/src/pool/seat.rs", code), ("mp-macros/src/lib.rs", code)], &[]);
}

#[test]
fn files_and_functions_fit_a_reader() {
    clean("file size");
    clean("function size");
}

#[test]
fn a_long_file_or_function_is_seen() {
    let file = "\n".repeat(501);
    finds("file size", &[("mp-core/src/a.rs", &file)], &["501 lines"]);
    finds("file size", &[("mp-core/src/a.rs", &file[1..])], &[]);
    let function =
        |lines: usize| format!("struct S;\nfn f(a: [u8; 4])\n{{\n{}}}\n", "    g();\n".repeat(lines - 3));
    finds("function size", &[("mp-core/src/a.rs", &function(71))], &["a.rs:2: fn `f` has 71 lines"]);
    finds("function size", &[("mp-core/src/a.rs", &function(70))], &[]);
    finds("function size", &[("mp-core/src/a.rs", "trait T { fn f(); fn g() {} }")], &[]);
}

#[test]
fn the_library_does_not_panic() {
    clean("panics");
}

#[test]
fn a_panic_in_the_library_is_seen() {
    let check = |code: &str, expected: &[&str]| finds("panics", &[("mp-core/src/a.rs", code)], expected);
    check("fn f() {\n    g().unwrap();\n}", &["a.rs:2: `.unwrap()`"]);
    check("fn f() { g().expect(\"x\"); panic!(\"y\") }", &["`.expect(`", "`panic!`"]);
    check("fn f() { g().unwrap_or(1); h(\".unwrap()\") }\n/// `x.unwrap()`\nfn i() {}", &[]);
    check("#[cfg(test)]\nmod tests { fn f() { g().unwrap() } }", &[]);
    check(
        "#[cfg(loom)]\nmod model { fn f() { g().unwrap() } }\n#[cfg(not(loom))]\nfn i() { g().unwrap() }",
        &["a.rs:4"],
    );
    finds("panics", &[("mp-core/src/a/tests.rs", "fn f() { g().unwrap() }")], &[]);
    let apart = [
        ("mp-core/src/a.rs", "#[cfg(test)]\nmod worlds;"),
        ("mp-core/src/a/worlds.rs", "fn f() { g().unwrap() }"),
    ];
    finds("panics", &apart, &[]);
}

#[test]
fn nothing_is_left_for_later() {
    clean("leftovers");
}

#[test]
fn a_leftover_is_seen() {
    let check = |text: &str, expected: &[&str]| finds("leftovers", &[("mp-core/src/a.rs", text)], expected);
    check("fn f() { todo!() }", &["`todo!`"]);
    check("fn f() { dbg!(1); unimplemented!() }", &["`dbg!`", "`unimplemented!`"]);
    check(concat!("// TO", "DO later"), &["a.rs:1"]);
    check(concat!("#[ig", "nore]\nfn f() {}"), &["a.rs:1"]);
    check("fn f() { h(\"todo!()\") }", &[]);
    finds("leftovers", &[("docs/a.md", concat!("FIX", "ME"))], &["docs/a.md:1"]);
}

#[test]
fn no_text_names_a_machine() {
    clean("places");
}

#[test]
fn a_machine_place_is_seen() {
    finds("places", &[("docs/a.md", concat!("see /wo", "rk/x"))], &["docs/a.md:1"]);
    finds("places", &[("docs/a.md", "see docs/work/x")], &[]);
    finds("places", &[("a.toml", concat!("# py", "pi.org"))], &["a.toml:1"]);
    finds("places", &[("Cargo.lock", concat!("cra", "tes.io"))], &[]);
}

#[test]
fn tests_do_not_sleep() {
    clean("sleeps");
}

#[test]
fn a_sleep_in_a_test_is_seen() {
    let sleep = "fn f() { std::thread::sleep(D) }";
    finds("sleeps", &[("tests/tests/a.rs", sleep)], &["a.rs:1: `thread::sleep`"]);
    finds(
        "sleeps",
        &[("mp-core/src/a.rs", "#[cfg(test)]\nmod tests { fn f() { thread::sleep(D) } }")],
        &["a.rs:2"],
    );
    finds("sleeps", &[("mp-core/src/a.rs", sleep)], &[]);
}

#[test]
fn no_name_fits_anything() {
    clean("names");
}

#[test]
fn a_name_that_fits_anything_is_seen() {
    finds("names", &[("mp-core/src/pool/utils.rs", "")], &["`utils`"]);
    finds("names", &[("tests/common/mod.rs", "")], &["`common`"]);
    finds("names", &[("mp-core/src/uncommon.rs", "")], &[]);
}

#[test]
fn the_top_level_holds_the_agreed_entries() {
    clean("top level");
}

#[test]
fn an_uninvited_entry_is_seen() {
    finds("top level", &[("README.md", ""), ("notes.txt", "")], &["notes.txt"]);
    finds("top level", &[(".gitignore", "/scratch\n"), ("scratch/a", "")], &[]);
}

#[test]
fn every_file_belongs_to_a_module() {
    clean("modules");
}

#[test]
fn a_file_that_no_module_names_is_seen() {
    let root = ("a/src/lib.rs", "mod b;\n#[path = \"b/far.rs\"]\nmod near;\n// mod c;");
    let rest = [("a/src/b/mod.rs", "pub mod d;"), ("a/src/b/d.rs", ""), ("a/src/b/far.rs", "")];
    finds("modules", &[root, rest[0], rest[1], rest[2], ("a/src/bin/e.rs", ""), ("a/tests/f.rs", "")], &[]);
    let dead = "no module names this file";
    finds("modules", &[root, ("a/src/c.rs", "")], &[&format!("a/src/c.rs:1: {dead}")]);
    finds("modules", &[root, rest[0], ("a/src/b/g.rs", "")], &[&format!("a/src/b/g.rs:1: {dead}")]);
}

#[test]
fn links_lead_somewhere() {
    clean("links");
}

#[test]
fn a_dead_link_is_seen() {
    let target = ("docs/b.md", "");
    finds("links", &[target, ("docs/a.md", "[b](b.md) [b](../docs/b.md#x) [c](https://c.example)")], &[]);
    finds("links", &[target, ("docs/a.md", "\n[x](x.md)")], &["docs/a.md:2: link to `x.md`"]);
}

#[test]
fn what_blocks_says_how_it_ends() {
    clean("blocking docs");
}

#[test]
fn a_blocking_function_without_its_section_is_seen() {
    let check = |code: &str, expected: &[&str]| {
        let lib = ("mp-core/src/lib.rs", "pub use pool::{Pool, all as wait};");
        finds("blocking docs", &[lib, ("mp-core/src/pool/mod.rs", code)], expected);
    };
    check(
        "impl Pool {\n    /// Blocks until done.\n    pub fn join(&self) {}\n}",
        &["mod.rs:3: fn `join` blocks"],
    );
    check("impl<T> Pool<T> {\n    /// Waits.\n    #[inline]\n    pub fn join(&self) {}\n}", &["fn `join`"]);
    check("/// Waits for all.\npub fn all() {}", &["fn `all`"]);
    check(
        "impl Pool {\n    /// Waits.\n    ///\n    /// # Blocking and death\n    /// Ends.\n    pub fn join(&self) {}\n}",
        &[],
    );
    check("impl Pool {\n    /// Sets a thing. The end waits for it.\n    pub fn set(&self) {}\n}", &[]);
    check("impl Pool {\n    /// Never blocks.\n    pub fn poke(&self) {}\n}", &[]);
    check("impl Inner {\n    /// Waits.\n    pub fn join(&self) {}\n}", &[]);
}

#[test]
fn dependencies_say_why_they_are_there() {
    clean("dependencies");
}

#[test]
fn a_dependency_without_a_reason_is_seen() {
    let check = |text: &str, expected: &[&str]| finds("dependencies", &[("a/Cargo.toml", text)], expected);
    check("[dependencies]\n# Why.\na = \"1\"\nb = \"1\"\n", &["a/Cargo.toml:4: dependency `b`"]);
    check("[target.'cfg(unix)'.dependencies]\na = \"1\" # why\nb = \"1\"\n", &["dependency `b`"]);
    check("[dev-dependencies.a]\nversion = \"1\"\n", &["dependency `a`"]);
    check("[dependencies]\na.workspace = true\nb = { workspace = true }\nc = { path = \"../c\" }\n", &[]);
    check("[package]\nname = \"a\"\n[features]\nx = []\n", &[]);
}

#[test]
fn each_exception_has_a_use_and_a_reason() {
    for Exception { check: name, path, part, why } in EXCEPTIONS {
        assert!(!why.is_empty(), "the exception for {path} from {name:?} has no reason");
        let used = check(name)(Tree::workspace()).iter().any(|f| exceptions::covers(path, part, f));
        assert!(used, "the exception for {path} ({part}) from {name:?} covers nothing any more: take it out");
    }
}
