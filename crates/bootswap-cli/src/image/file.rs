//! Reading the files given to a command.

use std::io;
use std::path::Path;

use bootswap_migration::image::FileKind;
use esp_idf_format::image::is_esp8266;
use flash_region::Hex;

use crate::error::CommandError;
use crate::input::read;

/// Reads a file and detects its kind.
pub(super) fn read_known(path: &Path) -> Result<(Vec<u8>, FileKind), CommandError> {
    let bytes = read(path)?;
    let kind = FileKind::of(&bytes).ok_or_else(|| {
        if is_esp8266(&bytes) {
            return CommandError::input(
                format_args!("{}: an ESP8266 image, which is not supported", path.display()),
                "name a file for one of the ESP32 family's chips",
            );
        }
        if bytes.is_empty() {
            return CommandError::input(
                format_args!("{} is empty", path.display()),
                "name a file with something in it",
            );
        }
        let begin = Hex(bytes.get(..bytes.len().min(8)).unwrap_or_default()).to_string();
        CommandError::input(
            format_args!(
                "{}: {} bytes that begin with {} at offset 0 are not of a known kind",
                path.display(),
                bytes.len(),
                begin
            ),
            "name an MCUboot image, an ESP image, a partition table, otadata, a factory image or \
            a dump of the whole flash",
        )
    })?;
    Ok((bytes, kind))
}

/// The text of a file whose bytes were read.
pub(super) fn text(path: &Path, bytes: Vec<u8>) -> Result<String, CommandError> {
    String::from_utf8(bytes).map_err(|_| {
        let error = io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
        CommandError::file("read", path, &error)
    })
}
