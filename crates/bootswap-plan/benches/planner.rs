//! How long planning takes: `cargo bench -p bootswap-plan`.
//!
//! A device plans once after every reset, a command line once per device of a fleet; either should
//! not notice. The budget is 1 ms a plan on a host.

use bootswap_plan::{
    Artifact, Content, CostModel, DeviceFacts, McubootMap, Migration, Origin, Role, plan,
    previous_firmware,
};
use divan::{Bencher, black_box};
use esp_idf_format::partition::{Label, Partition, PartitionType, subtype};
use esp_idf_format::{Chip, FixedText};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

const MIB: u32 = 0x10_0000;
const CHIP: Chip = Chip::Esp32s3;

fn main() {
    divan::main();
}

/// What is planned.
#[derive(Clone, Copy)]
enum Case {
    /// The example, from factory: the first strategy does.
    Example,
    /// From the secondary slot: the second strategy does.
    StraightToPrimary,
    /// Swap using move from the primary slot: the migrator moves.
    Relocation,
    /// The same, with 16 OTA slots of which the first seven are in the way.
    RelocationAmongMany,
    /// The same where all of them are in the way.
    Refused,
}

/// The example's migration on a device with so many OTA slots.
struct Setting {
    artifacts: [Artifact<'static>; 2],
    map: McubootMap<'static>,
    table: Vec<Partition>,
    running: Region,
    running_len_bytes: u32,
    flash_len_bytes: u32,
}

impl Setting {
    fn new(case: Case) -> Self {
        let slots = match case {
            Case::RelocationAmongMany | Case::Refused => 16,
            _ => 2,
        };
        let is_large = slots > 2;
        let flash_len_bytes = if is_large { 16 * MIB } else { 4 * MIB };
        // Nothing is planned above 16 MB, so the slots of the many are smaller.
        let app_bytes = if is_large { 0x6_0000 } else { MIB };
        let mut table = vec![
            partition("nvs", PartitionType::Data, subtype::NVS, 0x9000, 0x4000),
            partition("otadata", PartitionType::Data, subtype::OTADATA, 0xd000, 0x2000),
            partition("phy_init", PartitionType::Data, subtype::PHY, 0xf000, 0x1000),
            partition("factory", PartitionType::App, subtype::FACTORY, 0x1_0000, MIB),
        ];
        for index in 0..slots {
            let start = 0x11_0000 + u32::from(index) * app_bytes;
            let label = format!("ota_{index}");
            let kind = subtype::OTA_0 + index;
            table.push(partition(&label, PartitionType::App, kind, start, app_bytes));
        }
        let slot_bytes = match case {
            Case::RelocationAmongMany => 0x24_0000,
            // To the end of the flash.
            Case::Refused => 0x7f_8000,
            _ => MIB,
        };
        // An application that fills its slot leaves the migrator no room there.
        let image_len_bytes =
            if matches!(case, Case::Refused) { slot_bytes - 0x4_0000 } else { 149_944 };
        let moves = matches!(case, Case::Relocation | Case::RelocationAmongMany | Case::Refused);
        let running = if matches!(case, Case::StraightToPrimary) { 4 } else { 3 };
        Self {
            artifacts: artifacts(slot_bytes, image_len_bytes, flash_len_bytes),
            map: McubootMap {
                primary: Region::clamped(FlashAddr(0x1_0000), slot_bytes),
                secondary: Region::clamped(FlashAddr(0x1_0000 + slot_bytes), slot_bytes),
                scratch: (!moves).then_some(Region::clamped(FlashAddr(0x21_0000), 0x4_0000)),
                swap: if moves { SwapKind::Move } else { SwapKind::Scratch },
                max_sectors: slot_bytes / SECTOR_BYTES,
                ..McubootMap::ESPRESSIF
            },
            running: table.get(running).map_or(Region::default(), |p| p.region),
            table,
            running_len_bytes: app_bytes.min(0xa_0000),
            flash_len_bytes,
        }
    }

    fn migration(&self) -> Migration<'_> {
        Migration {
            flash_len_bytes: Some(self.flash_len_bytes),
            mcuboot: Some(self.map),
            ..Migration::new(CHIP, &self.artifacts)
        }
    }

    fn facts(&self) -> DeviceFacts<'_> {
        let Self { table, running, running_len_bytes, flash_len_bytes, .. } = self;
        DeviceFacts {
            previous: previous_firmware(table, *running),
            ..DeviceFacts::new(CHIP, *flash_len_bytes, table, *running, *running_len_bytes)
        }
    }
}

fn artifacts(
    slot_bytes: u32,
    image_len_bytes: u32,
    flash_len_bytes: u32,
) -> [Artifact<'static>; 2] {
    let app = Artifact {
        len_bytes: Some(slot_bytes),
        sha256: Some([1; 32]),
        content: Some(Content::Mcuboot {
            image_len_bytes,
            padded: true,
            confirmed: true,
            signed: false,
            version: Default::default(),
        }),
        ..Artifact::new("app", Role::Application, Origin::Url("http://lab/app.bin"))
    };
    let bootloader = Artifact {
        name: "bootloader",
        role: Role::Bootloader,
        origin: Origin::Url("http://lab/bootloader.bin"),
        region_len_bytes: Some(0xf000),
        len_bytes: Some(27_376),
        content: Some(Content::EspImage {
            chip_id: CHIP.image_chip_id(),
            image_len_bytes: 27_376,
            flash_len_bytes: Some(flash_len_bytes),
        }),
        ..app
    };
    [app, bootloader]
}

fn partition(label: &str, kind: PartitionType, subtype: u8, start: u32, len: u32) -> Partition {
    let label: Label = FixedText::new(label).unwrap_or_default();
    let region = Region::clamped(FlashAddr(start), len);
    Partition { label, kind, subtype, region, flags: 0 }
}

fn planning(bencher: Bencher<'_, '_>, case: Case, is_planned: bool) {
    let setting = Setting::new(case);
    let (migration, facts) = (setting.migration(), setting.facts());
    let planned = plan(&migration, &facts);
    assert_eq!(planned.is_ok(), is_planned, "another case than meant: {:?}", planned.err());
    bencher.bench_local(|| black_box(plan(black_box(&migration), black_box(&facts))).is_ok());
}

#[divan::bench]
fn example(bencher: Bencher<'_, '_>) {
    planning(bencher, Case::Example, true);
}

#[divan::bench]
fn straight_to_primary(bencher: Bencher<'_, '_>) {
    planning(bencher, Case::StraightToPrimary, true);
}

#[divan::bench]
fn relocation(bencher: Bencher<'_, '_>) {
    planning(bencher, Case::Relocation, true);
}

#[divan::bench]
fn relocation_among_16_slots(bencher: Bencher<'_, '_>) {
    planning(bencher, Case::RelocationAmongMany, true);
}

#[divan::bench]
fn refused_after_16_slots(bencher: Bencher<'_, '_>) {
    planning(bencher, Case::Refused, false);
}

/// Not part of planning: what the command line adds.
#[divan::bench]
fn cost_of_the_example(bencher: Bencher<'_, '_>) {
    let setting = Setting::new(Case::Example);
    let migration = setting.migration();
    let Ok(plan) = plan(&migration, &setting.facts()) else { return };
    bencher.bench_local(|| CostModel::new(black_box(&migration)).plan(black_box(&plan)));
}
