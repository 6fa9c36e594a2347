//! Lines on the console, in the form of ESP-IDF and of the simulator.

use core::fmt;

/// How much is said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Level {
    /// What went wrong.
    Error,
    /// What may go wrong.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// How far it is.
    Debug,
}

impl Level {
    /// The letter that a line begins with.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Error => 'E',
            Self::Warn => 'W',
            Self::Info => 'I',
            Self::Debug => 'D',
        }
    }
}

/// Where lines go.
pub trait Sink {
    /// Milliseconds since the start.
    fn now_ms(&self) -> u64;

    /// Puts a line out.
    fn line(&self, line: fmt::Arguments<'_>);
}

/// A console, and how much is said on it.
#[derive(Clone, Copy)]
pub struct Log<'a> {
    sink: &'a dyn Sink,
    level: Level,
}

impl<'a> Log<'a> {
    /// A log that says everything up to `level`.
    #[must_use]
    pub const fn new(sink: &'a dyn Sink, level: Level) -> Self {
        Self { sink, level }
    }

    /// Says something.
    pub fn say(&self, level: Level, what: fmt::Arguments<'_>) {
        if level <= self.level {
            let (letter, stamp_ms) = (level.letter(), self.sink.now_ms());
            self.sink.line(format_args!("{letter} ({stamp_ms}) bootswap: {what}"));
        }
    }

    /// Says what went wrong.
    pub fn error(&self, what: fmt::Arguments<'_>) {
        self.say(Level::Error, what);
    }

    /// Says what may go wrong.
    pub fn warn(&self, what: fmt::Arguments<'_>) {
        self.say(Level::Warn, what);
    }

    /// Says what happens.
    pub fn info(&self, what: fmt::Arguments<'_>) {
        self.say(Level::Info, what);
    }
}

impl fmt::Debug for Log<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("level", &self.level).finish_non_exhaustive()
    }
}
