//! The main job: counts the words of all text files below a directory, with one worker and with all.
//!
//! ```sh
//! cargo run --release -p mp-examples --example wordcount             # this repository
//! cargo run --release -p mp-examples --example wordcount -- PATH     # or any path
//! ```
//!
//! Each file is one call. A file that cannot be read is reported, whatever the reason, and the others are counted.

use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, io};

/// What one file holds.
#[derive(Serialize, Deserialize)]
struct Counts {
    bytes: usize,
    lines: usize,
    words: Vec<(String, u64)>,
}

#[mp::task]
fn count(file: &Path) -> Result<Counts, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let mut words = HashMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *words.entry(word.to_lowercase()).or_default() += 1;
    }
    Ok(Counts { bytes: text.len(), lines: text.lines().count(), words: words.into_iter().collect() })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    mp::main!();
    let root = env::args_os().nth(1).map_or_else(repository, |path| Ok(path.into()))?;
    let mut found = Found::default();
    found.below(&root).map_err(|error| format!("{}: {error}", root.display()))?;

    for file in &found.files {
        warm(file);
    }
    let all = mp::cpu_count().get();
    let (_, alone) = Total::of(&found.files, 1)?;
    let (total, together) = Total::of(&found.files, all)?;

    let unread: Vec<_> = found.unread.iter().chain(&total.unread).collect();
    for why in &unread {
        eprintln!("cannot read {why}");
    }
    println!("{}: {} text files, {} unreadable", root.display(), total.files, unread.len());
    total.print();
    let gain = alone.div_duration_f64(together);
    println!("1 worker: {alone:.1?}, {all} workers: {together:.1?}, {gain:.2} times as fast");
    Ok(())
}

/// Reads a file once, so that neither run waits for the disk.
fn warm(file: &Path) {
    let _ = fs::File::open(file).and_then(|mut file| io::copy(&mut file, &mut io::sink()));
}

/// What all files hold, and why some could not be read.
#[derive(Default)]
struct Total {
    files: usize,
    bytes: usize,
    lines: usize,
    words: HashMap<String, u64>,
    unread: Vec<String>,
}

impl Total {
    /// Counts with so many workers; the time is from their start to the last result.
    fn of(files: &[PathBuf], workers: usize) -> Result<(Self, Duration), mp::Error> {
        let start = Instant::now();
        let pool = mp::Pool::new(workers)?;
        let mut total = Self::default();
        for (index, counted) in pool.imap_unordered(count, files) {
            let file = files[index].display();
            match counted {
                Ok(Ok(counts)) => total.add(counts),
                Ok(Err(why)) => total.unread.push(format!("{file}: {why}")),
                // The call itself failed: the worker ran out of memory, say. The others go on.
                Err(error) => total.unread.push(format!("{file}: {error}")),
            }
        }
        Ok((total, start.elapsed()))
    }

    fn add(&mut self, counts: Counts) {
        self.files += 1;
        self.bytes += counts.bytes;
        self.lines += counts.lines;
        for (word, count) in counts.words {
            *self.words.entry(word).or_default() += count;
        }
    }

    fn print(&self) {
        let sum: u64 = self.words.values().sum();
        println!("{} bytes, {} lines, {sum} words, {} different", self.bytes, self.lines, self.words.len());
        let mut top: Vec<_> = self.words.iter().collect();
        top.sort_unstable_by_key(|&(word, &count)| (Reverse(count), word));
        for (word, count) in top.iter().take(10) {
            println!("{count:>10} {word}");
        }
    }
}

/// The files below a directory, and why some of it could not be listed.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    unread: Vec<String>,
}

impl Found {
    /// Links are not followed; what git and cargo keep there is passed over.
    fn below(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_file() {
                self.files.push(path);
            } else if kind.is_dir() && !path.ends_with(".git") && !path.ends_with("target") {
                self.below(&path)
                    .unwrap_or_else(|error| self.unread.push(format!("{}: {error}", path.display())));
            }
        }
        Ok(())
    }
}

/// The root of this repository, as cargo or the current directory has it, or else the current directory.
fn repository() -> io::Result<PathBuf> {
    let here = env::var_os("CARGO_MANIFEST_DIR").map_or_else(env::current_dir, |path| Ok(path.into()))?;
    let root = here.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    Ok(root.unwrap_or(&here).to_owned())
}
