//! What the library tells the program's own log of what happens behind its back: by the crates `log` and `tracing`, with the features of
//! these names, under the target `mp`. Without them nothing is said, and nothing is made up to be said.

/// Whether anybody can listen.
pub const IS_KEPT: bool = cfg!(any(feature = "log", feature = "tracing"));

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Debug,
    /// Somebody wanted it so.
    Info,
    /// Something was lost, and all goes on.
    Warn,
    /// Something gave up.
    Error,
}

/// One entry.
#[derive(Debug)]
pub struct Note {
    /// How much it matters.
    pub level: Level,
    /// The name of the worker or the pool.
    pub who: String,
    /// What happened to it.
    pub what: String,
}

impl Note {
    /// Tells it. A log is a user's code: no lock of ours is held.
    pub fn tell(self) {
        let Self { level, who, what } = self;
        #[cfg(feature = "log")]
        log::log!(target: "mp", to_log::level(level), "{who}: {what}");
        #[cfg(feature = "tracing")]
        match level {
            Level::Debug => tracing::debug!(target: "mp", name = %who, "{what}"),
            Level::Info => tracing::info!(target: "mp", name = %who, "{what}"),
            Level::Warn => tracing::warn!(target: "mp", name = %who, "{what}"),
            Level::Error => tracing::error!(target: "mp", name = %who, "{what}"),
        }
        // Without the features nobody looks at them.
        let _ = (level, who, what);
    }
}

#[cfg(feature = "log")]
mod to_log {
    use super::Level;

    pub fn level(level: Level) -> log::Level {
        match level {
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        }
    }
}
