//! An upgrade by MCUboot on a device with a carrier or first stage, and later changes of their
//! copies.

use nor_sim::{Phase, Recorded, Recording};

use super::*;

/// Records what a device does until the target runs.
fn recorded(board: &Board, memory: NorMemory) -> Recording {
    let mut device = Device::new(board.clone(), Recorded::new(memory));
    let outcome = device.live(4, &mut stay, &mut ()).outcome;
    assert!(outcome.is_target(), "{outcome}");
    device.supply_mut().inner_mut().take()
}

/// The version that runs from that flash.
fn version(board: &Board, memory: NorMemory, what: impl Fn() -> String) -> String {
    let mut device = Device::new(board.clone(), memory);
    match device.live(4, &mut stay, &mut ()).outcome {
        LifeOutcome::TargetRunning(target) => target.image.header.version.to_string(),
        other => panic!("{}: {other}", what()),
    }
}

/// Cuts power at every operation. For one in `second` of these cuts, it also cuts power in the
/// recovery, at one in `second` operations.
fn upgrade(board: &Board, memory: NorMemory, second: usize) {
    let memory = {
        let mut memory = memory;
        memory.load(PRIMARY.start(), &target(board.chip(), "1.0.0", 1));
        memory.load(SECONDARY.start(), &target(board.chip(), "2.0.0", 1));
        memory
    };
    let recording = recorded(board, memory);
    let ops = recording.len();
    assert!(ops > 100, "{ops}");
    for op in 0..ops as u64 {
        for phase in [Phase::Before, Phase::Middle { seed: op }] {
            let cut = Cut { op, phase };
            let memory = recording.cut(cut).unwrap();
            assert_eq!(version(board, memory, || format!("{cut:?}")), "2.0.0+0");
        }
    }
    for op in (0..ops).step_by(second) {
        let first = Cut::middle(op as u64, op as u64);
        let recovery = recorded(board, recording.cut(first).unwrap());
        for op in (0..recovery.len() as u64).step_by(second) {
            let cut = Cut::middle(op, !op);
            let memory = recovery.cut(cut).unwrap();
            assert_eq!(version(board, memory, || format!("{first:?}, {cut:?}")), "2.0.0+0");
        }
    }
}

#[test]
fn an_upgrade_with_a_carrier_survives_every_cut() {
    let hosted = Hosted::new(0);
    upgrade(&hosted.board(), hosted.memory.clone(), 13);
}

#[test]
fn an_upgrade_with_a_confirmed_carrier_survives_every_cut() {
    let hosted = Hosted::new(3).changed(TRIAL_WORD.start(), &[0; 4]);
    upgrade(&hosted.board(), hosted.memory.clone(), 29);
}

fn with_first_stage() -> Hosted {
    let builder = base(CHIP).bootloader(&first_stage(CHIP)).data(SECOND_COPY, &mcuboot(CHIP));
    Hosted { memory: builder.build().unwrap(), ..Hosted::new(0) }
}

#[test]
fn an_upgrade_with_a_first_stage_survives_every_cut() {
    let hosted = with_first_stage();
    upgrade(&hosted.board(), hosted.memory.clone(), 29);
}

/// A later update of MCUboot writes one copy after the other: wherever power is cut, one is whole.
#[test]
fn copies_are_rewritten_without_a_window() {
    let stage = with_first_stage();
    let place = CHIP.bootloader_addr().saturating_add(COPIES_OFFSET_BYTES);
    let carrier = Hosted::new(0);
    let newer = synthetic::bootloader(CHIP, FlashSize::Mb4, 26_400, 77).unwrap();
    for (hosted, copies) in
        [(stage, [place, SECOND_COPY]), (carrier, [FlashAddr(0x26_1000), FlashAddr(0x26_8000)])]
    {
        let board = hosted.board().mcuboot(&newer, McubootConfig::example()).unwrap();
        let mut flash = Recorded::new(hosted.memory.clone());
        for copy in copies {
            let region = Region::clamped(copy, u32::try_from(newer.len()).unwrap());
            for (sector, bytes) in region.chunks(SECTOR_BYTES).zip(newer.chunks(0x1000)) {
                flash.erase(EraseUnit::Sector4K, sector.start()).unwrap();
                for (page, bytes) in sector.chunks(256).zip(bytes.chunks(256)) {
                    flash.program_page(page.start(), bytes).unwrap();
                }
            }
        }
        let recording = flash.take();
        assert_eq!(recording.len(), 2 * (7 + 104));
        for op in 0..recording.len() as u64 {
            for cut in [Cut::before(op), Cut::middle(op, op), Cut::middle(op, !op)] {
                version(&board, recording.cut(cut).unwrap(), || format!("{cut:?}"));
            }
        }
    }
}

/// The window of a first stage is that of one sector: the second copy is there before, the first
/// one is written over the rest of the old bootloader afterwards.
#[test]
fn the_window_of_a_first_stage_is_one_sector() {
    let hosted = with_first_stage();
    let wanted = hosted.memory.bytes(CHIP.bootloader_region().prefix(0x8000));
    let builder = base(CHIP).bootloader(&old_bootloader(CHIP)).data(SECOND_COPY, &mcuboot(CHIP));
    let mut flash = Recorded::new(builder.build().unwrap());
    let mut window = 0;
    for (sector, bytes) in CHIP.bootloader_region().chunks(SECTOR_BYTES).zip(wanted.chunks(0x1000))
    {
        flash.erase(EraseUnit::Sector4K, sector.start()).unwrap();
        for (page, bytes) in sector.chunks(256).zip(bytes.chunks(256)) {
            if !flash_region::is_blank(bytes) {
                flash.program_page(page.start(), bytes).unwrap();
            }
        }
        if window == 0 {
            window = flash.recording().len();
        }
    }
    let recording = flash.take();
    for op in 0..=recording.len() {
        let mut device = Device::new(hosted.board(), recording.before(op).unwrap());
        let outcome = device.live(4, &mut stay, &mut ()).outcome;
        assert_eq!(outcome.is_alive(), op == 0 || op >= window, "{op}, {window}: {outcome}");
    }
}
