//! CRC-32, as in Ethernet and zip.
//!
//! Computed bit by bit: it rarely covers more than a few hundred bytes, and a table would be larger
//! than that.

use crc::{CRC_32_ISO_HDLC, Crc, Digest, NoTable};

static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// A CRC over bytes that come in pieces.
pub(crate) fn digest() -> Digest<'static, u32, NoTable> {
    CRC.digest()
}

/// The CRC of these bytes.
pub(crate) fn hash(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}
