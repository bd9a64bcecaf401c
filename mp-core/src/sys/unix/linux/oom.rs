//! Whether the kernel killed for want of memory.

use std::fs::{File, read_to_string};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// How many processes of our control group the kernel has killed for want of memory so far; `None` when nobody counts.
/// A number that grew while a worker died says why it died.
pub fn oom_kills() -> Option<u64> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(count) = known.as_ref().and_then(count_in) {
        return Some(count);
    }
    let (file, count) = find()?;
    *known = Some(file);
    Some(count)
}

/// The file that counts, once it has been found: whoever starts many processes asks often.
static KNOWN: Mutex<Option<File>> = Mutex::new(None);

fn find() -> Option<(File, u64)> {
    let groups = read_to_string("/proc/self/cgroup").ok()?;
    let unified = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let legacy = groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|name| name == "memory").then_some(path)
    });
    unified
        .and_then(|path| counted_in("/sys/fs/cgroup", path, "memory.events"))
        .or_else(|| legacy.and_then(|path| counted_in("/sys/fs/cgroup/memory", path, "memory.oom_control")))
}

/// The counter of the group `path`. Inside a container the path may be as the host sees it; what is mounted is the
/// container's own group then.
fn counted_in(mount: &str, path: &str, file: &str) -> Option<(File, u64)> {
    [path, "/"].iter().find_map(|group| {
        let file = File::open(Path::new(mount).join(group.trim_start_matches('/')).join(file)).ok()?;
        let count = count_in(&file)?;
        Some((file, count))
    })
}

/// Fails when its group is gone.
fn count_in(file: &File) -> Option<u64> {
    // Some ten short lines.
    let mut bytes = [0; 1024];
    let len = file.read_at(&mut bytes, 0).ok()?;
    count(std::str::from_utf8(&bytes[..len]).ok()?)
}

fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn both_file_formats_are_read() {
        assert_eq!(count("low 0\nhigh 0\nmax 5\noom 2\noom_kill 3\noom_group_kill 0\n"), Some(3));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 12\n"), Some(12));
        assert_eq!(count("low 0\n"), None);
    }
}
