//! The CRC-32 that ESP-IDF computes over otadata entries and over NVS.

use crc::{Algorithm, CRC_32_ISO_HDLC, Crc, NoTable};

/// `esp_rom_crc32_le(UINT32_MAX, ..)`. The function inverts the value that it is given, so that the
/// register starts at 0, where Ethernet's CRC-32 starts with all ones.
const ROM_CRC_32: Algorithm<u32> = Algorithm { init: 0, check: 0xd202_d277, ..CRC_32_ISO_HDLC };

/// Without a table: one would be larger than everything else here, and the records are short.
static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&ROM_CRC_32);

/// The checksum of an otadata entry's sequence, and of pages, entries and values of NVS.
pub(crate) fn rom_crc32(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_form_of_the_algorithm_is_right() {
        assert_eq!(rom_crc32(b"123456789"), ROM_CRC_32.check);
    }
}
