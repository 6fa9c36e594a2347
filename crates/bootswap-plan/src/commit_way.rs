//! The ways in which a device can come to boot the target.

use core::fmt;
use core::str::FromStr;

/// How a device comes to boot the target.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CommitWay {
    /// The target bootloader is written over the old one. While that is done, a loss of power
    /// leaves a device that does not boot.
    #[default]
    Replace,
    /// The old bootloader stays and starts a carrier, an app that holds the target bootloader: one
    /// entry of otadata is written, as every update by OTA does. At no moment is there nothing that
    /// boots.
    Hosted,
}

impl CommitWay {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Replace, Self::Hosted];

    /// The name that migrations use: `replace` or `hosted`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Hosted => "hosted",
        }
    }
}

impl fmt::Display for CommitWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CommitWay {
    type Err = UnknownCommitWay;

    fn from_str(name: &str) -> Result<Self, UnknownCommitWay> {
        Self::ALL.into_iter().find(|way| way.name() == name).ok_or(UnknownCommitWay)
    }
}

/// A name that no [`CommitWay`] has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownCommitWay;

impl fmt::Display for UnknownCommitWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write replace or hosted")
    }
}

impl core::error::Error for UnknownCommitWay {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_found_by_its_name() {
        for way in CommitWay::ALL {
            assert_eq!(way.name().parse(), Ok(way));
        }
        assert_eq!("Hosted".parse::<CommitWay>(), Err(UnknownCommitWay));
    }
}
