//! The fixed numbers of a section, which is drawn in `section.rs`.

/// First bytes of a section: 8 letters, and 8 bytes drawn at random.
pub const SECTION_MAGIC: [u8; 16] = *b"BSWAPCFG\x8e\x41\xd7\x0b\xf3\x92\x1c\xa6";
/// Major version that this program reads and writes.
pub const MAJOR_VERSION: u16 = 1;
/// Minor version that this program writes; it reads every minor version.
pub const MINOR_VERSION: u16 = 0;
/// Bytes of the section that the migrators reserve.
pub const SECTION_LEN_BYTES: usize = 8 * 1024;
/// Bytes before the payload.
pub const HEADER_LEN_BYTES: usize = 36;
/// A section starts at a multiple of this in its image.
pub const SECTION_ALIGN_BYTES: usize = 4;
