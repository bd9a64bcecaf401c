//! The workspace as text: all files, and Rust sources with comments and strings blanked out.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

/// Something a check does not like.
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// All files of the workspace that are text.
#[derive(Default)]
pub struct Tree {
    pub files: Vec<File>,
    pub sources: Vec<Source>,
}

/// One file. Paths are relative to the root, with `/`.
pub struct File {
    pub path: String,
    pub text: String,
}

/// One Rust file.
pub struct Source {
    pub path: String,
    pub text: String,
    /// `text` with comments and the insides of strings replaced by spaces; every offset means the same place.
    pub code: String,
    /// What is compiled for tests and loom models only.
    tests: Vec<Range<usize>>,
}

/// A function with its body, if it has one.
pub struct Function<'a> {
    pub name: &'a str,
    pub start: usize,
    pub body: Option<Range<usize>>,
}

impl Tree {
    /// The workspace this test belongs to.
    pub fn workspace() -> &'static Self {
        static TREE: OnceLock<Tree> = OnceLock::new();
        TREE.get_or_init(|| {
            let root =
                Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a workspace member");
            let ignored = std::fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
            let mut tree = Self::default();
            tree.read(root, "", &ignored_names(&ignored));
            tree.find_test_files();
            tree
        })
    }

    /// A tree of these files.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.add((*path).to_owned(), (*text).to_owned());
        }
        tree.find_test_files();
        tree
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// The Rust sources below a folder.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(move |source| source.path.starts_with(folder))
    }

    fn read(&mut self, folder: &Path, prefix: &str, ignored: &[String]) {
        let entries = std::fs::read_dir(folder).expect("a folder of the workspace can be listed");
        let mut entries: Vec<_> = entries.map(|entry| entry.expect("an entry can be read")).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if prefix.is_empty() && (name == ".git" || ignored.contains(&name)) {
                continue;
            }
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let kind = entry.file_type().expect("an entry has a type");
            if kind.is_dir() {
                self.read(&entry.path(), &path, ignored);
            } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
                self.add(path, text);
            }
        }
    }

    fn add(&mut self, path: String, text: String) {
        if Path::new(&path).extension().is_some_and(|extension| extension == "rs") {
            self.sources.push(Source::new(path.clone(), text.clone()));
        }
        self.files.push(File { path, text });
    }

    /// Marks the files of `#[cfg(test)] mod name;` as tests.
    fn find_test_files(&mut self) {
        let apart: Vec<String> = self.sources.iter().flat_map(Source::test_files).collect();
        for source in &mut self.sources {
            let is_test = apart.iter().any(|stem| {
                source
                    .path
                    .strip_prefix(stem.as_str())
                    .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            });
            let named_so = source.path.ends_with("/tests.rs") || source.path.ends_with("_tests.rs");
            if is_test || named_so || source.path.contains("/src/tests/") {
                source.tests.push(0..source.code.len());
            }
        }
    }
}

impl Source {
    fn new(path: String, text: String) -> Self {
        let code = blank(&text);
        let tests = test_ranges(&code);
        Self { path, text, code, tests }
    }

    /// A finding at an offset of this file.
    pub fn finding(&self, offset: usize, what: String) -> Finding {
        Finding { path: self.path.clone(), line: self.line(offset), what }
    }

    /// The line of an offset, from 1.
    pub fn line(&self, offset: usize) -> usize {
        1 + self.code[..offset].bytes().filter(|byte| *byte == b'\n').count()
    }

    /// Whether this place is compiled for tests and loom models only.
    pub fn is_test(&self, offset: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&offset))
    }

    /// Where a word stands in the code.
    pub fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        words(&self.code, word)
    }

    /// All functions with a name, declared ones included.
    pub fn functions(&self) -> impl Iterator<Item = Function<'_>> {
        self.words("fn").filter_map(|start| {
            let after = start + 2 + spaces(&self.code[start + 2..]);
            let name = ident(&self.code[after..]);
            let body = || block_after(&self.code, after + name.len());
            (!name.is_empty()).then(|| Function { name, start, body: body() })
        })
    }

    /// The module path that the file name gives: `a/b.rs` and `a/b/mod.rs` are `[a, b]`.
    pub fn module(&self) -> Vec<&str> {
        let inner = self.path.split_once("/src/").map_or(self.path.as_str(), |(_, inner)| inner);
        let inner = inner.strip_suffix(".rs").unwrap_or(inner);
        let inner = inner.strip_suffix("/mod").unwrap_or(inner);
        if inner == "lib" { Vec::new() } else { inner.split('/').collect() }
    }

    fn test_files(&self) -> Vec<String> {
        let folder = self.path.strip_suffix("/mod.rs").or_else(|| self.path.strip_suffix("/lib.rs"));
        let folder = folder.or_else(|| self.path.strip_suffix(".rs")).unwrap_or_default();
        let modules = self.words("mod").filter(|at| self.is_test(*at)).filter_map(|at| {
            let after = at + 3 + spaces(&self.code[at + 3..]);
            let name = ident(&self.code[after..]);
            let rest = after + name.len();
            self.code[rest + spaces(&self.code[rest..])..]
                .starts_with(';')
                .then(|| format!("{folder}/{name}"))
        });
        modules.collect()
    }
}

/// Where a word stands in a text, not as a part of a longer word.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// The identifier at the start of a text, or nothing.
pub fn ident(text: &str) -> &str {
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

/// How many bytes of white space a text starts with.
pub fn spaces(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// The `{ .. }` that follows at bracket depth 0, unless a `;` comes first.
pub fn block_after(code: &str, from: usize) -> Option<Range<usize>> {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b';' if depth == 0 => return None,
            b'{' if depth == 0 => return Some(at..closing(code, at)),
            _ => {}
        }
    }
    None
}

/// Just past the bracket that closes the one at `open`.
pub fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn ignored_names(gitignore: &str) -> Vec<String> {
    gitignore.lines().map(|line| line.trim().trim_matches('/').to_owned()).collect()
}

fn test_ranges(code: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    for (at, _) in code.match_indices("#[cfg(") {
        let end = closing(code, at + 1);
        let condition = &code[at..end];
        let asks = |word| words(condition, word).any(|at| !condition[..at].ends_with("not("));
        if asks("test") || asks("loom") {
            let item = end + code[end..].find([';', '{']).unwrap_or(code.len() - end);
            ranges.push(at..if code[item..].starts_with('{') { closing(code, item) } else { item + 1 });
        }
    }
    ranges
}

/// Replaces comments and the insides of strings and characters by spaces.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => at + text[at..].find('\n').unwrap_or(text.len() - at),
            b'/' if bytes[at..].starts_with(b"/*") => comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' => raw_string_end(text, at),
            b'\'' => character_end(text, at),
            _ => at,
        };
        if end > at {
            let quoted = bytes[at] != b'/';
            let inside = if quoted { at + 1..end - 1 } else { at..end };
            code[inside].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at = end.max(at + 1);
    }
    String::from_utf8(code).expect("whole characters became spaces")
}

fn comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a raw string that starts at this `r`; the start itself if none does.
fn raw_string_end(text: &str, start: usize) -> usize {
    let before = text[..start].trim_end_matches(['b', 'c']).chars().next_back();
    let hashes = text[start + 1..].bytes().take_while(|byte| *byte == b'#').count();
    let open = start + 1 + hashes;
    if before.is_some_and(is_word) || !text[open..].starts_with('"') {
        return start;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    text[open + 1..].find(&close).map_or(text.len(), |found| open + 1 + found + close.len())
}

/// The end of a character literal; the start itself if this is a lifetime.
fn character_end(text: &str, start: usize) -> usize {
    let mut chars = text[start + 1..].chars();
    match chars.next() {
        Some('\\') => {
            let body = start + 3;
            text.get(body..).and_then(|rest| rest.find('\'')).map_or(start, |found| body + found + 1)
        }
        Some(c) if chars.next() == Some('\'') => start + 2 + c.len_utf8(),
        _ => start,
    }
}
