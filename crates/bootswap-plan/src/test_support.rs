//! The example of the documentation, for tests.

use esp_idf_format::partition::{Partition, PartitionType, subtype};
use esp_idf_format::{Chip, FixedText};
use flash_region::{FlashAddr, Region};
use mcuboot_format::SwapKind;

use crate::{
    Artifact, Content, DeviceFacts, McubootMap, Migration, Origin, Plan, Role, plan,
    previous_firmware,
};

pub(crate) const MIB: u32 = 0x10_0000;
/// Bytes of the application up to the end of its TLVs.
pub(crate) const APP_IMAGE_BYTES: u32 = 149_944;

pub(crate) fn region(start: u32, len_bytes: u32) -> Region {
    Region::from_len(FlashAddr(start), len_bytes).unwrap()
}

/// The example on one chip, with the migrator in one partition, to be changed by a test.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub chip: Chip,
    pub map: McubootMap<'static>,
    pub app: Artifact<'static>,
    pub bootloader: Artifact<'static>,
    pub table: [Partition; 6],
    pub running: usize,
    pub running_len_bytes: u32,
}

/// Partitions of [`Example::table`].
pub(crate) const FACTORY: usize = 3;
pub(crate) const OTA_0: usize = 4;
pub(crate) const OTA_1: usize = 5;

impl Example {
    pub(crate) fn new(chip: Chip, running: usize) -> Self {
        let part = |label: &str, kind, subtype, start, len_bytes| {
            let label = FixedText::new(label).unwrap();
            Partition { label, kind, subtype, region: region(start, len_bytes), flags: 0 }
        };
        let artifact = |name, role, len_bytes, content| Artifact {
            len_bytes: Some(len_bytes),
            sha256: Some([1; 32]),
            content: Some(content),
            ..Artifact::new(name, role, Origin::Url("http://lab/file"))
        };
        let image_len_bytes = APP_IMAGE_BYTES;
        let app = Content::Mcuboot {
            image_len_bytes,
            padded: true,
            confirmed: true,
            signed: false,
            version: Default::default(),
        };
        let bootloader = Content::EspImage {
            chip_id: chip.image_chip_id(),
            image_len_bytes: 27_376,
            flash_len_bytes: Some(4 * MIB),
        };
        use PartitionType::{App, Data};
        Self {
            chip,
            map: McubootMap {
                primary: region(0x1_0000, MIB),
                secondary: region(0x11_0000, MIB),
                scratch: Some(region(0x21_0000, 0x4_0000)),
                swap: SwapKind::Scratch,
                ..McubootMap::ESPRESSIF
            },
            app: artifact("app", Role::Application, MIB, app),
            bootloader: artifact("bootloader", Role::Bootloader, 27_376, bootloader),
            table: [
                part("nvs", Data, subtype::NVS, 0x9000, 0x4000),
                part("otadata", Data, subtype::OTADATA, 0xd000, 0x2000),
                part("phy_init", Data, subtype::PHY, 0xf000, 0x1000),
                part("factory", App, subtype::FACTORY, 0x1_0000, MIB),
                part("ota_0", App, subtype::OTA_0, 0x11_0000, MIB),
                part("ota_1", App, subtype::OTA_0 + 1, 0x21_0000, MIB),
            ],
            running,
            running_len_bytes: 0xa_0000,
        }
    }

    /// Lends the example as the planner takes it.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&Migration<'_>, &DeviceFacts<'_>) -> T) -> T {
        let artifacts = [self.app, self.bootloader];
        let running = self.table[self.running].region;
        let migration = Migration {
            flash_len_bytes: Some(4 * MIB),
            mcuboot: Some(self.map),
            ..Migration::new(self.chip, &artifacts)
        };
        let facts = DeviceFacts {
            previous: previous_firmware(&self.table, running),
            ..DeviceFacts::new(self.chip, 4 * MIB, &self.table, running, self.running_len_bytes)
        };
        f(&migration, &facts)
    }

    /// Plans it.
    pub(crate) fn with_plan<T>(
        &self,
        f: impl FnOnce(&Migration<'_>, &DeviceFacts<'_>, &Plan) -> T,
    ) -> T {
        self.with(|migration, facts| f(migration, facts, &plan(migration, facts).unwrap()))
    }
}
