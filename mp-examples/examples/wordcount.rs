//! The main job: counts the words of all text files below a directory, with one worker and with all.
//!
//! ```sh
//! cargo run --release -p mp-examples --example wordcount -- PATH    # without PATH: this repository
//! ```
//!
//! One call counts a batch of files. A file that cannot be read is reported and does not stop the others.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, io};

/// What a call sends back: merged where it was counted, so that little has to travel.
#[derive(Default, Serialize, Deserialize)]
struct Counts {
    files: u64,
    bytes: u64,
    lines: u64,
    words: HashMap<String, u64>,
    unread: Vec<String>,
}

#[mp::task]
fn count(batch: &[PathBuf]) -> Counts {
    let mut counts = Counts::default();
    for path in batch {
        match fs::read_to_string(path) {
            Ok(text) => counts.add(&text),
            Err(error) => counts.unread.push(format!("{}: {error}", path.display())),
        }
    }
    counts
}

impl Counts {
    fn add(&mut self, text: &str) {
        self.files += 1;
        self.bytes += text.len() as u64;
        self.lines += text.lines().count() as u64;
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let word = word.to_lowercase();
            *self.words.entry(word).or_default() += 1;
        }
    }

    fn merge(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.unread.extend(other.unread);
        for (word, count) in other.words {
            *self.words.entry(word).or_default() += count;
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    mp::main!();
    let root = env::args_os().nth(1).map_or_else(repository, |path| Ok(path.into()))?;
    let mut files = Vec::new();
    let mut unread = Vec::new();
    find(&root, &mut files, &mut unread).map_err(|error| format!("{}: {error}", root.display()))?;

    // Read once before, so that neither run waits for the disk.
    files.iter().for_each(|file| drop(fs::read(file)));
    let all = mp::cpu_count().get();
    let (_, alone) = run(1, &files)?;
    let (mut counts, together) = run(all, &files)?;

    unread.append(&mut counts.unread);
    unread.iter().for_each(|why| eprintln!("cannot read {why}"));
    let total: u64 = counts.words.values().sum();
    println!("{}: {} text files, {} unreadable", root.display(), counts.files, unread.len());
    println!(
        "{} bytes, {} lines, {total} words, {} different",
        counts.bytes,
        counts.lines,
        counts.words.len()
    );
    let mut top: Vec<_> = counts.words.into_iter().collect();
    top.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    for (word, count) in top.iter().take(10) {
        println!("{count:>9} {word}");
    }
    println!(
        "1 worker {alone:.1?}, {all} workers {together:.1?}: {:.2} times as fast",
        alone.div_duration_f64(together)
    );
    Ok(())
}

/// Counts with so many workers; also how long it took, from starting them to the last result.
fn run(workers: usize, files: &[PathBuf]) -> Result<(Counts, Duration), mp::Error> {
    const BATCH: usize = 16;
    let start = Instant::now();
    let pool = mp::Pool::new(workers)?;
    let mut counts = Counts::default();
    for (index, counted) in pool.imap_unordered(count, files.chunks(BATCH)) {
        match counted {
            Ok(more) => counts.merge(more),
            // Nobody knows which file it was: the worker died, or a name cannot travel.
            Err(error) => counts.unread.push(format!("files {} and following: {error}", index * BATCH)),
        }
    }
    Ok((counts, start.elapsed()))
}
