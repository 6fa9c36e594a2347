//! Migrations and devices from bytes.

use arbitrary::{Result, Unstructured};
use bootswap_plan::{
    Allow, Artifact, Blanks, CarrierContent, CommitWay, Content, DEFAULT_MAX_SECTORS, DeviceFacts,
    McubootMap, Migration, Origin, PARTITION_TABLE, Role, Staging, previous_firmware, primary_rank,
};
use esp_idf_format::Chip;
use esp_idf_format::image::{FlashMode, FlashSettings};
use esp_idf_format::partition::{Label, Partition, PartitionType, TABLE_ADDR, subtype};
use flash_region::{FlashAddr, Region};
use mcuboot_format::{DowngradePrevention, ImageRank, ImageVersion, SwapKind};

const SECTOR: u32 = 0x1000;
const MAPPING: u32 = 0x1_0000;
const KEY: [u8; 4] = [0x30, 0x02, 0x06, 0x00];

/// Labels of partitions. A table has some of them, in this order.
const LABELS: [&str; 10] = [
    "nvs", "otadata", "phy_init", "factory", "ota_0", "ota_1", "ota_2", "storage", "settings",
    "cfg",
];

/// A migration and a device, with their data.
#[derive(Debug)]
pub(crate) struct Case {
    chip: Chip,
    wanted_flash_len_bytes: Option<u32>,
    map: Option<McubootMap<'static>>,
    artifacts: Vec<Artifact<'static>>,
    staging: Staging<'static>,
    commit: CommitWay,
    test_image: bool,
    overwrite: Vec<&'static str>,
    device_chip: Chip,
    flash_len_bytes: u32,
    partitions: Vec<Partition>,
    running: Region,
    running_len_bytes: u32,
    previous: Option<Region>,
    secure_boot: bool,
    flash_encryption: bool,
    memory_len_bytes: u32,
    primary: Option<ImageRank>,
}

impl Case {
    pub(crate) fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let device_chip = *u.choose(&Chip::ALL)?;
        let flash_len_bytes = match u.int_in_range(0..=7)? {
            0 => u.arbitrary()?,
            1 => u.int_in_range(0..=0x1000)? * SECTOR,
            n => 1 << (19 + n),
        };
        let partitions = partitions(u)?;
        let apps: Vec<Region> =
            partitions.iter().filter(|p| p.is_app()).map(|p| p.region).collect();
        let running = match u.choose_iter(apps.iter()) {
            Ok(region) if u.ratio(31, 32)? => *region,
            _ => region(u)?,
        };
        let running_len_bytes = match u.int_in_range(0..=7)? {
            0 => u.arbitrary()?,
            1 => running.len_bytes(),
            _ => u.int_in_range(1..=running.len_bytes().max(1))?,
        };
        let previous = match u.int_in_range(0..=3)? {
            0 => None,
            1 => u.choose_iter(apps.iter()).ok().copied(),
            _ => previous_firmware(&partitions, running),
        };
        let map = if u.ratio(7, 8)? { Some(map(u, &apps)?) } else { None };
        let artifacts = artifacts(u, device_chip, map.as_ref())?;
        let staging = match u.int_in_range(0..=5)? {
            0 => Staging::Label(u.choose(&LABELS)?),
            1 => Staging::Memory,
            _ => Staging::Auto,
        };
        let mut overwrite = Vec::new();
        for label in LABELS.into_iter().chain([PARTITION_TABLE]) {
            if u.ratio(1, 4)? {
                overwrite.push(label);
            }
        }
        let mut case = Self {
            chip: if u.ratio(31, 32)? { device_chip } else { *u.choose(&Chip::ALL)? },
            wanted_flash_len_bytes: if u.ratio(1, 8)? { Some(u.arbitrary()?) } else { None },
            map,
            artifacts,
            staging,
            commit: CommitWay::Replace,
            test_image: u.ratio(1, 4)?,
            overwrite,
            device_chip,
            flash_len_bytes,
            partitions,
            running,
            running_len_bytes,
            previous,
            secure_boot: u.ratio(1, 64)?,
            flash_encryption: u.ratio(1, 64)?,
            memory_len_bytes: if u.ratio(1, 4)? { u.int_in_range(0..=0x1_0000)? } else { 0 },
            primary: None,
        };
        case.build(u)?;
        case.hosted(u)?;
        Ok(case)
    }

    /// Whether the bootloader comes in a carrier, which most inputs that reach this far have on a
    /// chip with a loader. An input that ends before has none.
    fn hosted(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if !u.arbitrary::<bool>()? {
            return Ok(());
        }
        self.commit = CommitWay::Hosted;
        if u.int_in_range(0..=7)? < 7 {
            (self.chip, self.device_chip) = (Chip::Esp32c3, Chip::Esp32c3);
        }
        for carrier in self.artifacts.iter_mut().filter(|a| a.role == Role::Bootloader) {
            let is_known = u.int_in_range(0..=3)? < 3;
            let otadata: Option<u8> = u.arbitrary()?;
            let content = CarrierContent {
                chip_id: self.chip.image_chip_id(),
                settings: FlashSettings::from_bytes([2, 0x20]),
                otadata: otadata.map(|sector| FlashAddr(u32::from(sector) * SECTOR)),
                secure_version: 0,
                has_trial: u.int_in_range(0..=15)? == 15,
            };
            carrier.content = is_known.then_some(Content::Carrier(content));
            if u.arbitrary()? {
                (carrier.dest, carrier.len_bytes) = (None, Some(0xe770));
            }
        }
        Ok(())
    }

    /// What the bootloader was built with besides its map, and what it compares. This comes last:
    /// an input that ends before it gets the example's settings.
    fn build(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let Some(map) = &mut self.map else { return Ok(()) };
        map.max_sectors = *u.choose(&[DEFAULT_MAX_SECTORS, 16, 64, 1024, 8192])?;
        map.downgrade_prevention = *u.choose(&DowngradePrevention::ALL)?;
        map.overwrites_fast = u.arbitrary()?;
        self.primary = match u.int_in_range(0..=3)? {
            0 => None,
            1 => Some(primary_rank(&[0xff; 32])),
            2 => Some(primary_rank(&[0; 32])),
            _ => Some(primary_rank(&u.arbitrary()?)),
        };
        for artifact in &mut self.artifacts {
            if let Some(Content::Mcuboot { version, .. }) = &mut artifact.content {
                *version = match u.int_in_range(0..=3)? {
                    0 => ImageVersion::default(),
                    1 => ImageVersion::new(0, 0, 256),
                    _ => ImageVersion::from_bytes(u.arbitrary()?),
                };
            }
        }
        Ok(())
    }

    /// Passes the case on to a planner.
    pub(crate) fn with<R>(&self, use_it: impl FnOnce(&Migration<'_>, &DeviceFacts<'_>) -> R) -> R {
        let migration = Migration {
            chip: self.chip,
            flash_len_bytes: self.wanted_flash_len_bytes,
            table_addr: None,
            mcuboot: self.map,
            artifacts: &self.artifacts,
            staging: self.staging,
            commit: self.commit,
            allow: Allow { test_image: self.test_image, overwrite: &self.overwrite },
            against: &[],
        };
        let facts = DeviceFacts {
            chip: self.device_chip,
            chip_revision: None,
            flash_len_bytes: self.flash_len_bytes,
            table_addr: TABLE_ADDR,
            other_table_addr: None,
            partitions: &self.partitions,
            running: self.running,
            running_len_bytes: self.running_len_bytes,
            previous: self.previous,
            bootloader_flash_len_bytes: None,
            bootloader_flash_mode: Some(FlashMode::Dio),
            bootloader_settings: None,
            secure_version: None,
            secure_boot: self.secure_boot,
            flash_encryption: self.flash_encryption,
            staging_memory_len_bytes: self.memory_len_bytes,
            primary: self.primary,
        };
        use_it(&migration, &facts)
    }
}

/// A region of whole sectors in the first 8 MiB; sometimes any region.
fn region(u: &mut Unstructured<'_>) -> Result<Region> {
    let (start, len) = match u.int_in_range(0..=15)? {
        0 => (u.arbitrary()?, u.arbitrary()?),
        1..=5 => (u.int_in_range(0..=0x7ff)? * SECTOR, u.int_in_range(0..=0x200)? * SECTOR),
        _ => (u.int_in_range(0..=0x7f)? * MAPPING, u.int_in_range(0..=0x20)? * MAPPING),
    };
    Ok(Region::clamped(FlashAddr(start), len))
}

/// A table as tools make it: partitions in ascending order, aligned, with unique labels.
fn partitions(u: &mut Unstructured<'_>) -> Result<Vec<Partition>> {
    let mut next = 0x9000;
    let mut table = Vec::new();
    for label in LABELS {
        if !u.ratio(3, 4)? {
            continue;
        }
        let (kind, subtype) = match label {
            "nvs" => (PartitionType::Data, subtype::NVS),
            "otadata" => (PartitionType::Data, subtype::OTADATA),
            "phy_init" => (PartitionType::Data, subtype::PHY),
            "factory" => (PartitionType::App, subtype::FACTORY),
            "ota_0" => (PartitionType::App, subtype::OTA_0),
            "ota_1" => (PartitionType::App, subtype::OTA_0 + 1),
            "ota_2" => (PartitionType::App, subtype::OTA_0 + 2),
            "storage" => (PartitionType::Data, subtype::SPIFFS),
            "settings" => (PartitionType::Data, subtype::NVS),
            _ => (PartitionType::Custom(0x40), 1),
        };
        let unit = if kind == PartitionType::App { MAPPING } else { SECTOR };
        let gap = if u.ratio(1, 4)? { u.int_in_range(0..=8)? * unit } else { 0 };
        let sectors = match kind {
            PartitionType::App => u.int_in_range(1..=0x18)?,
            _ if subtype == subtype::OTADATA => 2,
            _ => u.int_in_range(1..=0x10)?,
        };
        let start = FlashAddr(next + gap).align_up(unit).expect("far from the end");
        let region = Region::clamped(start, sectors * unit);
        next = region.end().get();
        let label = Label::new(label).expect("a short label");
        table.push(Partition { label, kind, subtype, region, flags: 0 });
    }
    Ok(table)
}

fn map(u: &mut Unstructured<'_>, apps: &[Region]) -> Result<McubootMap<'static>> {
    let place = |u: &mut Unstructured<'_>| match u.choose_iter(apps.iter()) {
        Ok(app) if u.ratio(3, 4)? => Ok(*app),
        _ => region(u),
    };
    let primary = place(u)?;
    let secondary = place(u)?;
    // As long as the primary, most of the time.
    let secondary = match u.int_in_range(0..=7)? {
        0 => secondary,
        1..=3 => Region::clamped(primary.end(), primary.len_bytes()),
        _ => Region::clamped(secondary.start(), primary.len_bytes()),
    };
    let scratch = match u.int_in_range(0..=7)? {
        0 => None,
        1..=4 => Some(Region::clamped(secondary.end(), u.int_in_range(0..=0x10)? * SECTOR)),
        _ => Some(place(u)?),
    };
    Ok(McubootMap {
        primary,
        secondary,
        scratch,
        swap: *u.choose(&SwapKind::ALL)?,
        max_align_bytes: *u.choose(&[8, 8, 8, 16, 32, 0, 7])?,
        key_der: u.ratio(1, 8)?.then_some(&KEY),
        ..McubootMap::ESPRESSIF
    })
}

fn artifacts(
    u: &mut Unstructured<'_>,
    chip: Chip,
    map: Option<&McubootMap<'_>>,
) -> Result<Vec<Artifact<'static>>> {
    let mut artifacts = Vec::new();
    if u.ratio(15, 16)? {
        artifacts.push(application(u, map)?);
    }
    for _ in 0..u.int_in_range(0..=3)?.max(u.int_in_range(0..=9)?) % 10 {
        artifacts.push(other(u)?);
    }
    if u.ratio(15, 16)? {
        artifacts.push(bootloader(u, chip)?);
    }
    if u.ratio(1, 32)? {
        artifacts.push(bootloader(u, chip)?);
        artifacts.push(application(u, map)?);
    }
    if u.ratio(1, 8)? {
        artifacts.reverse();
    }
    Ok(artifacts)
}

fn application(
    u: &mut Unstructured<'_>,
    map: Option<&McubootMap<'_>>,
) -> Result<Artifact<'static>> {
    let slot_len_bytes = map.map_or(0x10_0000, |map| map.secondary.len_bytes());
    let image_len_bytes = u.int_in_range(0..=slot_len_bytes)?;
    let padded = u.ratio(3, 4)?;
    let content = Content::Mcuboot {
        image_len_bytes,
        padded,
        confirmed: u.ratio(7, 8)?,
        signed: u.arbitrary()?,
        version: Default::default(),
    };
    let dest = match (u.int_in_range(0..=7)?, map) {
        (0, _) => Some(region(u)?),
        (1, Some(map)) => Some(map.primary),
        (2, Some(map)) => Some(map.secondary),
        _ => None,
    };
    let len_bytes = match u.int_in_range(0..=7)? {
        0 => None,
        1 => Some(u.arbitrary()?),
        _ => Some(if padded { slot_len_bytes } else { image_len_bytes }),
    };
    Ok(Artifact {
        name: "app",
        role: Role::Application,
        origin: origin(u)?,
        dest,
        region_len_bytes: None,
        len_bytes,
        sha256: u.arbitrary()?,
        content: any_content(u, content)?,
        confirm: u.ratio(1, 4)?,
        blanks: Blanks::NONE,
    })
}

fn bootloader(u: &mut Unstructured<'_>, chip: Chip) -> Result<Artifact<'static>> {
    let len_bytes = u.int_in_range(1..=0xb000)?;
    let content = Content::EspImage {
        chip_id: chip.image_chip_id(),
        image_len_bytes: len_bytes,
        flash_len_bytes: if u.ratio(1, 16)? { Some(u.arbitrary()?) } else { None },
    };
    let dest = match u.int_in_range(0..=7)? {
        0 => Some(region(u)?),
        1 => Some(Region::clamped(chip.bootloader_addr(), u.int_in_range(0..=0x20)? * SECTOR)),
        _ => None,
    };
    Ok(Artifact {
        name: "bootloader",
        role: Role::Bootloader,
        origin: origin(u)?,
        dest,
        region_len_bytes: if u.arbitrary()? {
            Some(u.int_in_range(0..=0xf)? * SECTOR)
        } else {
            None
        },
        len_bytes: if u.ratio(7, 8)? { Some(len_bytes) } else { None },
        sha256: u.arbitrary()?,
        content: any_content(u, content)?,
        confirm: u.ratio(1, 16)?,
        blanks: Blanks::NONE,
    })
}

/// Gaps of merged images: none, after a bootloader up to a table, and up to an application.
const BLANKS: &[&[u8]] =
    &[&[], &[0, 0, 1, 0], &[7, 0, 1, 0, 9, 0, 7, 0], &[7, 0, 9, 0], &[9, 0, 16, 0], &[3, 0]];

fn other(u: &mut Unstructured<'_>) -> Result<Artifact<'static>> {
    let dest = match u.int_in_range(0..=3)? {
        // Overlaps what the device boots from.
        0 => {
            let start = FlashAddr(u.int_in_range(0..=0x10)? * SECTOR);
            Region::clamped(start, u.int_in_range(1..=0x20)? * SECTOR)
        }
        _ => region(u)?,
    };
    let len_bytes = match u.int_in_range(0..=3)? {
        0 => None,
        1 => Some(dest.len_bytes()),
        _ => Some(u.int_in_range(0..=dest.len_bytes())?),
    };
    Ok(Artifact {
        name: u.choose(&["data", "table", "merged"])?,
        role: Role::Other,
        origin: origin(u)?,
        dest: if u.ratio(31, 32)? { Some(dest) } else { None },
        region_len_bytes: None,
        len_bytes,
        sha256: u.arbitrary()?,
        content: any_content(u, Content::Opaque)?,
        confirm: u.ratio(1, 16)?,
        blanks: Blanks::from_bytes(u.choose(BLANKS)?),
    })
}

fn origin(u: &mut Unstructured<'_>) -> Result<Origin<'static>> {
    Ok(if u.arbitrary()? { Origin::Url("http://lab/file.bin") } else { Origin::Embedded })
}

fn any_content(u: &mut Unstructured<'_>, content: Content) -> Result<Option<Content>> {
    Ok(match u.int_in_range(0..=15)? {
        0 | 1 => None,
        2 => Some(Content::Opaque),
        _ => Some(content),
    })
}
