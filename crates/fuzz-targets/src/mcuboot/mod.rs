//! Targets about MCUboot: its formats, and what it does at boot.

mod boot;
mod bootloader;
mod header;
mod image;
mod keys;
mod tlvs;
mod trailer;

pub use boot::mcuboot_boot;
pub use bootloader::mcuboot_bootloader;
pub use header::mcuboot_header;
pub use image::mcuboot_image;
pub use keys::mcuboot_keys;
pub use tlvs::mcuboot_tlvs;
pub use trailer::mcuboot_trailer;
