//! Each dependency says why it is there.

use crate::tree::{Finding, Tree};

/// Dependency lines of manifests without a comment above or beside them. What the workspace inherits has its reason
/// in the root manifest; members of the workspace need none.
pub fn dependencies_without_reason(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        let mut inside = false;
        let mut above = "";
        for (number, line) in file.text.lines().map(str::trim).enumerate() {
            let explained = above.starts_with('#') || line.contains(" #");
            above = line;
            let name = if let Some(header) = line.strip_prefix('[') {
                let header = header.trim_end_matches(']');
                inside = header.ends_with("dependencies");
                match header.rsplit_once("dependencies.") {
                    Some((_, name)) => name,
                    None => continue,
                }
            } else if inside && line.contains('=') && !line.starts_with('#') && !is_ours(line) {
                line.split(['=', '.', ' ']).next().unwrap_or(line)
            } else {
                continue;
            };
            if !explained {
                let what = format!("dependency `{name}` without a comment that says why it is there");
                findings.push(Finding { path: file.path.clone(), line: number + 1, what });
            }
        }
    }
    findings
}

fn is_ours(line: &str) -> bool {
    line.contains("workspace = true") || line.contains("path = \"")
}
