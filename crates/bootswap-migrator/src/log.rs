//! Lines on the console, in the form of ESP-IDF and of the simulator.

use core::fmt;

use bootswap_config::LogLevel;

/// Where lines are printed.
pub trait LogSink {
    /// Milliseconds since the start.
    fn now_ms(&self) -> u64;

    /// Prints a line.
    fn line(&self, line: fmt::Arguments<'_>);
}

/// A console with its log level.
#[derive(Clone, Copy)]
pub struct Log<'a> {
    sink: &'a dyn LogSink,
    level: LogLevel,
}

impl<'a> Log<'a> {
    /// A log that prints everything up to `level`.
    #[must_use]
    pub const fn new(sink: &'a dyn LogSink, level: LogLevel) -> Self {
        Self { sink, level }
    }

    /// Prints a message.
    pub fn say(&self, level: LogLevel, what: fmt::Arguments<'_>) {
        if level <= self.level {
            let (letter, stamp_ms) = (letter(level), self.sink.now_ms());
            self.sink.line(format_args!("{letter} ({stamp_ms}) bootswap: {what}"));
        }
    }

    /// Prints an error.
    pub fn error(&self, what: fmt::Arguments<'_>) {
        self.say(LogLevel::Error, what);
    }

    /// Prints a warning.
    pub fn warn(&self, what: fmt::Arguments<'_>) {
        self.say(LogLevel::Warn, what);
    }

    /// Prints information.
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
