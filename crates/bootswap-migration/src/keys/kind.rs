//! Kinds of values: how they are stored in a file, typed, and written to the file.

use bootswap_config::{LogLevel, MAX_HOSTNAME_LEN_BYTES, Wifi, is_hostname};
use bootswap_plan::{CommitWay, MaskedUrl, Url};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use mcuboot_format::{DowngradePrevention, SwapKind};

use crate::identity::check_identity;

/// What a URL must be.
pub const URL_HELP: &str =
    "write a URL such as \"http://192.168.100.101:8070/app_upd.bin\", other characters as %20";

/// What the bytes of a network's name must be.
pub const SSID_HEX_HELP: &str =
    "write two hexadecimal digits for each byte of the name, as in \"636166e9\"";

/// The bytes of a network's name given in hexadecimal digits.
#[must_use]
pub fn ssid_of_hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let digits =
            std::str::from_utf8(pair).ok().filter(|_| pair.iter().all(u8::is_ascii_hexdigit));
        u8::from_str_radix(digits?, 16).ok()
    };
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

/// A kind of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueKind {
    /// A chip.
    Chip,
    /// A size that flash chips have.
    FlashSize,
    /// How MCUboot installs an update in the primary slot.
    Swap,
    /// How devices come to boot the target.
    CommitWay,
    /// The log level of the migrator.
    LogLevel,
    /// Yes or no.
    Truth,
    /// A flash address.
    Address,
    /// A number of bytes.
    Length,
    /// A number of bytes that MCUboot aligns to.
    Align,
    /// A number of sectors.
    Sectors,
    /// What MCUboot compares before it replaces an image.
    DowngradePrevention,
    /// The path of a file.
    File,
    /// A URL to fetch from.
    Url,
    /// The label of an app partition.
    AppLabel,
    /// The label of a partition.
    Label,
    /// Labels of what may be overwritten.
    Labels,
    /// Any text.
    Text,
    /// The name of a Wi-Fi network.
    Ssid,
    /// The same in hexadecimal digits.
    SsidHex,
    /// The password of a Wi-Fi network.
    Password,
    /// The device's host name.
    Hostname,
    /// A version, or the name of a project.
    Identity,
    /// A version in the eFuses.
    SecureVersion,
}

/// The TOML type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// A string.
    Text,
    /// An integer of 32 bits.
    Number,
    /// A boolean.
    Truth,
    /// An array of strings.
    Texts,
}

/// Alignments that MCUboot supports (`docs/design.md` of MCUboot, "Image trailer":
/// `BOOT_MAX_ALIGN`).
const ALIGNMENTS: [&str; 3] = ["8", "16", "32"];

impl ValueKind {
    /// The TOML type of its values.
    #[must_use]
    pub const fn shape(self) -> Shape {
        match self {
            Self::Truth => Shape::Truth,
            Self::Address | Self::Length | Self::Align | Self::Sectors | Self::SecureVersion => {
                Shape::Number
            }
            Self::Labels => Shape::Texts,
            _ => Shape::Text,
        }
    }

    /// The possible values, if there are only a few.
    #[must_use]
    pub fn choices(self) -> Vec<&'static str> {
        match self {
            Self::Chip => Chip::ALL.into_iter().map(Chip::name).collect(),
            Self::FlashSize => FlashSize::ALL.into_iter().map(FlashSize::name).collect(),
            Self::Swap => SwapKind::ALL.into_iter().map(SwapKind::name).collect(),
            Self::DowngradePrevention => {
                DowngradePrevention::ALL.into_iter().map(DowngradePrevention::name).collect()
            }
            Self::CommitWay => CommitWay::ALL.into_iter().map(CommitWay::name).collect(),
            Self::LogLevel => LogLevel::ALL.into_iter().map(LogLevel::name).collect(),
            Self::Truth => vec!["true", "false"],
            Self::Align => ALIGNMENTS.to_vec(),
            _ => Vec::new(),
        }
    }

    /// Its values described in Markdown.
    #[must_use]
    pub fn in_markdown(self) -> String {
        let words = match self {
            Self::Address => "address",
            Self::Length => "bytes",
            Self::Sectors => "number of sectors",
            Self::File => "file",
            Self::Url => "`http://...`",
            Self::AppLabel => "label of an app partition",
            Self::Label => "label of a partition",
            Self::Labels => "list of labels",
            Self::Text => "text",
            Self::Ssid => "1 to 32 bytes",
            Self::SsidHex => "hexadecimal digits",
            Self::Password => "text",
            Self::Hostname => "1 to 32 letters, digits, hyphens",
            Self::Identity => "1 to 31 characters",
            Self::SecureVersion => "number",
            _ => {
                let choices = self.choices().into_iter().map(|choice| self.code(choice));
                return choices.collect::<Vec<_>>().join(", ");
            }
        };
        words.to_owned()
    }

    /// One of the choices as a file has it, in Markdown.
    pub(super) fn code(self, choice: &str) -> String {
        match self.shape() {
            Shape::Text => format!("`\"{choice}\"`"),
            _ => format!("`{choice}`"),
        }
    }

    /// The typed text as TOML.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn to_toml(self, typed: &str) -> Result<String, String> {
        if typed.is_empty() && self != Self::Labels {
            return Err("the text is empty".to_owned());
        }
        match self {
            Self::Chip => parsed::<Chip>(typed),
            Self::FlashSize => parsed::<FlashSize>(typed),
            Self::Swap => parsed::<SwapKind>(typed),
            Self::DowngradePrevention => parsed::<DowngradePrevention>(typed),
            Self::CommitWay => parsed::<CommitWay>(typed),
            Self::LogLevel => parsed::<LogLevel>(typed),
            Self::Truth => match typed {
                "true" | "false" => Ok(typed.to_owned()),
                _ => Err("neither true nor false".to_owned()),
            },
            Self::Address => number(typed),
            Self::Sectors => match typed.parse::<u32>() {
                Ok(1..) => Ok(typed.to_owned()),
                _ => Err(format!("{typed:?} is not a number of sectors, such as 512")),
            },
            Self::Length | Self::Align => match len_bytes(typed)? {
                0 => Err("the size is 0; write how many bytes there are".to_owned()),
                _ => number(typed),
            },
            Self::Url => match Url::parse(typed) {
                Ok(_) => Ok(quoted(typed)),
                Err(error) => Err(format!("{error}; {URL_HELP}")),
            },
            Self::Labels => Ok(labels(typed)),
            Self::Ssid => match Wifi::new(typed, "") {
                Ok(_) => Ok(quoted(typed)),
                Err(error) => Err(error.to_string()),
            },
            Self::SsidHex => {
                match ssid_of_hex(typed).map(|ssid| Wifi::new(&ssid, "").map(|_| ())) {
                    Some(Ok(())) => Ok(quoted(typed)),
                    Some(Err(error)) => Err(error.to_string()),
                    None => Err(SSID_HEX_HELP.to_owned()),
                }
            }
            Self::Password => match Wifi::new("any", typed) {
                Ok(_) => Ok(quoted(typed)),
                Err(error) => Err(error.to_string()),
            },
            Self::Hostname if !is_hostname(typed) => Err(hostname_help()),
            Self::Identity => match check_identity(typed) {
                Ok(()) => Ok(quoted(typed)),
                Err(error) => Err(error.to_string()),
            },
            Self::SecureVersion => number(typed),
            Self::File | Self::AppLabel | Self::Label | Self::Text | Self::Hostname => {
                Ok(quoted(typed))
            }
        }
    }

    /// A value of the file as it is shown: passwords are hidden, lengths get a unit.
    #[must_use]
    pub fn shown(self, value: &str) -> String {
        match (self, len_bytes(value)) {
            (Self::Password, _) => "•".repeat(8),
            (Self::Url, _) => MaskedUrl(value).to_string(),
            (Self::Length, Ok(len)) if len >= 1024 && len % 1024 == 0 => {
                format!("{value} ({})", in_words(len))
            }
            _ => value.to_owned(),
        }
    }

    /// How to type a value, if that differs from the file.
    #[must_use]
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Self::Address | Self::Length => Some("such as 0x100000, 1048576, 1024K or 1M"),
            Self::Labels => Some("labels, with commas between them"),
            _ => None,
        }
    }

    /// Whether the typed text is hidden.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Password)
    }
}

/// What a host name must be.
pub(crate) fn hostname_help() -> String {
    format!(
        "write 1 to {MAX_HOSTNAME_LEN_BYTES} letters, digits and hyphens, no hyphen at either end"
    )
}

/// Parses a number of bytes: decimal or, after `0x`, hexadecimal; a suffix `K` or `M` means KiB or
/// MiB.
///
/// # Errors
///
/// What is wrong with it.
pub fn len_bytes(text: &str) -> Result<u32, String> {
    let wrong =
        || format!("{text:?} is not a number of bytes, such as 0x100000, 1048576, 1024K or 1M");
    let upper = text.to_ascii_uppercase();
    let (digits, unit_bytes) = match (upper.strip_suffix('K'), upper.strip_suffix('M')) {
        (Some(digits), _) => (digits, 1024),
        (_, Some(digits)) => (digits, 1024 * 1024),
        _ => (upper.as_str(), 1),
    };
    let (digits, radix) = digits.strip_prefix("0X").map_or((digits, 10), |digits| (digits, 16));
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return Err(wrong());
    }
    let number = u32::from_str_radix(digits, radix).map_err(|_| wrong())?;
    number.checked_mul(unit_bytes).ok_or_else(|| format!("{text} is larger than a 32-bit address"))
}

/// Bytes as in `1 MiB` or `60 KiB`.
#[must_use]
pub fn in_words(len_bytes: u32) -> String {
    const KIB: u32 = 1024;
    const MIB: u32 = 1024 * KIB;
    match len_bytes {
        len if len >= MIB && len.is_multiple_of(MIB) => format!("{} MiB", len / MIB),
        len if len.is_multiple_of(KIB) => format!("{} KiB", len / KIB),
        len => format!("{len} B"),
    }
}

fn parsed<T>(typed: &str) -> Result<String, String>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    typed.parse::<T>().map(|_| quoted(typed)).map_err(|error| error.to_string())
}

/// TOML has no units; a number without a unit is kept as it is.
fn number(typed: &str) -> Result<String, String> {
    let number = len_bytes(typed)?;
    let is_decimal = typed.bytes().all(|byte| byte.is_ascii_digit());
    Ok(if is_decimal { number.to_string() } else { format!("{number:#x}") })
}

fn labels(typed: &str) -> String {
    let labels = typed.split(',').map(str::trim).filter(|label| !label.is_empty());
    format!("[{}]", labels.map(quoted).collect::<Vec<_>>().join(", "))
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_with_units_and_are_written_without() {
        for (typed, written) in [
            ("0x110000", "0x110000"),
            ("1M", "0x100000"),
            ("256K", "0x40000"),
            ("65536", "65536"),
            ("0X1F000", "0x1f000"),
        ] {
            assert_eq!(ValueKind::Length.to_toml(typed).as_deref(), Ok(written), "{typed}");
        }
        assert_eq!(ValueKind::Address.to_toml("0").as_deref(), Ok("0"));
        for typed in ["", "0x", "1G", "-1", "4096M", "0"] {
            assert!(ValueKind::Length.to_toml(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn every_choice_is_one_that_is_taken() {
        for kind in [
            ValueKind::Chip,
            ValueKind::FlashSize,
            ValueKind::Swap,
            ValueKind::CommitWay,
            ValueKind::LogLevel,
            ValueKind::Truth,
        ] {
            assert!(kind.choices().len() >= 2);
            for choice in kind.choices() {
                assert!(kind.to_toml(choice).is_ok(), "{choice}");
            }
            assert!(kind.to_toml("nonsense").is_err());
        }
    }

    #[test]
    fn texts_are_quoted_as_toml_wants_it() {
        assert_eq!(ValueKind::Ssid.to_toml("a \"b\"").as_deref(), Ok("'a \"b\"'"));
        assert_eq!(
            ValueKind::Labels.to_toml(" nvs,partition-table, ").as_deref(),
            Ok(r#"["nvs", "partition-table"]"#)
        );
        assert_eq!(ValueKind::Labels.to_toml("").as_deref(), Ok("[]"));
        assert!(ValueKind::Url.to_toml("ftp://lab/a").is_err());
        assert!(ValueKind::Password.to_toml("short").unwrap_err().contains("8 to 63"));
        assert!(ValueKind::Hostname.to_toml("a b").is_err());
    }

    #[test]
    fn a_password_is_not_shown_not_even_its_length() {
        assert_eq!(
            ValueKind::Password.shown("correct horse"),
            ValueKind::Password.shown("password")
        );
        assert_eq!(ValueKind::Length.shown("0xf000"), "0xf000 (60 KiB)");
        assert_eq!(ValueKind::Length.shown("1000"), "1000");
    }
}
