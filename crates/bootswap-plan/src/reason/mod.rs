//! Why a migration is refused.
//!
//! Every reason is found before anything is erased, names what is wrong and where, and says what to
//! change. The codes leave the device and are never renumbered.

mod code;
mod text;

use esp_idf_format::Chip;
use esp_idf_format::partition::{Label, PartitionTableError};
use flash_region::{FlashAddr, Region};
use heapless::{String, Vec};
use mcuboot_format::espressif::LoadFault;
use mcuboot_format::{ImageVersion, SwapKind};

/// Most reasons that are reported at once.
pub const MAX_REASONS: usize = 24;

/// Every reason that was found, in the order of the checks.
pub type Reasons = Vec<Reason, MAX_REASONS>;

/// Longest name within a reason, in bytes.
const NAME_LEN_BYTES: usize = 24;

/// Name of an artifact or label within a reason; cut off where it is longer.
pub type Name = String<NAME_LEN_BYTES>;

/// A value within a reason.
pub type Text = String<TEXT_LEN_BYTES>;

/// Longest value within a reason, in bytes: a region, or a kind of key and the start of its digest.
const TEXT_LEN_BYTES: usize = 40;

/// Cuts `name` to what a reason can hold.
#[must_use]
pub fn name(text: &str) -> Name {
    cut(text)
}

fn cut<const N: usize>(text: &str) -> String<N> {
    let end = text.floor_char_boundary(N);
    text.get(..end).and_then(|text| String::try_from(text).ok()).unwrap_or_default()
}

/// One reason why there is no plan.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// Secure boot is on: the ROM would reject the new bootloader.
    SecureBoot,
    /// Flash encryption is on: plain bytes would be decrypted to garbage.
    FlashEncryption,
    /// The migration is for another chip.
    WrongChip {
        /// Chip of the migration.
        wanted: Chip,
        /// Chip of the device.
        found: Chip,
    },
    /// An image is for another chip.
    WrongImageChip {
        /// Artifact.
        artifact: Name,
        /// `chip_id` in its header.
        chip_id: u16,
        /// Chip of the device.
        found: Chip,
    },
    /// The device has less flash than the migration needs.
    FlashTooSmall {
        /// Bytes that the migration, or a header, needs.
        wanted_bytes: u32,
        /// Bytes that the device has.
        found_bytes: u32,
    },
    /// A region does not lie within the flash.
    OutsideFlash {
        /// What.
        what: Name,
        /// Where.
        region: Region,
        /// Bytes of flash.
        flash_len_bytes: u32,
    },
    /// A region does not start and end at sectors.
    Misaligned {
        /// What.
        what: Name,
        /// Where.
        region: Region,
    },
    /// An artifact is longer than the place it is for.
    TooLarge {
        /// Artifact.
        artifact: Name,
        /// Its bytes.
        len_bytes: u32,
        /// Bytes there is room for.
        room_bytes: u32,
        /// The place.
        region: Region,
    },
    /// An MCUboot image reaches into the slot's trailer.
    ReachesTrailer {
        /// Artifact.
        artifact: Name,
        /// End of the image within the slot, in bytes.
        image_len_bytes: u32,
        /// Bytes of the slot that an image may take.
        room_bytes: u32,
    },
    /// An artifact would be written over the running code.
    OverRunningCode {
        /// Artifact.
        artifact: Name,
        /// Where it goes.
        dest: Region,
        /// Where the migrator runs.
        running: Region,
    },
    /// An artifact would overwrite something that the migration does not name.
    OverKept {
        /// Artifact.
        artifact: Name,
        /// Where it goes.
        dest: Region,
        /// Label of the partition, or `partition table`.
        kept: Name,
        /// Where that is.
        region: Region,
    },
    /// Two artifacts, or two parts of the map, share addresses.
    Overlap {
        /// One.
        first: Name,
        /// The other.
        second: Name,
        /// What they share.
        shared: Region,
    },
    /// There is no place to stage an artifact.
    NoStaging {
        /// Artifact.
        artifact: Name,
        /// Bytes it needs.
        needed_bytes: u32,
        /// Bytes of the largest place that is free.
        largest_bytes: u32,
    },
    /// The staging partition named by the migration is not on the device.
    UnknownLabel {
        /// Label.
        label: Name,
    },
    /// The staging partition named by the migration overlaps something that is needed.
    StagingInUse {
        /// Label.
        label: Name,
        /// What else is there.
        by: Name,
        /// What they share.
        shared: Region,
    },
    /// Stale bytes may lie in the primary slot's trailer area and cannot be cleaned: the running
    /// image is there.
    TrailerUnderRunningCode {
        /// The trailer area.
        trailer: Region,
        /// The running image.
        running: Region,
    },
    /// MCUboot would not start the application for good.
    NotConfirmed {
        /// Artifact.
        artifact: Name,
    },
    /// The bootloader requires a signature, the image has none.
    NotSigned {
        /// Artifact.
        artifact: Name,
    },
    /// The map lacks a scratch area, or it is smaller than a sector.
    NoScratch,
    /// The slots of the map have sizes between which MCUboot does not swap or copy.
    SlotsDiffer {
        /// Primary slot.
        primary: Region,
        /// Secondary slot.
        secondary: Region,
        /// How it would.
        swap: SwapKind,
    },
    /// The trailer does not fit the slot, or MCUboot does not have the alignment.
    BadMap {
        /// Slot.
        slot: Region,
        /// Alignment in bytes.
        max_align_bytes: u32,
    },
    /// An artifact without `dest` needs a `[mcuboot]` map or a role that gives it one.
    NoDestination {
        /// Artifact.
        artifact: Name,
    },
    /// An artifact is not the kind of file that its role asks for.
    WrongContent {
        /// Artifact.
        artifact: Name,
        /// What it should be.
        wanted: &'static str,
    },
    /// The migration names no artifact, or more than a plan can hold.
    ArtifactCount {
        /// How many.
        count: usize,
    },
    /// The partition table has an entry that ends beyond the end of flash.
    BadPartition {
        /// Label.
        label: Label,
        /// Where it is said to be.
        region: Region,
    },
    /// No partition starts where the migrator says that it runs.
    UnknownRunning {
        /// Where it says that it runs.
        running: Region,
    },
    /// An artifact ends at or behind the bootloader's start without covering it.
    BootloaderMisplaced {
        /// Artifact.
        artifact: Name,
        /// Where it is to go.
        dest: Region,
        /// Where the chip's ROM looks.
        wanted: FlashAddr,
    },
    /// The plan has more steps than a device can hold.
    TooComplex,
    /// An MCUboot image ends in the sector in which the trailer begins, and would be swapped
    /// through scratch: a power cut at the wrong moment of that swap leaves nothing that boots.
    SharesTrailerSector {
        /// Artifact.
        artifact: Name,
        /// End of the image within the slot, in bytes.
        image_len_bytes: u32,
        /// Bytes of the slot before that sector.
        room_bytes: u32,
    },
    /// The flash size in the bootloader's header is smaller than its own map needs: it would not
    /// read beyond that size.
    MapBehindFlash {
        /// Artifact.
        artifact: Name,
        /// Bytes of flash in its header.
        header_bytes: u32,
        /// End of the map's last area.
        map_end: FlashAddr,
    },
    /// The migrator would have to move first, and there is no partition for it.
    NoRelocation {
        /// Bytes of the migrator's image.
        needed_bytes: u32,
        /// App partitions that were looked at.
        tried: u32,
        /// Whether the bootloader can take the application from the secondary slot.
        is_swapped_in: bool,
    },
    /// The new bootloader would find no application, or the old one nothing but the migrator.
    NothingToStart {
        /// The slot that it starts from; `None` where that is no MCUboot's.
        primary: Option<Region>,
    },
    /// An artifact has no bytes.
    Empty {
        /// Artifact.
        artifact: Name,
    },
    /// An area of the map has more sectors than the bootloader has room for: nothing boots.
    TooManySectors {
        /// What.
        what: Name,
        /// Where.
        region: Region,
        /// Its sectors.
        sectors: u32,
        /// Sectors that there is room for.
        max_sectors: u32,
    },
    /// The bootloader prevents downgrades, and what is in the primary slot reads as a newer
    /// version: it erases the application.
    Downgrade {
        /// Artifact.
        artifact: Name,
        /// Its version.
        version: ImageVersion,
        /// The version that MCUboot reads in the primary slot.
        over: ImageVersion,
        /// The primary slot.
        primary: Region,
    },
    /// The bootloader's file was built with something else than the map says.
    BootloaderDiffers {
        /// Key of the migration.
        key: &'static str,
        /// What the migration has.
        declared: Text,
        /// What the file has.
        found: Text,
    },
    /// The target bootloader of an MCUboot map is not MCUboot.
    NotMcuboot {
        /// Artifact.
        artifact: Name,
        /// What it is.
        system: &'static str,
    },
    /// There is more than one application for MCUboot's slots.
    SecondApplication {
        /// The first.
        first: Name,
        /// The one that is too many.
        second: Name,
    },
    /// Two places hold a partition table with the running app in it, and nobody said which one the
    /// bootloader reads.
    TwoTables {
        /// The first place.
        first: FlashAddr,
        /// The second.
        second: FlashAddr,
    },
    /// The migrator's image does not fit the partition that it is to run from.
    MigratorTooLarge {
        /// Its bytes.
        len_bytes: u32,
        /// The partition.
        running: Region,
    },
    /// A region lies where addresses of 24 bits do not reach: they wrap, and hit the bootloader.
    Above16Mb {
        /// What.
        what: Name,
        /// Where.
        region: Region,
    },
    /// Espressif's loader in MCUboot would not start the application, or not where it can run.
    LoadHeader {
        /// Artifact.
        artifact: Name,
        /// What is wrong with its load header.
        fault: LoadFault,
    },
    /// The bootloader talks to the flash through more lines than the one in place does.
    FlashMode {
        /// Artifact.
        artifact: Name,
    },
    /// MCUboot would not accept the trailer at the end of the file, and the migrator cannot mend
    /// it.
    BadTrailer {
        /// Artifact.
        artifact: Name,
    },
    /// What is between an image and its trailer is not erased, and would not be written.
    Padding {
        /// Artifact.
        artifact: Name,
        /// Where in the file.
        offset: u32,
    },
    /// The migrator cannot use the public key of the target bootloader.
    PublicKey,
    /// A partition table among the artifacts is none that the bootloader would boot by.
    BadTable {
        /// Artifact.
        artifact: Name,
        /// What is wrong.
        fault: PartitionTableError,
    },
    /// The partition table among the artifacts has no app partition with room for the application.
    NoSlot {
        /// Artifact with the table.
        artifact: Name,
        /// Where the application goes.
        start: FlashAddr,
        /// Its bytes.
        needed_bytes: u32,
    },
    /// After the migration the bootloader would start something else, such as the migrator, for
    /// ever; or nothing.
    StartsOther {
        /// Artifact that decides about it.
        artifact: Name,
        /// What it would start; `None` for nothing.
        start: Option<FlashAddr>,
    },
    /// An artifact is to be fetched, and the chip has no radio.
    NoRadio {
        /// Artifact.
        artifact: Name,
        /// The chip.
        chip: Chip,
    },
}

impl Reason {
    /// [`BootloaderDiffers`](Self::BootloaderDiffers); values are cut off where they are longer
    /// than a reason can hold.
    #[must_use]
    pub fn bootloader_differs(key: &'static str, declared: &str, found: &str) -> Self {
        Self::BootloaderDiffers { key, declared: cut(declared), found: cut(found) }
    }

    /// [`NotMcuboot`](Self::NotMcuboot).
    #[must_use]
    pub fn not_mcuboot(artifact: &str, system: &'static str) -> Self {
        Self::NotMcuboot { artifact: name(artifact), system }
    }

    /// Whether the migrator's place is what is wrong, so that it may help to run from elsewhere.
    #[must_use]
    pub const fn is_about_place(&self) -> bool {
        matches!(
            self,
            Self::OverRunningCode { .. }
                | Self::TrailerUnderRunningCode { .. }
                | Self::SharesTrailerSector { .. }
                | Self::StagingInUse { .. }
                | Self::NoStaging { .. }
                | Self::Downgrade { .. }
        )
    }
}

impl core::error::Error for Reason {}
