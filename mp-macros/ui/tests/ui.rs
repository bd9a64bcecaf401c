//! What the attributes say about what they do not accept, and where they are accepted. What they accept is in pass.
//!
//! To accept new texts: `TRYBUILD=overwrite cargo test -p mp-ui --test ui`, then read the difference.

// The compiler words its messages differently on other platforms, where paths and lists of candidates differ.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The texts are those of the stable compiler; nightly words them as it likes that day.
#[test]
fn what_is_refused_is_explained() {
    if on_stable() {
        trybuild::TestCases::new().compile_fail("fail/*.rs");
    }
}

fn on_stable() -> bool {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler).arg("--version").output().expect("the compiler tells its version");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    // `rustc 1.95.0 (..)`, `rustc 1.97.0-nightly (..)`
    version.split(' ').nth(1).is_some_and(|number| !number.contains('-'))
}

#[test]
fn each_program_that_is_accepted_is_a_test() {
    let manifest = fs::read_to_string("Cargo.toml").expect("tests run where it lies");
    for entry in fs::read_dir("pass").expect("the programs are there") {
        let name = entry.expect("the folder can be read").file_name();
        let line = format!("path = \"pass/{}\"", name.to_string_lossy());
        assert!(manifest.contains(&line), "Cargo.toml has no test with {line}");
    }
}

/// What trybuild cannot vary: the edition of the crate, and the name of the dependency.
#[test]
fn editions_and_names() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("editions");
    fs::create_dir_all(&folder).expect("the folder can be made");
    let mut members = Vec::new();
    for edition in ["2018", "2021", "2024"] {
        for (source, name) in [("plain", "mp"), ("renamed", "parallel"), ("aliased", "parallel")] {
            let member = format!("{source}{edition}");
            fs::create_dir_all(folder.join(&member)).expect("the folder can be made");
            let manifest = format!(
                "[package]\nname = {member:?}\nversion = \"0.0.0\"\nedition = {edition:?}\n\
                 [[bin]]\nname = {member:?}\npath = {:?}\n\
                 [dependencies]\n{name} = {{ package = \"mp-core\", path = {:?} }}\n",
                crate_folder.join(format!("editions/{source}.rs")),
                crate_folder.join("../../mp-core"),
            );
            fs::write(folder.join(&member).join("Cargo.toml"), manifest)
                .expect("the manifest can be written");
            members.push(member);
        }
    }
    let workspace = format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n");
    fs::write(folder.join("Cargo.toml"), workspace).expect("the manifest can be written");
    // The versions of this workspace are the ones that are at hand without a network.
    fs::copy(crate_folder.join("../../Cargo.lock"), folder.join("Cargo.lock"))
        .expect("the lock file can be copied");
    let status = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--workspace"])
        .arg("--target-dir")
        .arg(folder.join("target"))
        .current_dir(&folder)
        .status()
        .expect("cargo starts");
    assert!(status.success(), "some edition or name does not compile: {status}");
}
