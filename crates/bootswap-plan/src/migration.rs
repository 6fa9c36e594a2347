//! What the owner wants: the same for every device of a fleet.

use esp_idf_format::Chip;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::trailer::{TrailerConfig, TrailerLayout};
use mcuboot_format::{DowngradePrevention, ImageVersion, SlotLimits, SwapKind};

use crate::reason::Reason;

use crate::blanks::Blanks;
use crate::carrier::CarrierContent;
use crate::commit_way::CommitWay;

/// A migration: which artifacts are written where, and for which bootloader.
#[derive(Clone, Copy, Debug)]
pub struct Migration<'a> {
    /// Chip that the artifacts are for.
    pub chip: Chip,
    /// Flash size that the target system was built for, in bytes; `None` accepts any.
    pub flash_len_bytes: Option<u32>,
    /// Address of the devices' partition table, if the owner gives it: with `None`, each device
    /// finds it.
    pub table_addr: Option<FlashAddr>,
    /// Flash map and rules compiled into the target bootloader, if it is MCUboot.
    pub mcuboot: Option<McubootMap<'a>>,
    /// The artifacts, in the order in which they are fetched.
    pub artifacts: &'a [Artifact<'a>],
    /// Where artifacts wait until they are verified.
    pub staging: Staging<'a>,
    /// How devices come to boot the target.
    pub commit: CommitWay,
    /// What the owner accepts that is otherwise refused.
    pub allow: Allow<'a>,
    /// Reasons against it on any device, found by whoever read the files that it names. The
    /// migration in a packed migrator was made from files without such reasons.
    pub against: &'a [Reason],
}

impl<'a> Migration<'a> {
    /// Whether it writes nothing that is started afterwards, so the device goes back to the
    /// previous firmware: only data, or a part of a target without its bootloader.
    #[must_use]
    pub fn goes_back(&self) -> bool {
        let boot = self.chip.bootloader_addr();
        let mut artifacts = self.artifacts.iter();
        match self.mcuboot {
            None => artifacts.all(|artifact| artifact.role != Role::Application),
            Some(_) => !artifacts.any(|artifact| {
                artifact.role == Role::Bootloader
                    || artifact.dest.is_some_and(|dest| dest.contains(boot))
            }),
        }
    }

    /// A migration for any flash size and for an unknown bootloader, which stages wherever there is
    /// room and allows nothing that is otherwise refused.
    #[must_use]
    pub const fn new(chip: Chip, artifacts: &'a [Artifact<'a>]) -> Self {
        Self {
            chip,
            flash_len_bytes: None,
            table_addr: None,
            mcuboot: None,
            artifacts,
            staging: Staging::Auto,
            commit: CommitWay::Replace,
            allow: Allow { test_image: false, overwrite: &[] },
            against: &[],
        }
    }
}

/// Number of sectors of a slot that Espressif's port has room for, with any kind of swap.
pub const DEFAULT_MAX_SECTORS: u32 = TrailerConfig::espressif(SwapKind::Scratch).max_sectors;

/// What MCUboot was compiled with: where it looks, and what it accepts.
#[derive(Clone, Copy, Debug)]
pub struct McubootMap<'a> {
    /// Slot that the target application runs from.
    pub primary: Region,
    /// Slot that an update is written to.
    pub secondary: Region,
    /// Area through which a swap using scratch moves sectors; `None` for the other kinds.
    pub scratch: Option<Region>,
    /// How an update is installed in the primary slot.
    pub swap: SwapKind,
    /// Largest write alignment that the trailer provides for, in bytes (`BOOT_MAX_ALIGN`).
    pub max_align_bytes: u32,
    /// Number of sectors of a slot that there is room for (`BOOT_MAX_IMG_SECTORS`). The length of a
    /// trailer depends on it; with larger slots, nothing boots.
    pub max_sectors: u32,
    /// What is compared before an image is replaced.
    pub downgrade_prevention: DowngradePrevention,
    /// Whether overwriting copies only the image (`MCUBOOT_OVERWRITE_ONLY_FAST`).
    pub overwrites_fast: bool,
    /// Public key that images must be signed with, as DER of a SubjectPublicKeyInfo; `None` if the
    /// bootloader checks only the hash.
    pub key_der: Option<&'a [u8]>,
}

impl McubootMap<'_> {
    /// The defaults of Espressif's port, for a map without slots.
    pub const ESPRESSIF: Self = Self {
        primary: Region::clamped(FlashAddr::ZERO, 0),
        secondary: Region::clamped(FlashAddr::ZERO, 0),
        scratch: None,
        swap: SwapKind::Scratch,
        max_align_bytes: 8,
        max_sectors: DEFAULT_MAX_SECTORS,
        downgrade_prevention: DowngradePrevention::None,
        overwrites_fast: false,
        key_der: None,
    };

    /// Whether MCUboot swaps or copies between slots of these sizes.
    ///
    /// Slots have the same number of sectors (`boot_slots_compatible`,
    /// boot/bootutil/src/swap_scratch.c). Swap using move accepts one sector more in the primary
    /// (swap_move.c), swap using offset one more in the secondary (swap_offset.c).
    #[must_use]
    pub fn slots_match(&self) -> bool {
        let (primary, secondary) = (self.primary.len_bytes(), self.secondary.len_bytes());
        primary == secondary
            || match self.swap {
                SwapKind::Scratch | SwapKind::Overwrite => false,
                SwapKind::Move => primary.checked_sub(SECTOR_BYTES) == Some(secondary),
                SwapKind::Offset => secondary.checked_sub(SECTOR_BYTES) == Some(primary),
            }
    }

    /// The settings that the position of trailers depends on: Espressif's port, with this map's
    /// swap, alignment and number of sectors.
    #[must_use]
    pub const fn trailer_config(&self) -> TrailerConfig {
        TrailerConfig {
            max_align: self.max_align_bytes,
            max_sectors: self.max_sectors,
            ..TrailerConfig::espressif(self.swap)
        }
    }

    /// The trailer of a slot; `None` if it does not fit.
    #[must_use]
    pub fn trailer(&self, slot: Region) -> Option<TrailerLayout> {
        TrailerLayout::new(slot, self.trailer_config()).ok()
    }

    /// The region of the trailer of a slot; `None` if it does not fit.
    #[must_use]
    pub fn trailer_area(&self, slot: Region) -> Option<Region> {
        self.trailer(slot).map(|layout| layout.trailer())
    }

    /// The trailer of the slot that ends at `end`; `None` if no slot does.
    #[must_use]
    pub fn trailer_ending(&self, end: FlashAddr) -> Option<TrailerLayout> {
        [self.primary, self.secondary]
            .into_iter()
            .find(|slot| slot.end() == end)
            .and_then(|s| self.trailer(s))
    }

    /// The end of the last area of the map: the bootloader must be able to read up to here.
    #[must_use]
    pub fn end(&self) -> FlashAddr {
        let areas = [Some(self.primary), Some(self.secondary), self.scratch];
        areas.into_iter().flatten().map(|area| area.end()).max().unwrap_or(FlashAddr::ZERO)
    }

    /// The largest length of an image; `None` if no trailer fits the slots.
    #[must_use]
    pub fn limits(&self) -> Option<SlotLimits> {
        let (primary, secondary) = (self.trailer(self.primary)?, self.trailer(self.secondary)?);
        Some(SlotLimits::new(&primary, &secondary, SECTOR_BYTES))
    }
}

/// A file to be written to flash.
#[derive(Clone, Copy, Debug)]
pub struct Artifact<'a> {
    /// Name in messages and in the container of embedded artifacts.
    pub name: &'a str,
    /// Its role.
    pub role: Role,
    /// Where it comes from.
    pub origin: Origin<'a>,
    /// Region that it may fill, from its first byte. `None` follows from role, chip and map.
    pub dest: Option<Region>,
    /// Bytes of the bootloader's region where [`Artifact::dest`] is `None`.
    pub region_len_bytes: Option<u32>,
    /// Length of the file in bytes, if known.
    pub len_bytes: Option<u32>,
    /// SHA-256 of the file, if known.
    pub sha256: Option<[u8; 32]>,
    /// What is known about its contents.
    pub content: Option<Content>,
    /// Whether the migrator completes MCUboot's trailer, so that the image is swapped in for good.
    pub confirm: bool,
    /// Blank sectors of the file, as far as they are known. They matter in a merged image: what is
    /// under them is kept.
    pub blanks: Blanks<'a>,
}

impl<'a> Artifact<'a> {
    /// An artifact of which only name, role and origin are known.
    #[must_use]
    pub const fn new(name: &'a str, role: Role, origin: Origin<'a>) -> Self {
        Self {
            name,
            role,
            origin,
            dest: None,
            region_len_bytes: None,
            len_bytes: None,
            sha256: None,
            content: None,
            confirm: false,
            blanks: Blanks::NONE,
        }
    }
}

/// The role of an artifact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The target application.
    Application,
    /// The target bootloader; written last, except for otadata, which may hand over control.
    Bootloader,
    /// Anything else, for the address that the migration names.
    Other,
}

/// Where an artifact comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin<'a> {
    /// An HTTP or HTTPS URL.
    Url(&'a str),
    /// The migrator's own image, after its end.
    Embedded,
}

/// What is known about an artifact's contents before it is fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// An MCUboot image.
    Mcuboot {
        /// Bytes of header, image and TLVs.
        image_len_bytes: u32,
        /// Whether the file reaches to the end of a slot and has a trailer with a good magic.
        padded: bool,
        /// Whether that trailer has `image_ok` set.
        confirmed: bool,
        /// Whether it has a signature TLV.
        signed: bool,
        /// Its version.
        version: ImageVersion,
    },
    /// An ESP image: bootloader or application.
    EspImage {
        /// Chip in its header, as the header's number.
        chip_id: u16,
        /// Bytes up to the end of the appended digest.
        image_len_bytes: u32,
        /// Flash size in its header, in bytes.
        flash_len_bytes: Option<u32>,
    },
    /// A carrier, which is an ESP image too.
    Carrier(CarrierContent),
    /// Something that bootswap has no rules for.
    Opaque,
}

/// Where artifacts wait until they are verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Staging<'a> {
    /// The planner chooses.
    #[default]
    Auto,
    /// Every artifact is staged in the partition with this label.
    Label(&'a str),
    /// The bootloader is staged in memory, if it fits; nothing else can be.
    Memory,
}

/// What the owner accepts that is otherwise refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Allow<'a> {
    /// An application whose trailer is not confirmed: MCUboot runs it on trial, and there is no
    /// ESP-IDF bootloader left to revert to.
    pub test_image: bool,
    /// Labels of data partitions that the target may overwrite, and [`PARTITION_TABLE`] for the
    /// partition table. Those among them that the old system boots from are changed only in the
    /// commit.
    pub overwrite: &'a [&'a str],
}

/// The name of the partition table, which has no label, in [`Allow::overwrite`] and in messages.
pub const PARTITION_TABLE: &str = "partition-table";

/// The name of the sectors before the bootloader of ESP32 and ESP32-S2, in which secure boot V1
/// stores its data (ESP-IDF Programming Guide, "Secure Boot").
pub const SECURE_BOOT_DATA: &str = "secure-boot-data";

impl Allow<'_> {
    /// Whether the data with this label may be overwritten.
    #[must_use]
    pub fn overwrites(&self, label: &str) -> bool {
        self.overwrite.contains(&label)
    }
}
