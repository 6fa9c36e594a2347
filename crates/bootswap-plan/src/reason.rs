//! Why a migration is refused.
//!
//! Every reason is found before anything is erased, names what is wrong and where, and says what to
//! change. The codes leave the device and are never renumbered.

use core::fmt;

use esp_idf_format::Chip;
use esp_idf_format::partition::Label;
use flash_region::{FlashAddr, Region};
use heapless::{String, Vec};

/// Most reasons that are reported at once.
pub const MAX_REASONS: usize = 24;

/// Every reason that was found, in the order of the checks.
pub type Reasons = Vec<Reason, MAX_REASONS>;

/// Name of an artifact or label within a reason; cut off where it is longer.
pub type Name = String<24>;

/// Cuts `name` to what a reason can hold.
pub(crate) fn name(text: &str) -> Name {
    let mut out = Name::new();
    for character in text.chars() {
        if out.push(character).is_err() {
            break;
        }
    }
    out
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
    /// The device has less flash than the migration counts on.
    FlashTooSmall {
        /// Bytes that the migration, or a header, counts on.
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
    /// There is nowhere to stage an artifact.
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
    /// The staging partition named by the migration is in the way of something.
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
    /// MCUboot would not take the application for good.
    NotConfirmed {
        /// Artifact.
        artifact: Name,
    },
    /// The bootloader wants a signature, the image has none.
    NotSigned {
        /// Artifact.
        artifact: Name,
    },
    /// The map lacks a scratch area, or it is smaller than a sector.
    NoScratch,
    /// The slots of the map differ in size.
    SlotsDiffer {
        /// Primary slot.
        primary: Region,
        /// Secondary slot.
        secondary: Region,
    },
    /// The trailer does not fit the slot, or the alignment is not one that MCUboot knows.
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
    /// The partition table has an entry that runs over the end of flash.
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
    /// An MCUboot image ends in the sector in which the trailer begins, and would be swapped through
    /// scratch: a power cut at the wrong moment of that swap leaves nothing that boots.
    SharesTrailerSector {
        /// Artifact.
        artifact: Name,
        /// End of the image within the slot, in bytes.
        image_len_bytes: u32,
        /// Bytes of the slot before that sector.
        room_bytes: u32,
    },
    /// The bootloader's header says less flash than its own map takes: it would not read behind that.
    MapBehindFlash {
        /// Artifact.
        artifact: Name,
        /// Bytes of flash in its header.
        header_bytes: u32,
        /// End of the map's last area.
        map_end: FlashAddr,
    },
    /// The migrator would have to move first, and there is nowhere to go.
    NoRelocation {
        /// Bytes of the migrator's image.
        needed_bytes: u32,
        /// App partitions that were looked at.
        tried: u32,
    },
    /// The new bootloader would find no application.
    NothingToStart {
        /// The slot that it starts from.
        primary: Region,
    },
    /// An artifact has no bytes.
    Empty {
        /// Artifact.
        artifact: Name,
    },
    /// There is more than one application for MCUboot's slots.
    SecondApplication {
        /// The first.
        first: Name,
        /// The one that is too many.
        second: Name,
    },
}

impl Reason {
    /// The reason's number, as reports from devices carry it. Never reordered.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::SecureBoot => 1,
            Self::FlashEncryption => 2,
            Self::WrongChip { .. } => 3,
            Self::WrongImageChip { .. } => 4,
            Self::FlashTooSmall { .. } => 5,
            Self::OutsideFlash { .. } => 6,
            Self::Misaligned { .. } => 7,
            Self::TooLarge { .. } => 8,
            Self::ReachesTrailer { .. } => 9,
            Self::OverRunningCode { .. } => 10,
            Self::OverKept { .. } => 11,
            Self::Overlap { .. } => 12,
            Self::NoStaging { .. } => 13,
            Self::UnknownLabel { .. } => 14,
            Self::StagingInUse { .. } => 15,
            Self::TrailerUnderRunningCode { .. } => 16,
            Self::NotConfirmed { .. } => 17,
            Self::NotSigned { .. } => 18,
            Self::NoScratch => 19,
            Self::SlotsDiffer { .. } => 20,
            Self::BadMap { .. } => 21,
            Self::NoDestination { .. } => 22,
            Self::WrongContent { .. } => 23,
            Self::ArtifactCount { .. } => 24,
            Self::BadPartition { .. } => 25,
            Self::UnknownRunning { .. } => 26,
            Self::BootloaderMisplaced { .. } => 27,
            Self::TooComplex => 28,
            Self::NoRelocation { .. } => 29,
            Self::SharesTrailerSector { .. } => 30,
            Self::MapBehindFlash { .. } => 31,
            Self::NothingToStart { .. } => 32,
            Self::Empty { .. } => 33,
            Self::SecondApplication { .. } => 34,
        }
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
        )
    }

    /// The reason's code, as `--json` prints it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SecureBoot => "secure-boot",
            Self::FlashEncryption => "flash-encryption",
            Self::WrongChip { .. } => "wrong-chip",
            Self::WrongImageChip { .. } => "wrong-image-chip",
            Self::FlashTooSmall { .. } => "flash-too-small",
            Self::OutsideFlash { .. } => "outside-flash",
            Self::Misaligned { .. } => "misaligned",
            Self::TooLarge { .. } => "too-large",
            Self::ReachesTrailer { .. } => "reaches-trailer",
            Self::OverRunningCode { .. } => "over-running-code",
            Self::OverKept { .. } => "over-kept",
            Self::Overlap { .. } => "overlap",
            Self::NoStaging { .. } => "no-staging",
            Self::UnknownLabel { .. } => "unknown-label",
            Self::StagingInUse { .. } => "staging-in-use",
            Self::TrailerUnderRunningCode { .. } => "trailer-under-running-code",
            Self::NotConfirmed { .. } => "not-confirmed",
            Self::NotSigned { .. } => "not-signed",
            Self::NoScratch => "no-scratch",
            Self::SlotsDiffer { .. } => "slots-differ",
            Self::BadMap { .. } => "bad-map",
            Self::NoDestination { .. } => "no-destination",
            Self::WrongContent { .. } => "wrong-content",
            Self::ArtifactCount { .. } => "artifact-count",
            Self::BadPartition { .. } => "bad-partition",
            Self::UnknownRunning { .. } => "unknown-running",
            Self::BootloaderMisplaced { .. } => "bootloader-misplaced",
            Self::TooComplex => "too-complex",
            Self::NoRelocation { .. } => "no-relocation",
            Self::SharesTrailerSector { .. } => "shares-trailer-sector",
            Self::MapBehindFlash { .. } => "map-behind-flash",
            Self::NothingToStart { .. } => "nothing-to-start",
            Self::Empty { .. } => "empty",
            Self::SecondApplication { .. } => "second-application",
        }
    }
}

impl core::error::Error for Reason {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecureBoot => f.write_str(
                "secure boot is enabled in the eFuses, so the ROM would reject the new bootloader; \
                 this device cannot be migrated",
            ),
            Self::FlashEncryption => f.write_str(
                "flash encryption is enabled in the eFuses, so what is written would be read back as \
                 garbage; this device cannot be migrated",
            ),
            Self::WrongChip { wanted, found } => {
                write!(f, "the migration is for {wanted}, the device is {found}; use the one made for {found}")
            }
            Self::WrongImageChip { artifact, chip_id, found } => match Chip::from_image_chip_id(*chip_id) {
                Some(chip) => write!(f, "{artifact} is built for {chip}, the device is {found}; build it for {found}"),
                None => write!(
                    f,
                    "{artifact} is built for a chip with id {chip_id}, the device is {found}; build it for {found}"
                ),
            },
            Self::FlashTooSmall { wanted_bytes, found_bytes } => write!(
                f,
                "the migration counts on {wanted_bytes} bytes of flash, the device has {found_bytes}; \
                 set flash_size to what the devices have and build bootloader and map for it"
            ),
            Self::OutsideFlash { what, region, flash_len_bytes } => {
                write!(f, "{what} at {region} does not fit a flash of {flash_len_bytes:#x} bytes; move or shrink it")
            }
            Self::Misaligned { what, region } => {
                write!(f, "{what} at {region} does not start and end at a multiple of 0x1000, flash is erased in such sectors")
            }
            Self::TooLarge { artifact, len_bytes, room_bytes, region } => write!(
                f,
                "{artifact} has {len_bytes} bytes, its place {region} has room for {room_bytes}; make the image \
                 smaller or its region larger"
            ),
            Self::ReachesTrailer { artifact, image_len_bytes, room_bytes } => write!(
                f,
                "{artifact} has {image_len_bytes:#x} bytes of image, MCUboot's trailer leaves {room_bytes:#x} of \
                 its slot; make the image smaller or the slot larger"
            ),
            Self::OverRunningCode { artifact, dest, running } => write!(
                f,
                "{artifact} goes to {dest}, where the migrator itself runs ({running}); deliver the migrator to \
                 another partition"
            ),
            Self::OverKept { artifact, dest, kept, region } => write!(
                f,
                "{artifact} goes to {dest} and would overwrite {kept} at {region}, which the migration does not \
                 name; shrink or move it"
            ),
            Self::Overlap { first, second, shared } => {
                write!(f, "{first} and {second} share {shared}; move one of them")
            }
            Self::NoStaging { artifact, needed_bytes, largest_bytes } => write!(
                f,
                "there is nowhere to stage {artifact}: it needs {needed_bytes} bytes, the largest free place has \
                 {largest_bytes}; free a partition, or name one with [staging] label"
            ),
            Self::UnknownLabel { label } => {
                write!(f, "no partition is labelled {label}; name one of the device's in [staging] label")
            }
            Self::StagingInUse { label, by, shared } => {
                write!(f, "the staging partition {label} shares {shared} with {by}; name another in [staging] label")
            }
            Self::TrailerUnderRunningCode { trailer, running } => write!(
                f,
                "the migrator's image at {running} lies in the primary slot's trailer area {trailer}: MCUboot would \
                 take it for an interrupted swap and crash at every boot; deliver the migrator to another partition"
            ),
            Self::NotConfirmed { artifact } => write!(
                f,
                "{artifact} is not padded and confirmed, so MCUboot would not start it for good; sign it with --pad \
                 --confirm, or set confirm = true, or allow a trial with test_image = true in [allow]"
            ),
            Self::NotSigned { artifact } => {
                write!(f, "{artifact} has no signature, the bootloader wants one; sign it with the bootloader's key")
            }
            Self::NoScratch => f.write_str("swap using scratch needs a scratch area of at least one sector; name it in [mcuboot] scratch"),
            Self::SlotsDiffer { primary, secondary } => {
                write!(f, "the slots differ in size: primary {primary}, secondary {secondary}; MCUboot needs them equal")
            }
            Self::BadMap { slot, max_align_bytes } => write!(
                f,
                "no MCUboot trailer with max_align {max_align_bytes} fits the slot {slot}; use 8, 16 or 32 and a larger slot"
            ),
            Self::NoDestination { artifact } => {
                write!(f, "nothing says where {artifact} goes; give it dest and size, or describe the slots in [mcuboot]")
            }
            Self::WrongContent { artifact, wanted } => write!(f, "{artifact} is not {wanted}; name the right file"),
            Self::ArtifactCount { count } => write!(f, "the migration names {count} artifacts; it takes 1 to 8"),
            Self::BadPartition { label, region } => {
                write!(f, "the partition {label} at {region} runs over the end of flash; the device's table is damaged")
            }
            Self::UnknownRunning { running } => {
                write!(f, "no app partition is at {running}, where the migrator says that it runs; name the one it runs from")
            }
            Self::BootloaderMisplaced { artifact, dest, wanted } => {
                write!(f, "{artifact} goes to {dest}, this chip's ROM looks for a bootloader at {wanted}; let dest start there")
            }
            Self::SharesTrailerSector { artifact, image_len_bytes, room_bytes } => write!(
                f,
                "{artifact} has {image_len_bytes:#x} bytes of image and ends in the sector in which MCUboot's trailer \
                 begins; cut at the wrong moment, a swap using scratch would leave nothing that boots; make the image \
                 at most {room_bytes:#x} bytes or the slot larger"
            ),
            Self::MapBehindFlash { artifact, header_bytes, map_end } => write!(
                f,
                "{artifact} is built for {header_bytes:#x} bytes of flash and would not read behind them, its map \
                 goes on to {map_end}; build it for the flash that it needs"
            ),
            Self::NoRelocation { needed_bytes, tried } => write!(
                f,
                "the migrator has to move out of the way first, and none of {tried} other app partitions has room \
                 for its {needed_bytes} bytes, can be started by the old bootloader and is out of the target's way; \
                 deliver it to another partition, or make it smaller"
            ),
            Self::NothingToStart { primary } => write!(
                f,
                "the new bootloader would find no application: nothing goes to the primary slot {primary}, nor to \
                 where it would be swapped in from; name the application in [app]"
            ),
            Self::SecondApplication { first, second } => write!(
                f,
                "{first} and {second} are both applications, and MCUboot starts one; make data of the other, in \
                 [[artifact]]"
            ),
            Self::Empty { artifact } => write!(f, "{artifact} has no bytes; build or copy it again"),
            Self::TooComplex => f.write_str("the plan has more steps than a device can hold; name fewer artifacts"),
        }
    }
}
