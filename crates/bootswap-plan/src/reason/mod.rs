//! Why a migration is refused.
//!
//! Every reason is found before anything is erased, names what is wrong and where, and says what to
//! change. The numbers leave the device and are never changed.

mod code;
mod text;

use esp_idf_format::Chip;
use esp_idf_format::partition::{Label, PartitionTableError};
use flash_region::{FlashAddr, Region};
use heapless::{String, Vec};
use mcuboot_format::espressif::LoadFault;
use mcuboot_format::{ImageVersion, SwapKind};

use crate::carrier::Misfit;

/// Largest number of reasons that are reported at once.
pub const MAX_REASONS: usize = 24;

/// Every reason that was found, in the order of the checks.
pub type Reasons = Vec<Reason, MAX_REASONS>;

/// Longest name within a reason, in bytes.
const NAME_LEN_BYTES: usize = 24;

/// Name of an artifact or label within a reason; cut off if it is longer.
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
    /// A region is not within the flash.
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
    /// An artifact is longer than its region.
    TooLarge {
        /// Artifact.
        artifact: Name,
        /// Its bytes.
        len_bytes: u32,
        /// Bytes that there is room for.
        room_bytes: u32,
        /// The region.
        region: Region,
        /// The `size` that would do, if it is the migration that says how large the region is.
        size_bytes: Option<u32>,
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
        /// Its destination.
        dest: Region,
        /// Where the migrator runs.
        running: Region,
    },
    /// An artifact would overwrite something that the migration does not name.
    OverKept {
        /// Artifact.
        artifact: Name,
        /// Its destination.
        dest: Region,
        /// Label of the partition, or `partition-table`.
        kept: Name,
        /// Its region.
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
    /// There is no region to stage an artifact in.
    NoStaging {
        /// Artifact.
        artifact: Name,
        /// Bytes that it needs.
        needed_bytes: u32,
        /// Bytes of the largest free region.
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
        /// What is in the way.
        by: Name,
        /// What they share.
        shared: Region,
    },
    /// There may be stale bytes in the primary slot's trailer area that cannot be cleaned, because
    /// the running image is there.
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
        /// The kind of swap.
        swap: SwapKind,
    },
    /// The trailer does not fit the slot, or MCUboot does not support the alignment.
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
    /// An artifact is not the kind of file that its role requires.
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
        /// Its region, according to the table.
        region: Region,
    },
    /// No partition starts where the migrator says that it runs.
    UnknownRunning {
        /// Where it says that it runs.
        running: Region,
    },
    /// An artifact ends at or after the bootloader's start without covering it.
    BootloaderMisplaced {
        /// Artifact.
        artifact: Name,
        /// Its destination.
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
        /// App partitions that were tried.
        tried: u32,
        /// Whether the bootloader can install the application from the secondary slot.
        is_swapped_in: bool,
        /// Bytes with which a migrator would do, here or from another partition; 0 for none.
        most_bytes: u32,
    },
    /// The new bootloader would find no application, or the old one only the migrator.
    NothingToStart {
        /// The slot that it starts from; `None` if it is not MCUboot.
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
    /// version: it would erase the application.
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
    /// The bootloader's file was built with another value than the map has.
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
    /// Two addresses have a partition table with the running app in it, and it is not known which
    /// one the bootloader reads.
    TwoTables {
        /// The first address.
        first: FlashAddr,
        /// The second address.
        second: FlashAddr,
    },
    /// The migrator's image does not fit the partition that it should run from.
    MigratorTooLarge {
        /// Its bytes.
        len_bytes: u32,
        /// The partition.
        running: Region,
    },
    /// A region is beyond the range of 24-bit addresses: they would wrap, and hit the bootloader.
    Above16Mb {
        /// What.
        what: Name,
        /// Where.
        region: Region,
    },
    /// Espressif's loader in MCUboot would not start the application, or would load it to the wrong
    /// memory.
    LoadHeader {
        /// Artifact.
        artifact: Name,
        /// What is wrong with its load header.
        fault: LoadFault,
    },
    /// The bootloader uses more data lines to the flash than the one in place.
    FlashMode {
        /// Artifact.
        artifact: Name,
    },
    /// MCUboot would not accept the trailer at the end of the file, and the migrator cannot repair
    /// it.
    BadTrailer {
        /// Artifact.
        artifact: Name,
    },
    /// What is between an image and its trailer is not erased, and would not be written.
    Padding {
        /// Artifact.
        artifact: Name,
        /// Offset in the file.
        offset: u32,
    },
    /// The migrator cannot use the public key of the target bootloader.
    PublicKey,
    /// A partition table among the artifacts is not one that the bootloader accepts.
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
        /// The application's destination.
        start: FlashAddr,
        /// Its bytes.
        needed_bytes: u32,
    },
    /// After the migration, the bootloader would start something else, such as the migrator, at
    /// every boot; or nothing.
    StartsOther {
        /// Artifact that causes it.
        artifact: Name,
        /// What it would start; `None` for nothing.
        start: Option<FlashAddr>,
    },
    /// A new bootloader that goes by the partition table would start the migrator again and again:
    /// the table has no otadata, or none that could name the application's partition.
    NoOtadata {
        /// The application.
        artifact: Name,
        /// Where the migrator is.
        start: FlashAddr,
    },
    /// The new partition table has its otadata elsewhere, or another number of slots, so that
    /// nobody knows which slot otadata names by then.
    OtadataMoves {
        /// Artifact with the table.
        artifact: Name,
        /// Where the new table has otadata.
        otadata: Region,
    },
    /// A bootloader that the chip's mask ROM could not load, or not start.
    RomRefuses {
        /// Artifact.
        artifact: Name,
    },
    /// Nobody has built a loader for the chip, so no carrier can start the target bootloader.
    NoLoader {
        /// The chip.
        chip: Chip,
    },
    /// A migration with a carrier has no `[mcuboot]`, or no bootloader.
    NotHosted,
    /// There is no otadata that could select the carrier.
    NothingSelects,
    /// The old system remains, and something of the target would be where it is.
    OverHost {
        /// What.
        what: Name,
        /// What remains there.
        kept: Name,
        /// What they share.
        shared: Region,
    },
    /// No app partition has room for the carrier outside of MCUboot's areas.
    NoHost {
        /// The carrier.
        artifact: Name,
        /// Its bytes; 0 if they are not known.
        needed_bytes: u32,
        /// Where the scratch area would have to begin.
        scratch: Option<FlashAddr>,
        /// Whether the migrator runs in a partition that would do.
        is_running: bool,
    },
    /// The carrier does not fit the device.
    Unfit {
        /// The carrier.
        artifact: Name,
        /// Why.
        why: Misfit,
    },
    /// What follows a carrier's app is not what its loader starts.
    DamagedCarrier {
        /// The carrier.
        artifact: Name,
    },
    /// An artifact must be fetched, but the chip has no radio.
    NoRadio {
        /// Artifact.
        artifact: Name,
        /// The chip.
        chip: Chip,
    },
}

impl Reason {
    /// [`BootloaderDiffers`](Self::BootloaderDiffers); values are cut off if they are longer than a
    /// reason can hold.
    #[must_use]
    pub fn bootloader_differs(key: &'static str, declared: &str, found: &str) -> Self {
        Self::BootloaderDiffers { key, declared: cut(declared), found: cut(found) }
    }

    /// [`NotMcuboot`](Self::NotMcuboot).
    #[must_use]
    pub fn not_mcuboot(artifact: &str, system: &'static str) -> Self {
        Self::NotMcuboot { artifact: name(artifact), system }
    }

    /// Whether the reason is about where the migrator runs, so that another partition may help.
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
                | Self::NoHost { is_running: true, .. }
        )
    }
}

impl core::error::Error for Reason {}
