//! Detects files that must not be served to others: with passwords, keys, or all data of a device.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use bootswap_config::{ConfigError, Storage, decode, find_section};
use esp_idf_format::image::FlashSize;
use esp_idf_format::nvs;
use esp_idf_format::partition::{ENTRY_MAGIC, PartitionTable};
use flash_region::SECTOR_BYTES;

use crate::image::FileKind;

/// Bytes of a text that are searched: enough for every configuration.
const TEXT_LEN_BYTES: usize = 1024 * 1024;
/// Words, in lower case, that a secret text contains.
const WORDS: [&str; 10] = [
    "private key-----",
    "password",
    "passwd",
    "passphrase",
    "psk",
    "secret",
    "token",
    "credential",
    "api_key",
    "apikey",
];

/// Why a file must not be served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Private {
    /// A migration, or another TOML file.
    Migration,
    /// A text that contains such a word.
    Words(&'static str),
    /// A private key.
    Key,
    /// All or a part of a flash, with its partition table.
    FlashDump,
    /// A device's storage, with the data in it.
    Nvs,
    /// A migrator with passwords of networks.
    Migrator,
}

impl fmt::Display for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Migration => f.write_str("a migration, which may have passwords in it"),
            Self::Words(word) => write!(f, "a text with {word:?} in it"),
            Self::Key => f.write_str("a private key"),
            Self::FlashDump => f.write_str("a flash dump, with all data of a device"),
            Self::Nvs => f.write_str("NVS of a device, which contains its passwords"),
            Self::Migrator => f.write_str("a migrator with passwords of networks in it"),
        }
    }
}

impl Private {
    /// Detects what the file at that path is, by its name and its bytes.
    ///
    /// # Errors
    ///
    /// Those of reading it.
    pub fn of_file(path: &Path) -> io::Result<Option<Self>> {
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
            return Ok(Some(Self::Migration));
        }
        let mut file = File::open(path)?;
        // A file that is longer than every flash cannot be a dump; its beginning may be a text.
        let largest_bytes = u64::from(FlashSize::Mb128.bytes());
        let looked_at = if file.metadata()?.len() > largest_bytes {
            TEXT_LEN_BYTES as u64
        } else {
            largest_bytes
        };
        let mut bytes = Vec::new();
        (&mut file).take(looked_at).read_to_end(&mut bytes)?;
        Ok(Self::of(&bytes))
    }

    /// Detects what these bytes are.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if is_der_private_key(bytes) {
            return Some(Self::Key);
        }
        if FileKind::of(bytes) == Some(FileKind::FlashDump) {
            return Some(Self::FlashDump);
        }
        for (index, sector) in bytes.chunks(SECTOR_BYTES as usize).enumerate() {
            if nvs::is_used_page(sector) {
                return Some(Self::Nvs);
            }
            // A table at the beginning is only a table.
            let has_table = index > 0
                && sector.starts_with(&ENTRY_MAGIC)
                && PartitionTable::parse_as_bootloader(sector).is_ok_and(|table| !table.is_empty());
            if has_table {
                return Some(Self::FlashDump);
            }
        }
        if has_passwords(bytes) {
            return Some(Self::Migrator);
        }
        // Last, since a binary can look like a text: the constants of a bootloader, at the begin of
        // a dump, are messages for the most part.
        let text = bytes.get(..TEXT_LEN_BYTES).unwrap_or(bytes);
        if is_text(text) { private_text(text) } else { None }
    }
}

/// Whether it is a text, in UTF-8 or UTF-16, apart from a few odd bytes.
fn is_text(bytes: &[u8]) -> bool {
    let begin = bytes.get(..4096).unwrap_or(bytes);
    let odd = |byte: &&u8| **byte < b' ' && !matches!(**byte, b'\n' | b'\r' | b'\t' | 0);
    let (odd, zeros) =
        (begin.iter().filter(odd).count(), begin.iter().filter(|byte| **byte == 0).count());
    let letters = begin.iter().filter(|byte| byte.is_ascii_graphic() || **byte == b' ').count();
    odd * 100 <= begin.len() && zeros <= begin.len() / 2 && letters * 3 >= begin.len()
}

fn private_text(bytes: &[u8]) -> Option<Private> {
    // In UTF-16, such words are their letters with zeros between.
    let plain: Vec<u8> =
        bytes.iter().filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).collect();
    let plain = String::from_utf8_lossy(&plain);
    let tables = ["[bootloader]", "[mcuboot]", "[[artifact]]", "[network", "[app]"];
    if plain.contains("private key-----") {
        Some(Private::Key)
    } else if tables.iter().any(|table| plain.contains(table)) {
        Some(Private::Migration)
    } else {
        WORDS.into_iter().find(|word| plain.contains(word)).map(Private::Words)
    }
}

/// PKCS #8, PKCS #1 and SEC 1 begin with a sequence that is as long as the file and contains a
/// version of 0 or 1 (RFC 5958, 2; RFC 8017, A.1.2; RFC 5915, 3). A public key has another sequence
/// there.
fn is_der_private_key(bytes: &[u8]) -> bool {
    let body = match bytes {
        [0x30, len @ 0..=0x7f, body @ ..] if body.len() == usize::from(*len) => body,
        [0x30, 0x81, len, body @ ..] if body.len() == usize::from(*len) => body,
        [0x30, 0x82, high, low, body @ ..]
            if body.len() == usize::from(u16::from_be_bytes([*high, *low])) =>
        {
            body
        }
        _ => return false,
    };
    matches!(body, [0x02, 0x01, 0 | 1, ..])
}

/// Whether a migrator's configuration has the password of a network, or cannot be read.
fn has_passwords(image: &[u8]) -> bool {
    let section = match find_section(image) {
        Ok(at) => image.get(at).unwrap_or_default(),
        Err(ConfigError::NoSection) => return false,
        Err(_) => return true,
    };
    let mut storage = Storage::default();
    match decode(section, &mut storage) {
        Ok(config) => {
            let network = config.network;
            network.wifi.iter().chain(&network.rescue).any(|wifi| !wifi.is_open())
        }
        Err(error) => error != ConfigError::Empty,
    }
}

#[cfg(test)]
mod tests {
    use device_sim::synthetic;
    use esp_idf_format::Chip;

    use super::*;

    #[test]
    fn texts_are_looked_through_in_every_encoding() {
        let toml = "chip = \"esp32\"\n[network]\n";
        assert_eq!(Private::of(toml.as_bytes()), Some(Private::Migration));
        assert_eq!(Private::of(b"CONFIG_WIFI_PASSWORD=\"x\""), Some(Private::Words("password")));
        let utf16: Vec<u8> = "wifi_passwd,data".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(Private::of(&utf16), Some(Private::Words("passwd")));
        assert_eq!(Private::of(b"-----BEGIN EC PRIVATE KEY-----"), Some(Private::Key));
        let csv = b"# Name, Type, SubType, Offset, Size\nnvs, data, nvs, 0x9000, 0x4000\n";
        assert_eq!(Private::of(csv), None);
        assert_eq!(Private::of(b"-----BEGIN PUBLIC KEY-----"), None);
        assert_eq!(Private::of(b""), None);
    }

    #[test]
    fn keys_in_der_are_told_from_public_ones() {
        let mut sec1 = vec![0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20];
        sec1.resize(2 + 0x77, 0x5a);
        assert_eq!(Private::of(&sec1), Some(Private::Key));
        let mut public = vec![0x30, 0x59, 0x30, 0x13, 0x06];
        public.resize(2 + 0x59, 0x5a);
        assert_eq!(Private::of(&public), None);
    }

    #[test]
    fn images_are_for_everybody() {
        let app = synthetic::app(Chip::Esp32c3, "blink", "1.0", 0x8000, 4).unwrap();
        assert_eq!(Private::of(&app), None);
        let mut table = vec![0; 0xc00];
        esp_idf_format::partition::emit(&synthetic::example_partitions(), &mut table).unwrap();
        assert_eq!(Private::of(&table), None);
        assert_eq!(Private::of(&[0xff; 0x2000]), None);
        // Cut off, so it has no flash's size.
        let mut cut = vec![0xff; 0x9000];
        cut[0x8000..0x8c00].copy_from_slice(&table);
        assert_eq!(Private::of(&cut), Some(Private::FlashDump));
    }

    /// The first segment of ESP-IDF's bootloaders is constants, most of which are messages.
    #[test]
    fn a_dump_that_begins_like_a_text_is_a_dump() {
        let mut table = vec![0; 0xc00];
        esp_idf_format::partition::emit(&synthetic::example_partitions(), &mut table).unwrap();
        let messages = "Assert failed in %s, %s:%d (%s)\n".bytes().cycle();
        let mut dump: Vec<u8> = messages.take(4 << 20).collect();
        assert_eq!(Private::of(&dump), None, "a text");
        dump[0x8000..0x9000].fill(0xff);
        dump[0x8000..0x8c00].copy_from_slice(&table);
        assert_eq!(Private::of(&dump), Some(Private::FlashDump));
        assert_eq!(Private::of(&dump[..0x9000]), Some(Private::FlashDump));
    }
}
