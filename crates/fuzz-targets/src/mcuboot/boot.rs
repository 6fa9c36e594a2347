//! The model of MCUboot over any flash contents, with power cuts.

use arbitrary::{Result, Unstructured};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_boot::{AreaName, BootConfig, FlashMap, McubootOutcome, boot};
use mcuboot_format::builder::{SignOptions, sign};
use mcuboot_format::trailer::{Flag, Magic, SwapInfo, TrailerConfig, TrailerState};
use mcuboot_format::{DowngradePrevention, ImageVersion, SwapKind, validate};
use nor_sim::{Cut, Driver, NorError, NorMemory, Phase, PowerCut, Recorded};

use crate::noise;

/// More operations than a boot can need: the most sectors that a status counts (a damaged one may
/// count more than a slot has), each erased and written in three areas, with a mark for each.
const MAX_OPS: usize = 512 * 3 * (1 + 16 + 1);
const AREAS: [AreaName; 3] = [AreaName::Primary, AreaName::Secondary, AreaName::Scratch];

/// Boots a few times from any contents of the slots, with power cuts.
///
/// A boot ends, touches nothing outside of its areas, and runs only what validates. The input
/// chooses where the slots are, what is in them, and when power is cut.
pub fn mcuboot_boot(input: &[u8]) {
    let _ = run(&mut Unstructured::new(input));
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    // The input's length chooses how the bootloader was built, so that older inputs keep their
    // meaning.
    let built = u.len();
    let Some(config) = config(u)? else { return Ok(()) };
    let [none, version, build, counter] = DowngradePrevention::ALL;
    let prevention = [none, none, version, build, counter][built % 5];
    let config =
        config.with_downgrade_prevention(prevention).with_fast_overwrite(built / 5 % 2 == 1);
    let mut flash = NorMemory::erased(0x8_0000);
    for area in AREAS {
        fill(u, &mut flash, &config, area)?;
    }
    for _ in 0..u.choose_index(4)? {
        flash = boot_cut_off(u, flash, &config)?;
    }
    for _ in 0..2 {
        let (after, outcome) = boot_once(flash.clone(), &config);
        let (_, again) = boot_once(flash, &config);
        assert_eq!(outcome, again, "the same flash boots differently");
        check_outcome(&after, &config, &outcome);
        flash = after;
    }
    Ok(())
}

fn config(u: &mut Unstructured<'_>) -> Result<Option<BootConfig>> {
    let swap = *u.choose(&SwapKind::ALL)?;
    let primary_sectors = u.int_in_range(1..=7)?;
    let secondary_sectors = match u.int_in_range(0..=5)? {
        0 => primary_sectors + 1,
        1 => primary_sectors - 1,
        _ => primary_sectors,
    };
    let area = |start, sectors: u32| Region::clamped(FlashAddr(start), sectors * SECTOR_BYTES);
    let map = FlashMap {
        primary: area(0x1_0000, primary_sectors),
        secondary: area(0x2_0000, secondary_sectors),
        scratch: Some(area(0x3_0000, u.int_in_range(1..=3)?)),
    };
    let trailer = TrailerConfig {
        write_unit_bytes: *u.choose(&[4, 1, 8])?,
        max_align: *u.choose(&[8, 16, 32])?,
        max_sectors: *u.choose(&[64, 8, 128, 512])?,
        swap,
    };
    Ok(BootConfig::new(map, trailer).ok())
}

/// An image, a status and a trailer, each of which may be missing, and some bytes anywhere.
fn fill(
    u: &mut Unstructured<'_>,
    flash: &mut NorMemory,
    config: &BootConfig,
    area: AreaName,
) -> Result<()> {
    let Some(layout) = config.layout(area).copied() else { return Ok(()) };
    let slot = layout.slot();
    let at = |offset: u32| slot.start().saturating_add(offset);
    let room_bytes = layout.offset_bytes();
    if u.ratio(3, 4)? {
        let payload_len = u.int_in_range(0..=room_bytes.min(0x6000))?;
        let offset = if u.ratio(1, 4)? { SECTOR_BYTES } else { 0 };
        let options = SignOptions {
            security_counter: (payload_len % 2 == 1).then_some(payload_len % 3),
            version: ImageVersion::new(0, 0, (payload_len % 4) as u16),
            ..SignOptions::espressif(0x10_0000, SwapKind::Overwrite)
        };
        let image = sign(&noise(area as u64, payload_len), &options).expect("a small image");
        let in_slot = slot.from(at(offset)).prefix(image.len() as u32);
        flash.load(in_slot.start(), &image[..in_slot.len_bytes() as usize]);
    }
    if u.arbitrary()? {
        let state = TrailerState {
            magic: *u.choose(&[Magic::Good, Magic::Unset, Magic::Bad])?,
            swap_info: SwapInfo(if u.arbitrary()? { u.int_in_range(0..=6)? } else { 0xff }),
            copy_done: *u.choose(&[Flag::Unset, Flag::Set, Flag::Bad])?,
            image_ok: *u.choose(&[Flag::Unset, Flag::Set, Flag::Bad])?,
            swap_size_bytes: if u.arbitrary()? { Some(u.int_in_range(0..=0x8000)?) } else { None },
            unprotected_tlv_sizes: u.arbitrary()?,
        };
        let mut fields = vec![0; layout.fields().len_bytes() as usize];
        state.emit(&layout, &mut fields).expect("the fields are as long as they are");
        flash.load(layout.fields().start(), &fields);
    }
    for step in 0..u.int_in_range(0..=40)? {
        if let Some(addr) = layout.status_step(step) {
            flash.load(addr, &[step as u8 % 3 + 1]);
        }
    }
    for _ in 0..u.choose_index(4)? {
        let bytes: [u8; 4] = u.arbitrary()?;
        let offset = u.int_in_range(0..=slot.len_bytes() - 4)?;
        // Near the end of the slot, where it matters, or anywhere.
        let offset = if u.arbitrary()? { slot.len_bytes() - 4 - offset % 256 } else { offset };
        flash.load(at(offset), &bytes);
    }
    Ok(())
}

fn boot_cut_off(
    u: &mut Unstructured<'_>,
    flash: NorMemory,
    config: &BootConfig,
) -> Result<NorMemory> {
    let phase = match u.int_in_range(0..=2)? {
        0 => Phase::Before,
        1 => Phase::After,
        _ => Phase::Middle { seed: u.arbitrary()? },
    };
    let cut = Cut { op: u.int_in_range(0..=300)?, phase };
    let mut driver = Driver::new(PowerCut::new(Recorded::new(flash)).with(cut));
    let ended = boot(&mut driver, config, &mut |event| assert!(!event.to_string().is_empty()));
    if let Err(error) = ended {
        assert_eq!(error, NorError::PowerLost);
    }
    let recorded = driver.into_device().into_inner();
    check_ops(&recorded, config);
    Ok(recorded.into_inner())
}

fn boot_once(flash: NorMemory, config: &BootConfig) -> (NorMemory, McubootOutcome) {
    let mut driver = Driver::new(Recorded::new(flash));
    let outcome = boot(&mut driver, config, &mut |_| {}).expect("a flash without faults");
    let recorded = driver.into_device();
    check_ops(&recorded, config);
    (recorded.into_inner(), outcome)
}

fn check_ops(recorded: &Recorded<NorMemory>, config: &BootConfig) {
    let ops = recorded.recording().len();
    assert!(ops < MAX_OPS, "a boot does not end, {ops} operations");
    let slots = AREAS.map(|area| config.layout(area).map(|layout| layout.slot()));
    for op in recorded.recording().ops() {
        let inside = slots.iter().flatten().any(|slot| slot.contains_region(op.region()));
        assert!(inside, "{op} is outside of {slots:?}");
    }
}

/// Checks that what runs is valid, and in the primary slot.
fn check_outcome(flash: &NorMemory, config: &BootConfig, outcome: &McubootOutcome) {
    assert!(!outcome.to_string().is_empty());
    let Some(running) = outcome.running() else { return };
    let slot = config.layout(AreaName::Primary).expect("there always is a primary").slot();
    assert_eq!(running.slot, slot);
    let valid = validate(&flash.bytes(slot), config.limits_in(AreaName::Primary), config.key());
    assert!(valid.is_ok_and(|valid| valid.header == running.header), "runs what is not valid");
}
