//! The facts of one device.

use esp_idf_format::Chip;
use esp_idf_format::image::{FlashMode, FlashSettings};
use esp_idf_format::partition::{BootRoles, OTADATA_LEN_BYTES, Partition, TABLE_ADDR};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::{IMAGE_MAGIC, ImageHeader, ImageRank, ImageVersion};

/// The facts of one device, found by the migrator on the chip, or read from a flash dump.
#[derive(Clone, Copy, Debug)]
pub struct DeviceFacts<'a> {
    /// The chip.
    pub chip: Chip,
    /// Revision of the chip from its eFuses, major times 100 plus minor; `None` if it is not known,
    /// as with a dump.
    pub chip_revision: Option<u16>,
    /// Size of the flash in bytes, from its JEDEC identification or the length of the dump.
    pub flash_len_bytes: u32,
    /// Address of the partition table, as compiled into the bootloader in place.
    pub table_addr: FlashAddr,
    /// Another address with a table that lists the running app, if there is one: then it cannot be
    /// seen which of the two the bootloader reads.
    pub other_table_addr: Option<FlashAddr>,
    /// The partition table as the bootloader in place reads it: entries may be misaligned, overlap,
    /// or be duplicated.
    pub partitions: &'a [Partition],
    /// Partition that the migrator runs from, as the memory mapping of the cache shows.
    pub running: Region,
    /// Bytes of the migrator's own image from the start of [`DeviceFacts::running`], with
    /// everything appended to it.
    pub running_len_bytes: u32,
    /// Partition of the previous firmware, if known: worth keeping, since the migrator can go back
    /// to it.
    pub previous: Option<Region>,
    /// Flash size in the header of the bootloader in place, in bytes.
    pub bootloader_flash_len_bytes: Option<u32>,
    /// Flash mode in the header of the bootloader in place.
    pub bootloader_flash_mode: Option<FlashMode>,
    /// All flash settings in that header, as they are.
    pub bootloader_settings: Option<FlashSettings>,
    /// Version for anti-rollback of the migrator, which the bootloader in place has started.
    pub secure_version: Option<u32>,
    /// Whether secure boot is enabled in the eFuses.
    pub secure_boot: bool,
    /// Whether flash encryption is enabled in the eFuses.
    pub flash_encryption: bool,
    /// Bytes of memory that can be used to stage a bootloader; 0 if there is none.
    pub staging_memory_len_bytes: u32,
    /// What MCUboot will compare with when it looks at its primary slot, from [`primary_rank`];
    /// `None` if it is not known, in which case the slot is assumed to contain an ESP-IDF app.
    pub primary: Option<ImageRank>,
}

/// An ESP-IDF app as MCUboot compares it: its header ends with the flag of its digest, which reads
/// as a revision of 256, followed by the address of its first segment.
pub const ESP_IDF_APP: ImageRank = ImageRank {
    version: ImageVersion { build_num: u32::MAX, ..ImageVersion::new(0, 0, 256) },
    security_counter: None,
    is_erased: false,
};

/// What MCUboot will compare of a primary slot that begins with these bytes, after the steps of a
/// migration: they erase the header of an MCUboot image.
///
/// So the result is the same before and after that step, and a plan does not change because of it.
#[must_use]
pub fn primary_rank(start: &[u8; ImageHeader::LEN_BYTES]) -> ImageRank {
    let is_image = start.starts_with(&IMAGE_MAGIC.to_le_bytes());
    let erased = [flash_region::ERASED; ImageHeader::LEN_BYTES];
    ImageRank::of_slot(if is_image { &erased } else { start })
}

impl<'a> DeviceFacts<'a> {
    /// A device without secure boot and flash encryption, and without memory for staging, whose
    /// table is at its usual address. Its chip's revision, its bootloader's header and its previous
    /// firmware are not known.
    #[must_use]
    pub const fn new(
        chip: Chip,
        flash_len_bytes: u32,
        partitions: &'a [Partition],
        running: Region,
        running_len_bytes: u32,
    ) -> Self {
        Self {
            chip,
            chip_revision: None,
            flash_len_bytes,
            table_addr: TABLE_ADDR,
            other_table_addr: None,
            partitions,
            running,
            running_len_bytes,
            previous: None,
            bootloader_flash_len_bytes: None,
            bootloader_flash_mode: None,
            bootloader_settings: None,
            secure_version: None,
            secure_boot: false,
            flash_encryption: false,
            staging_memory_len_bytes: 0,
            primary: None,
        }
    }
}

impl DeviceFacts<'_> {
    /// All of the flash that the migrator knows.
    ///
    /// On ESP32 that is the size in the header of the bootloader in place: its flash driver has no
    /// other source (`FlashStorage::new` of esp-storage), whatever the real size is.
    #[must_use]
    pub fn flash(&self) -> Region {
        let known_bytes = match (self.chip, self.bootloader_flash_len_bytes) {
            (Chip::Esp32, Some(header_bytes)) => header_bytes.min(self.flash_len_bytes),
            _ => self.flash_len_bytes,
        };
        Region::clamped(FlashAddr::ZERO, known_bytes)
    }

    /// The part of the flash that can be read, erased and written: addresses have 24 bits.
    ///
    /// A larger flash is reported with its size, and partitions beyond this limit are valid; but
    /// nothing of a plan may be there.
    #[must_use]
    pub fn reachable(&self) -> Region {
        self.flash().prefix(flash_region::REACHABLE_BYTES)
    }

    /// The sector that holds the partition table.
    #[must_use]
    pub const fn table(&self) -> Region {
        Region::clamped(self.table_addr, SECTOR_BYTES)
    }

    /// From the chip's bootloader address to the partition table.
    #[must_use]
    pub fn bootloader_area(&self) -> Region {
        let start = self.chip.bootloader_addr();
        Region::new(start, self.table_addr).unwrap_or(Region::clamped(start, 0))
    }

    /// The first address after the partition table that may be free.
    ///
    /// The gap between table and first partition is left alone: if the table's address is assumed,
    /// the real table may be there.
    #[must_use]
    pub fn first_use(&self) -> FlashAddr {
        let end = self.table().end();
        let behind = self.partitions.iter().map(|p| p.region.start()).filter(|start| *start >= end);
        behind.min().unwrap_or(end)
    }

    /// The partition that selects which app is started, in whole sectors.
    ///
    /// One that does not begin at a sector cannot be written without losing its neighbour, nor one
    /// that overlaps an app partition without losing the app, so both are treated as missing.
    #[must_use]
    pub fn otadata(&self) -> Option<Region> {
        let found = roles(self.partitions).otadata()?.region;
        let holds_both = found.len_bytes() >= OTADATA_LEN_BYTES;
        let whole = found.align_out(SECTOR_BYTES).unwrap_or(found);
        let is_apart = !self.partitions.iter().any(|p| p.is_app() && p.region.overlaps(whole));
        (found.start().is_aligned(SECTOR_BYTES) && holds_both && is_apart).then_some(whole)
    }

    /// Whether nothing may be written to an app partition that is not running, because the table
    /// contradicts itself there: the partition is misaligned, or overlaps another one.
    #[must_use]
    pub fn is_doubtful(&self, partition: &Partition) -> bool {
        let twins = self.partitions.iter().filter(|p| p.region.overlaps(partition.region));
        // The partition itself is among them.
        !partition.is_aligned() || twins.count() > 1
    }

    /// The part of the running partition that the migrator's image uses, in whole sectors.
    #[must_use]
    pub fn running_image(&self) -> Region {
        let image = self.running.prefix(self.running_len_bytes);
        image.align_out(SECTOR_BYTES).unwrap_or(image)
    }
}

/// The partition of the app that begins at `image_start`: of those that contain the address one
/// that begins there, and the last of them if there are several, like the bootloader.
#[must_use]
pub fn running_partition(partitions: &[Partition], image_start: FlashAddr) -> Option<&Partition> {
    let mut apps = partitions.iter().rev().filter(|p| p.is_app());
    let exact = apps.clone().find(|p| p.region.start() == image_start && !p.region.is_empty());
    exact.or_else(|| apps.find(|p| p.region.contains(image_start)))
}

/// The partitions by which the bootloader starts apps.
pub(crate) fn roles(
    partitions: &[Partition],
) -> BootRoles<impl Iterator<Item = Partition> + Clone + use<'_>> {
    BootRoles::of(partitions.iter().copied())
}

/// The partition that most likely contains the firmware from before the migrator: the factory app,
/// or the only other app partition.
///
/// It is derived from the table alone, not from otadata or from the contents of partitions: those
/// change during the migration, and the plan must be the same after every reset.
#[must_use]
pub fn previous_firmware(partitions: &[Partition], running: Region) -> Option<Region> {
    let mut others = partitions
        .iter()
        .filter(|p| p.is_app() && p.region != running && roles(partitions).keeps(p));
    if let Some(factory) = others.clone().find(|p| p.is_factory()) {
        return Some(factory.region);
    }
    let only = others.next()?;
    others.next().is_none().then_some(only.region)
}
