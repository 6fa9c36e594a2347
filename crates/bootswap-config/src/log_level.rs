//! How much the migrator prints on its console.

use core::fmt;
use core::str::FromStr;

/// How much the migrator prints on its console; each level includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Problems that ended an attempt.
    Error,
    /// Problems that were overcome.
    Warn,
    /// Every step, as the simulator shows it.
    #[default]
    Info,
    /// What the steps consist of.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level, in the order of their numbers in a section.
    pub const ALL: [Self; 6] =
        [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The name that configuration files use: `info`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// The level of that [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The number of the level in a section.
    #[must_use]
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }

    /// The level of that number.
    #[must_use]
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.number() == number)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for LogLevel {
    type Err = UnknownLogLevel;

    fn from_str(name: &str) -> Result<Self, UnknownLogLevel> {
        Self::from_name(name).ok_or(UnknownLogLevel)
    }
}

/// A name that no [`LogLevel`] has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownLogLevel;

impl fmt::Display for UnknownLogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a log level; they are")?;
        LogLevel::ALL.iter().try_for_each(|level| write!(f, " {level}"))
    }
}

impl core::error::Error for UnknownLogLevel {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_found_by_its_name_and_number() {
        for level in LogLevel::ALL {
            assert_eq!(level.name().parse(), Ok(level));
            assert_eq!(LogLevel::from_number(level.number()), Some(level));
        }
        assert_eq!("loud".parse::<LogLevel>(), Err(UnknownLogLevel));
        assert_eq!(LogLevel::from_number(6), None);
    }
}
