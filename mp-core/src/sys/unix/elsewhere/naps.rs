//! Sleeping on a word without the system's help: looking again and again, seldomer and seldomer.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The first nap: about as long as a system takes to wake a sleeper.
const NAP_MIN: Duration = Duration::from_micros(20);

/// The longest nap, and with it how late a wake-up comes.
const NAP_MAX: Duration = Duration::from_millis(1);

/// How long it goes on at most: a word may have changed twice, back to what it was. The caller looks at its condition.
const ENOUGH: Duration = Duration::from_millis(20);

/// Naps while `word` holds `expected`, at most `timeout`. May return early.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let patience = timeout.map_or(ENOUGH, |timeout| timeout.min(ENOUGH));
    let began = Instant::now();
    let mut nap = NAP_MIN;
    // PAIR: the caller tests its condition again: this look only saves a nap.
    while word.load(Relaxed) == expected {
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(nap.min(left));
        nap = (nap * 2).min(NAP_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nap_ends_when_the_word_changes_and_when_it_is_enough() {
        let word = AtomicU32::new(1);
        wait(&word, 0, None);
        wait(&word, 1, Some(Duration::ZERO));
        wait(&word, 1, None);
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                while word.load(Relaxed) == 1 {
                    wait(&word, 1, Some(Duration::from_secs(1000)));
                }
            });
            word.store(2, Relaxed);
            sleeper.join().expect("it has seen the change");
        });
    }
}
