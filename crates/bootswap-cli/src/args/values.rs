//! Values that are typed as text.

use std::ffi::OsStr;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};

use bootswap_migration::check_identity;
pub(super) use bootswap_migration::keys::len_bytes;
use bootswap_plan::CommitWay;
use bootswap_serve::ServerFault;
use carrier_format::MAX_STARTS;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use esp_idf_format::{Chip, UnknownChip};
use flash_region::{FlashAddr, SECTOR_BYTES};
use mcuboot_format::tlv::Dependency;
use mcuboot_format::{ImageVersion, VersionError};

use super::SecurityCounter;

/// A chip, in any spelling of its name; help and completions show the usual one.
#[derive(Clone, Copy)]
pub(super) struct ChipParser;

impl TypedValueParser for ChipParser {
    type Value = Chip;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Chip, clap::Error> {
        let parse = |text: &str| text.parse::<Chip>();
        let parse: fn(&str) -> Result<Chip, UnknownChip> = parse;
        TypedValueParser::parse_ref(&parse, command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Chip::ALL.iter().map(|chip| PossibleValue::new(chip.name()))))
    }
}

/// A way to commit, by its name.
pub(super) fn commit_way() -> impl TypedValueParser<Value = CommitWay> {
    PossibleValuesParser::new(CommitWay::ALL.map(CommitWay::name))
        .try_map(|name| name.parse::<CommitWay>())
}

/// A number of bytes that fits in 16 bits.
pub(super) fn short_len_bytes(text: &str) -> Result<u16, String> {
    let number = len_bytes(text)?;
    u16::try_from(number).map_err(|_| format!("{text} is more than {}", u16::MAX))
}

/// Bytes of a slot, which consists of sectors.
pub(super) fn slot_len_bytes(text: &str) -> Result<u32, String> {
    match len_bytes(text)? {
        0 => Err("a slot must have at least one sector".to_owned()),
        len if len % SECTOR_BYTES != 0 => {
            Err(format!("{text} is not a multiple of {SECTOR_BYTES:#x}: slots consist of sectors"))
        }
        len => Ok(len),
    }
}

/// How many bytes a bootloader writes at once, as in `imgtool --align`.
pub(super) fn align(text: &str) -> Result<u32, String> {
    one_of(text, &[1, 2, 4, 8, 16, 32], "1, 2, 4, 8, 16 or 32")
}

/// The distance of a trailer's fields, as in `imgtool --max-align`.
pub(super) fn max_align(text: &str) -> Result<u32, String> {
    one_of(text, &[8, 16, 32], "8, 16 or 32")
}

fn one_of(text: &str, known: &[u32], names: &str) -> Result<u32, String> {
    let found = len_bytes(text)?;
    if known.contains(&found) { Ok(found) } else { Err(format!("expected {names}")) }
}

/// A fault of the lab's server.
pub(super) fn fault(text: &str) -> Result<ServerFault, String> {
    text.parse().map_err(|error: bootswap_serve::FaultError| error.to_string())
}

/// A version or a project name for an image's app descriptor.
pub(super) fn identity(text: &str) -> Result<String, String> {
    check_identity(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// A number of 32 bits, decimal or, after `0x`, hexadecimal.
pub(super) fn number(text: &str) -> Result<u32, String> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    u32::from_str_radix(digits, radix).map_err(|_| format!("{text:?} is not a number of 32 bits"))
}

/// An address in flash.
pub(super) fn flash_addr(text: &str) -> Result<FlashAddr, String> {
    number(text).map(FlashAddr)
}

/// How often a target is started on trial.
pub(super) fn starts(text: &str) -> Result<u32, String> {
    let number = number(text)?;
    let wrong = || format!("a trial has 1 to {MAX_STARTS} starts");
    (1..=MAX_STARTS).contains(&number).then_some(number).ok_or_else(wrong)
}

/// An address to listen on; the host may be a name.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(addr) = text.parse() {
        return Ok(addr);
    }
    let wrong =
        |why: &dyn fmt::Display| format!("{why}; write host and port, as in localhost:8070");
    let addrs: Vec<_> = text.to_socket_addrs().map_err(|error| wrong(&error))?.collect();
    // Devices have IPv4 only.
    let addr = addrs.iter().find(|addr| addr.is_ipv4()).or(addrs.first());
    addr.copied().ok_or_else(|| wrong(&"the name has no address"))
}

/// `1.2.3+4`.
pub(super) fn version(text: &str) -> Result<ImageVersion, String> {
    text.parse().map_err(|error: VersionError| format!("{error}, write it as in 1.2.3+4"))
}

/// A security counter: a number, or `auto` for the one that imgtool derives from the version.
pub(super) fn security_counter(text: &str) -> Result<SecurityCounter, String> {
    if text == "auto" {
        return Ok(SecurityCounter::Auto);
    }
    let wrong = |_| format!("{text:?} is neither a number of 32 bits nor `auto`");
    number(text).map(SecurityCounter::Number).map_err(wrong)
}

/// `(0, 1.2.3+4)` as for imgtool, or `0:1.2.3+4`.
pub(super) fn dependency(text: &str) -> Result<Dependency, String> {
    let wrong = || {
        format!(
            "{text:?} is not a dependency as in 1:1.2.3+4, which is the number of the image and \
            its lowest version"
        )
    };
    let plain = text.trim().trim_start_matches('(').trim_end_matches(')');
    let (image_id, min_version) = plain.split_once([',', ':']).ok_or_else(wrong)?;
    let image_id = image_id.trim().parse().map_err(|_| wrong())?;
    Ok(Dependency { image_id, min_version: version(min_version.trim())? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_in_all_the_ways_that_tools_print_them() {
        for text in ["0x100000", "1048576", "1024K", "1M", "1m", "0X100000", "0x400K"] {
            assert_eq!(len_bytes(text), Ok(0x10_0000), "{text}");
        }
        for text in ["", "M", "0x", "-1", "+1", "1.5M", "4096M", "1MB"] {
            assert!(len_bytes(text).is_err(), "{text}");
        }
        assert_eq!(short_len_bytes("0x20"), Ok(32));
        assert!(short_len_bytes("64K").is_err());
    }

    #[test]
    fn a_server_listens_on_names_too() {
        assert_eq!(listen("localhost:8070"), Ok("127.0.0.1:8070".parse().unwrap()));
        assert_eq!(listen("[::1]:80"), Ok("[::1]:80".parse().unwrap()));
        for text in ["localhost", "8070", ":", "127.0.0.1:99999", ""] {
            assert!(listen(text).unwrap_err().contains("as in localhost:8070"), "{text}");
        }
    }

    #[test]
    fn a_security_counter_is_a_number_or_follows_from_the_version() {
        assert_eq!(security_counter("auto"), Ok(SecurityCounter::Auto));
        assert_eq!(security_counter("0x10"), Ok(SecurityCounter::Number(16)));
        assert_eq!(security_counter("4294967295"), Ok(SecurityCounter::Number(u32::MAX)));
        for text in ["", "-1", "4294967296", "Auto"] {
            assert!(security_counter(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dependencies_are_taken_as_imgtool_takes_them() {
        let wanted = Dependency { image_id: 1, min_version: "1.2.3+4".parse().unwrap() };
        for text in ["(1, 1.2.3+4)", "1:1.2.3+4", "1,1.2.3+4"] {
            assert_eq!(dependency(text), Ok(wanted), "{text}");
        }
        for text in ["1.2.3", "256:1.0.0", "x:1"] {
            assert!(dependency(text).is_err(), "{text}");
        }
    }
}
