//! What is configured in a migrator.

use bootswap_plan::Migration;

use crate::{LogLevel, Wifi};

/// Longest host name in bytes: that of embassy-net's DHCP client (`MAX_HOSTNAME_LEN`).
pub const MAX_HOSTNAME_LEN_BYTES: usize = 32;

/// The configuration of a migrator: what it has to do, how it gets into a network, and how much it
/// prints.
#[derive(Clone, Copy, Debug)]
pub struct Config<'a> {
    /// What the owner wants.
    pub migration: Migration<'a>,
    /// How a device gets into a network.
    pub network: NetworkSettings<'a>,
    /// How much is printed on the console.
    pub log_level: LogLevel,
}

/// How a device gets into a network: it tries those in [`NetworkSettings::wifi`] in their order,
/// then the old firmware's, then [`NetworkSettings::rescue`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetworkSettings<'a> {
    /// Networks, in the order in which they are tried.
    pub wifi: &'a [Wifi<'a>],
    /// Whether the old firmware's network, which is read from its NVS, is tried.
    pub old_credentials: bool,
    /// The last resort: a network that somebody sets up near a device that found no other.
    pub rescue: Option<Wifi<'a>>,
    /// Name that the device gives to DHCP servers; see [`is_hostname`].
    pub hostname: Option<&'a str>,
}

impl Default for NetworkSettings<'_> {
    /// The old firmware's network and no other.
    fn default() -> Self {
        Self { wifi: &[], old_credentials: true, rescue: None, hostname: None }
    }
}

/// Whether this can be a device's name in a network: 1 to 32 letters, digits and hyphens, no hyphen
/// at either end (RFC 1123, 2.1).
#[must_use]
pub fn is_hostname(name: &str) -> bool {
    (1..=MAX_HOSTNAME_LEN_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_those_of_rfc_1123() {
        for good in ["a", "sensor-17", "0", &"n".repeat(32)] {
            assert!(is_hostname(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", "a.b", "ä", &"n".repeat(33)] {
            assert!(!is_hostname(bad), "{bad}");
        }
    }
}
