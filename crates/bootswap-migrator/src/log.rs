//! Lines on the console, in the form of ESP-IDF and of the simulator.

use core::fmt;

use bootswap_config::LogLevel;

/// Where lines go.
pub trait LogSink {
    /// Milliseconds since the start.
    fn now_ms(&self) -> u64;

    /// Puts a line out.
    fn line(&self, line: fmt::Arguments<'_>);
}

/// A console, and how much is said on it.
#[derive(Clone, Copy)]
pub struct Log<'a> {
    sink: &'a dyn LogSink,
    level: LogLevel,
}

impl<'a> Log<'a> {
    /// A log that says everything up to `level`.
    #[must_use]
    pub const fn new(sink: &'a dyn LogSink, level: LogLevel) -> Self {
        Self { sink, level }
    }

    /// Says something.
    pub fn say(&self, level: LogLevel, what: fmt::Arguments<'_>) {
        if level <= self.level {
            let (letter, stamp_ms) = (letter(level), self.sink.now_ms());
            self.sink.line(format_args!("{letter} ({stamp_ms}) bootswap: {what}"));
        }
    }

    /// Says what went wrong.
    pub fn error(&self, what: fmt::Arguments<'_>) {
        self.say(LogLevel::Error, what);
    }

    /// Says what may go wrong.
    pub fn warn(&self, what: fmt::Arguments<'_>) {
        self.say(LogLevel::Warn, what);
    }

    /// Says what happens.
    pub fn info(&self, what: fmt::Arguments<'_>) {
        self.say(LogLevel::Info, what);
    }
}

/// The letter that a line of this level begins with.
const fn letter(level: LogLevel) -> char {
    match level {
        LogLevel::Off | LogLevel::Error => 'E',
        LogLevel::Warn => 'W',
        LogLevel::Info => 'I',
        LogLevel::Debug => 'D',
        LogLevel::Trace => 'V',
    }
}

impl fmt::Debug for Log<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("level", &self.level).finish_non_exhaustive()
    }
}
