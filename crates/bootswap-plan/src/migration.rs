//! What the owner wants: the same for every device of a fleet.

use esp_idf_format::Chip;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::trailer::{TrailerConfig, TrailerLayout};
use mcuboot_format::{DowngradePrevention, ImageVersion, SlotLimits, SwapKind};

use crate::reason::Reason;

use crate::blanks::Blanks;

/// A migration: which artifacts are to end where, under which bootloader.
#[derive(Clone, Copy, Debug)]
pub struct Migration<'a> {
    /// Chip that the artifacts are for.
    pub chip: Chip,
    /// Flash size that the target system was built for, in bytes; `None` accepts any.
    pub flash_len_bytes: Option<u32>,
    /// Where the devices' partition table lies, where the owner says so: `None` lets each device
    /// find it.
    pub table_addr: Option<FlashAddr>,
    /// Flash map and rules compiled into the target bootloader, where that is MCUboot.
    pub mcuboot: Option<McubootMap<'a>>,
    /// What is to be placed, in the order in which it is fetched.
    pub artifacts: &'a [Artifact<'a>],
    /// Where artifacts wait until they are verified.
    pub staging: Staging<'a>,
    /// What the owner accepts although it is refused by default.
    pub allow: Allow<'a>,
    /// What is against it whatever the device is, by those who read the files that it names. A
    /// migration that a device has was made of files against which there is nothing.
    pub against: &'a [Reason],
}

impl<'a> Migration<'a> {
    /// Whether nothing that it brings is started when it is done, so that the device goes back to
    /// the firmware before the migrator: data alone, or a part of a target without its bootloader.
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

    /// A migration to any flash size, to a bootloader of which nothing is known, that stages where
    /// there is room and allows nothing that is refused by default.
    #[must_use]
    pub const fn new(chip: Chip, artifacts: &'a [Artifact<'a>]) -> Self {
        Self {
            chip,
            flash_len_bytes: None,
            table_addr: None,
            mcuboot: None,
            artifacts,
            staging: Staging::Auto,
            allow: Allow { test_image: false, overwrite: &[] },
            against: &[],
        }
    }
}

/// For how many sectors of a slot Espressif's port has room
/// (boot/espressif/hal/include/mcuboot_config/mcuboot_config.h in mcu-tools/mcuboot).
pub const DEFAULT_MAX_SECTORS: u32 = 512;

/// What MCUboot was compiled with: where it looks, and what it accepts.
#[derive(Clone, Copy, Debug)]
pub struct McubootMap<'a> {
    /// Slot that the target application runs from.
    pub primary: Region,
    /// Slot that an update waits in.
    pub secondary: Region,
    /// Area through which a swap using scratch moves sectors; `None` for the other kinds.
    pub scratch: Option<Region>,
    /// How an update gets from the secondary slot to the primary.
    pub swap: SwapKind,
    /// Largest write alignment that the trailer provides for, in bytes (`BOOT_MAX_ALIGN`).
    pub max_align_bytes: u32,
    /// For how many sectors of a slot there is room (`BOOT_MAX_IMG_SECTORS`). It decides how long a
    /// trailer is; with slots of more, nothing boots.
    pub max_sectors: u32,
    /// What is compared before an image is replaced.
    pub downgrade_prevention: DowngradePrevention,
    /// Whether overwriting copies no more than the image (`MCUBOOT_OVERWRITE_ONLY_FAST`).
    pub overwrites_fast: bool,
    /// Public key that images must be signed with, as DER of a SubjectPublicKeyInfo; `None` where
    /// the bootloader checks the hash alone.
    pub key_der: Option<&'a [u8]>,
}

impl McubootMap<'_> {
    /// What Espressif's port has unless it is changed, for a map without slots.
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

    /// What decides where the trailers are: Espressif's port, with this map's swap, alignment and
    /// number of sectors.
    #[must_use]
    pub const fn trailer_config(&self) -> TrailerConfig {
        TrailerConfig {
            max_align: self.max_align_bytes,
            max_sectors: self.max_sectors,
            ..TrailerConfig::espressif(self.swap)
        }
    }

    /// The trailer of a slot; `None` where none fits.
    #[must_use]
    pub fn trailer(&self, slot: Region) -> Option<TrailerLayout> {
        TrailerLayout::new(slot, self.trailer_config()).ok()
    }

    /// Where the trailer of a slot is; `None` where none fits.
    #[must_use]
    pub fn trailer_area(&self, slot: Region) -> Option<Region> {
        self.trailer(slot).map(|layout| layout.trailer())
    }

    /// The trailer of the slot that ends at `end`; `None` where no slot does.
    #[must_use]
    pub fn trailer_ending(&self, end: FlashAddr) -> Option<TrailerLayout> {
        [self.primary, self.secondary]
            .into_iter()
            .find(|slot| slot.end() == end)
            .and_then(|s| self.trailer(s))
    }

    /// The end of the last area of the map: so much flash the bootloader has to reach.
    #[must_use]
    pub fn end(&self) -> FlashAddr {
        let areas = [Some(self.primary), Some(self.secondary), self.scratch];
        areas.into_iter().flatten().map(|area| area.end()).max().unwrap_or(FlashAddr::ZERO)
    }

    /// How long an image may be; `None` where no trailer fits the slots.
    #[must_use]
    pub fn limits(&self) -> Option<SlotLimits> {
        let (primary, secondary) = (self.trailer(self.primary)?, self.trailer(self.secondary)?);
        Some(SlotLimits::new(&primary, &secondary, SECTOR_BYTES))
    }
}

/// A file to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Artifact<'a> {
    /// Name in messages and in the container of embedded artifacts.
    pub name: &'a str,
    /// What it is for.
    pub role: Role,
    /// Where it comes from.
    pub origin: Origin<'a>,
    /// Region that it may fill, from its first byte. `None` follows from role, chip and map.
    pub dest: Option<Region>,
    /// Bytes of the bootloader's region where [`Artifact::dest`] is `None`.
    pub region_len_bytes: Option<u32>,
    /// Length of the file in bytes, where it is known.
    pub len_bytes: Option<u32>,
    /// SHA-256 of the file, where it is known.
    pub sha256: Option<[u8; 32]>,
    /// What is known of its contents.
    pub content: Option<Content>,
    /// Whether the migrator completes MCUboot's trailer, so that the image is swapped in for good.
    pub confirm: bool,
    /// Blank sectors of the file, as far as they are known. They count where an image reaches from
    /// the bootloader over other things: what lies under them is kept.
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

/// What an artifact is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The target application.
    Application,
    /// The target bootloader; written after everything but otadata, which may hand control over.
    Bootloader,
    /// Anything else, at the place that the migration names.
    Other,
}

/// Where an artifact comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin<'a> {
    /// An HTTP or HTTPS address.
    Url(&'a str),
    /// The migrator's own image, behind its end.
    Embedded,
}

/// What is known of an artifact's contents before it is fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// An MCUboot image.
    Mcuboot {
        /// Bytes of header, image and TLVs.
        image_len_bytes: u32,
        /// Whether the file goes on to the end of a slot and carries a trailer with a good magic.
        padded: bool,
        /// Whether that trailer has `image_ok` set.
        confirmed: bool,
        /// Whether it carries a signature TLV.
        signed: bool,
        /// Its version.
        version: ImageVersion,
    },
    /// An ESP image: bootloader or application.
    EspImage {
        /// Chip in its header, as the number that the header holds.
        chip_id: u16,
        /// Bytes up to the end of the appended digest.
        image_len_bytes: u32,
        /// Flash size in its header, in bytes.
        flash_len_bytes: Option<u32>,
    },
    /// Something that bootswap has no rules for.
    Opaque,
}

/// Where artifacts wait until they are verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Staging<'a> {
    /// The planner chooses.
    #[default]
    Auto,
    /// Every artifact goes through the partition with this label.
    Label(&'a str),
    /// The bootloader waits in memory, where it fits; nothing else can.
    Memory,
}

/// What the owner accepts although it is refused by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Allow<'a> {
    /// An application whose trailer is not confirmed: MCUboot runs it on trial, and there is no
    /// ESP-IDF bootloader left to go back to.
    pub test_image: bool,
    /// Labels of data partitions that the target may overwrite, and [`PARTITION_TABLE`] for the
    /// partition table. What boots the old system among them changes in the commit only.
    pub overwrite: &'a [&'a str],
}

/// How [`Allow::overwrite`] and the messages name the partition table, which has no label.
pub const PARTITION_TABLE: &str = "partition-table";

/// The same for the sector before the bootloader of ESP32 and ESP32-S2, in which secure boot V1
/// keeps its data (ESP-IDF Programming Guide, "Secure Boot").
pub const SECURE_BOOT_DATA: &str = "secure-boot-data";

impl Allow<'_> {
    /// Whether what has this label may be overwritten.
    #[must_use]
    pub fn overwrites(&self, label: &str) -> bool {
        self.overwrite.contains(&label)
    }
}
