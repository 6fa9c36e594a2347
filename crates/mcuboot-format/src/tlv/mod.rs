//! The TLVs after the payload: hash, signature and what else MCUboot needs to know about an image.
//!
//! ```text
//! header.hdr_size + header.img_size                       where the image ends
//! | 0x6908 | len | TLV | TLV | ... | 0x6907 | len | TLV | TLV | ... |
//! |<--- header.protect_tlv_size -->|<------------ len ------------->|
//!
//! TLV:  | type u16 | len u16 | len bytes |
//! ```
//!
//! The first, protected area is there only if `protect_tlv_size` is not 0, and hash and signature
//! cover it. The second area is always there. Sizes include an area's own 4 bytes. (`struct
//! image_tlv_info`, `struct image_tlv`, boot/bootutil/include/bootutil/image.h;
//! boot/bootutil/src/tlv.c)

mod area;
mod types;

pub use area::{AREA_MAGIC, AreaHeader, PROTECTED_AREA_MAGIC, Tlv, TlvError, TlvHeader, Tlvs};
pub use types::{Dependency, TlvType};

#[cfg(test)]
mod tests;
