//! The flash map that is compiled into a bootloader, and the one that a migration declares.

use arbitrary::Result;
use device_sim::McubootConfig;
use flash_region::{FlashAddr, Region};
use mcuboot_format::{DowngradePrevention, SwapKind};

use super::app::{KEYS, public_key};
use super::choose::Choices;
use super::device::{Device, UNIT};

/// What an MCUboot for that device was built with.
pub(super) fn compiled(u: &mut Choices<'_>, device: &Device) -> Result<McubootConfig> {
    let apps: Vec<Region> = device.apps().collect();
    let first = apps.first().copied().unwrap_or_default();
    let primary = match u.below(8)? {
        6 => *u.one_of(&apps)?,
        7 => other_place(u, device)?,
        _ => first,
    };
    // Where the device has its next app partition, else right after the primary slot.
    let next = apps.iter().find(|app| app.start() >= primary.end());
    let behind = next.map_or(primary.end(), |app| app.start());
    let len_bytes = match u.below(8)? {
        5 => 0x1000 * u.within(4, 0x80)?,
        6 => 0x18_0000,
        7 => primary.len_bytes() / 2,
        _ => primary.len_bytes(),
    };
    let primary = Region::clamped(primary.start(), len_bytes);
    let start = match u.below(8)? {
        6 => u.one_of(&apps)?.start(),
        7 => other_place(u, device)?.start(),
        _ => behind.max(primary.end()),
    };
    let swap = *u.one_of(&[
        SwapKind::Scratch,
        SwapKind::Overwrite,
        SwapKind::Offset,
        SwapKind::Move,
        SwapKind::Scratch,
    ])?;
    // As MCUboot recommends it for these two.
    let other_len_bytes = match (swap, u.below(4)?) {
        (SwapKind::Move, 3) => len_bytes.saturating_sub(0x1000),
        (SwapKind::Offset, 3) => len_bytes + 0x1000,
        _ => len_bytes,
    };
    let secondary = Region::clamped(start, other_len_bytes);
    let scratch_len_bytes = *u.one_of(&[0x1000u32, 0x4_0000, 0x1_0000, 0x3000])?;
    let scratch = match u.below(8)? {
        6 => u.one_of(&device.partitions)?.region.start(),
        7 => other_place(u, device)?.start(),
        5 => device.end(),
        _ => secondary.end().max(primary.end()),
    };
    Ok(McubootConfig {
        primary,
        secondary,
        scratch: Some(Region::clamped(scratch, scratch_len_bytes)),
        swap,
        max_align: *u.mostly_first(8, &[8, 16, 32])?,
        max_sectors: *u.mostly_first(4, &[512, 128, 1024, 64])?,
        downgrade_prevention: *u.mostly_first(
            4,
            &[
                DowngradePrevention::None,
                DowngradePrevention::Version,
                DowngradePrevention::SecurityCounter,
            ],
        )?,
        overwrites_fast: swap == SwapKind::Overwrite && u.rarely(2)?,
        key: public_key(u.mostly_first(3, &KEYS)?),
        ..McubootConfig::example()
    })
}

/// Sectors anywhere in the first MiB.
pub(super) fn other_place(u: &mut Choices<'_>, _: &Device) -> Result<Region> {
    let start = match u.below(2)? {
        0 => u.below(0x100)? * 0x1000,
        _ => u.below(0x40)? * UNIT,
    };
    Ok(Region::clamped(FlashAddr(start), 0x1000 * u.within(1, 0x40)?))
}

/// `[mcuboot]`, and the key that it names.
pub(super) struct Declared {
    pub(super) text: String,
    pub(super) public_key: Option<&'static str>,
    /// Whether it declares everything, so that a bootloader whose file shows nothing is known too.
    pub(super) is_all: bool,
}

impl Declared {
    /// Declares what is compiled in; rarely it differs in one setting that the file shows.
    pub(super) fn choose(
        u: &mut Choices<'_>,
        device: &Device,
        truth: &McubootConfig,
    ) -> Result<Self> {
        let mut said = truth.clone();
        match u.below(40)? {
            39 => said.primary = other_place(u, device)?,
            38 => said.secondary = other_place(u, device)?,
            37 => said.swap = *u.one_of(&SwapKind::ALL)?,
            36 => said.max_align = 32,
            35 => said.downgrade_prevention = DowngradePrevention::Version,
            34 => said.key = public_key(u.one_of(&KEYS)?),
            _ => {}
        }
        let area = |name: &str, region: Region| {
            let (offset, size) = (region.start().get(), region.len_bytes());
            format!("{name} = {{ offset = {offset:#x}, size = {size:#x} }}\n")
        };
        let mut text = "[mcuboot]\n".to_owned();
        text += &area("primary", said.primary);
        text += &area("secondary", said.secondary);
        if let Some(scratch) = said.scratch.filter(|_| said.swap == SwapKind::Scratch) {
            text += &area("scratch", scratch);
        }
        text += &format!("swap = \"{}\"\n", said.swap.name());
        if said.max_align != 8 || u.rarely(2)? {
            text += &format!("max_align = {}\n", said.max_align);
        }
        // The files of chips with Xtensa cores do not show it.
        text += &format!("max_sectors = {}\n", said.max_sectors);
        if said.downgrade_prevention != truth.downgrade_prevention || u.rarely(2)? {
            text += &format!("downgrade_prevention = \"{}\"\n", said.downgrade_prevention);
        }
        if said.swap == SwapKind::Overwrite {
            text += &format!("overwrite_fast = {}\n", said.overwrites_fast);
        }
        // A key is found in the file, too.
        let is_named = said.key != truth.key || u.rarely(2)?;
        let named = KEYS.into_iter().find(|name| public_key(name) == said.key);
        let public_key = named.filter(|name| is_named && !name.is_empty());
        let is_all = said == *truth
            && truth.key.is_none()
            && truth.downgrade_prevention == DowngradePrevention::None;
        Ok(Self { text, public_key, is_all })
    }
}
