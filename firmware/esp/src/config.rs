//! The migration, until it is read from the image.

use bootswap_plan::{Allow, Artifact, McubootMap, Migration, Origin, Role, Staging};
use flash_region::{FlashAddr, Region};
use mcuboot_format::SwapKind;

use crate::chip::CHIP;

const ARTIFACTS: &[Artifact<'static>] = &[
    Artifact {
        name: "app",
        role: Role::Application,
        origin: Origin::Url("http://10.0.2.2:8070/app_upd.bin"),
        dest: None,
        region_len_bytes: None,
        len_bytes: None,
        sha256: None,
        content: None,
        confirm: false,
    },
    Artifact {
        name: "bootloader",
        role: Role::Bootloader,
        origin: Origin::Url("http://10.0.2.2:8070/mcuboot.bin"),
        dest: None,
        region_len_bytes: Some(0xf000),
        len_bytes: None,
        sha256: None,
        content: None,
        confirm: false,
    },
];

/// The example's migration.
pub const MIGRATION: Migration<'static> = Migration {
    chip: CHIP,
    flash_len_bytes: Some(4 << 20),
    mcuboot: Some(McubootMap {
        primary: Region::clamped(FlashAddr(0x1_0000), 0x10_0000),
        secondary: Region::clamped(FlashAddr(0x11_0000), 0x10_0000),
        scratch: Some(Region::clamped(FlashAddr(0x21_0000), 0x4_0000)),
        swap: SwapKind::Scratch,
        max_align_bytes: 8,
        key_der: None,
    }),
    artifacts: ARTIFACTS,
    staging: Staging::Auto,
    allow: Allow { test_image: false, overwrite: &[] },
};
