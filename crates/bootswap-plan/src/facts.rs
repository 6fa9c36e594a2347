//! What is true of one device.

use esp_idf_format::Chip;
use esp_idf_format::image::FlashMode;
use esp_idf_format::partition::Partition;
use flash_region::Region;

/// What is true of one device, found out by the migrator on the chip, or read from a flash dump.
#[derive(Clone, Copy, Debug)]
pub struct DeviceFacts<'a> {
    /// The chip.
    pub chip: Chip,
    /// Revision of the chip from its eFuses, major times 100 plus minor; `None` if it is not
    /// known, as from a dump.
    pub chip_revision: Option<u16>,
    /// Size of the flash in bytes, from its JEDEC identification or the length of the dump.
    pub flash_len_bytes: u32,
    /// The partition table in force.
    pub partitions: &'a [Partition],
    /// Partition that the migrator runs from, as the memory mapping of the cache shows.
    pub running: Region,
    /// Bytes from the start of [`DeviceFacts::running`] that the migrator's own image takes, with
    /// everything appended to it.
    pub running_len_bytes: u32,
    /// Partition of the firmware that was there before, where it is known: worth keeping, since the
    /// migrator can go back to it.
    pub previous: Option<Region>,
    /// Flash size in the header of the bootloader in place, in bytes.
    pub bootloader_flash_len_bytes: Option<u32>,
    /// Flash mode in the header of the bootloader in place.
    pub bootloader_flash_mode: Option<FlashMode>,
    /// Whether secure boot is enabled in the eFuses.
    pub secure_boot: bool,
    /// Whether flash encryption is enabled in the eFuses.
    pub flash_encryption: bool,
    /// Bytes of memory that can hold a staged bootloader; 0 where there is none to spare.
    pub staging_memory_len_bytes: u32,
}

impl<'a> DeviceFacts<'a> {
    /// A device without secure boot and flash encryption, and without memory to stage in. Its
    /// chip's revision, its bootloader's header and its previous firmware are not known.
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
            partitions,
            running,
            running_len_bytes,
            previous: None,
            bootloader_flash_len_bytes: None,
            bootloader_flash_mode: None,
            secure_boot: false,
            flash_encryption: false,
            staging_memory_len_bytes: 0,
        }
    }
}

impl DeviceFacts<'_> {
    /// All of the flash that the migrator knows of.
    ///
    /// On ESP32 that is what the header of the bootloader in place says: its flash driver has
    /// nothing else to go by (`FlashStorage::new` of esp-storage), whatever the flash really has.
    #[must_use]
    pub fn flash(&self) -> Region {
        let known_bytes = match (self.chip, self.bootloader_flash_len_bytes) {
            (Chip::Esp32, Some(header_bytes)) => header_bytes.min(self.flash_len_bytes),
            _ => self.flash_len_bytes,
        };
        Region::clamped(flash_region::FlashAddr::ZERO, known_bytes)
    }

    /// The part of the flash that can be read, erased and written: addresses have 24 bits.
    ///
    /// A larger flash is as large as it says, and what its table has beyond is sound; nothing of a
    /// plan may be there.
    #[must_use]
    pub fn reachable(&self) -> Region {
        self.flash().prefix(flash_region::REACHABLE_BYTES)
    }

    /// The part of the running partition that the migrator's image takes, in whole sectors.
    #[must_use]
    pub fn running_image(&self) -> Region {
        let image = self.running.prefix(self.running_len_bytes);
        image.align_out(flash_region::SECTOR_BYTES).unwrap_or(image)
    }
}

/// The partition that most likely holds the firmware from before the migrator: the factory app, or
/// the one other app partition there is.
///
/// It is read from the table alone, and not from otadata or from what the partitions hold: those
/// change while the migration goes on, and the plan must be the same after every reset.
#[must_use]
pub fn previous_firmware(partitions: &[Partition], running: Region) -> Option<Region> {
    let mut others = partitions.iter().filter(|p| p.is_app() && p.region != running);
    if let Some(factory) = others.clone().find(|p| p.is_factory()) {
        return Some(factory.region);
    }
    let only = others.next()?;
    others.next().is_none().then_some(only.region)
}
