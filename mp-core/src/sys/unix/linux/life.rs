//! Whether a process that is no child of ours lives.

use std::sync::OnceLock;

/// One life of a process: its number, and the time it was started, so that the number's next owner is another one. Not
/// zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life(pub u64);

/// Linux gives numbers below 2²². What is left counts hundredths of a second since the machine was started.
const START_BITS: u32 = 42;

/// This process; `None` if the system does not tell.
pub fn this_life() -> Option<Life> {
    static LIFE: OnceLock<Option<Life>> = OnceLock::new();
    *LIFE.get_or_init(|| look(std::process::id()))
}

/// Whether the process lives. A zombie does not.
pub fn is_alive(life: Life) -> bool {
    look((life.0 >> START_BITS) as u32) == Some(life)
}

fn look(pid: u32) -> Option<Life> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // "pid (name) state ..": the name may hold anything, so the fields count from the last parenthesis.
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?;
    // Field 22 of proc(5); the state was the 3rd.
    let started: u64 = fields.nth(18)?.parse().ok()?;
    let life = u64::from(pid) << START_BITS | started & ((1 << START_BITS) - 1);
    (state != "Z" && state != "X").then_some(Life(life))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_another_start_of_its_number_does_not() {
        let life = this_life().expect("/proc is mounted");
        assert!(is_alive(life));
        assert!(!is_alive(Life(life.0 ^ 1)));
    }
}
