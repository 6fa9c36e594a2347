//! Power is lost before, in the middle of and after every operation of a migration.

use std::format;
use std::vec::Vec;

use super::kit::*;
use crate::Done;
use bootswap_plan::Staging;
use mcuboot_format::SwapKind;
use mcuboot_format::builder::Padding;
use nor_sim::{Cut, Driver, NorMemory, Op, Power, PowerCut, Recorded};

/// Flash operations that a cut may cost: those of one sector, with an erase around it, and a
/// journal record or two.
const LOST_OPS: usize = 1 + 16 + 2;
/// Bytes that a cut may have to be downloaded again: two sectors between checkpoints, the one that
/// was being written, and what was on its way.
const LOST_BYTES: usize = 0x2000 + 0x1000 + 700;

/// An uninterrupted migration: its operations, what it downloads, and what it leaves.
struct Whole {
    ops: Vec<Op>,
    bytes: usize,
    /// Number of the operation that opens the commit window.
    window: u64,
}

impl Whole {
    fn of(scene: &Scene) -> Self {
        let mut flash = Driver::with_alignment(Recorded::new(scene.flash.clone()));
        let (mut server, mut log) = (scene.server(), Log::default());
        let ended = scene.run_with(&mut flash, &mut server, &mut log, &Power::new());
        assert_eq!(ended, Some(Ok(Done::NewBootloader)), "{:#?}", log.lines);
        let ops: Vec<Op> = flash.device().recording().ops().collect();
        let window = ops.iter().position(|op| op.region().overlaps(BOOT)).unwrap() as u64;
        let flash = flash.into_device().into_inner();
        scene.assert_done(&flash);
        assert!(flash.max_erase_count(at(0, FLASH_LEN)) <= 2);
        Self { ops, bytes: server.sent_bytes, window }
    }
}

/// Cuts the power once at `cut`. Returns the flash, and the server with what it has sent.
fn cut_off(scene: &Scene, cut: Cut, server: Script) -> (NorMemory, Script, u64) {
    let mut flash = Driver::with_alignment(PowerCut::new(scene.flash.clone()).with(cut));
    let power = flash.device().power();
    let mut server = server;
    let ended = scene.run_with(&mut flash, &mut server, &mut Log::default(), &power);
    assert!(ended.is_none() || ended == Some(Ok(Done::NewBootloader)), "{cut:?}");
    let ops = flash.device().ops();
    (flash.into_device().into_inner(), server, ops)
}

fn phases(op: u64) -> [Cut; 3] {
    [Cut::before(op), Cut::middle(op, op), Cut::after(op)]
}

fn sweep(scene: &Scene) {
    sweep_some(scene, |_| true);
}

/// Cuts at the operations that are asked for, by what they are.
fn sweep_some(scene: &Scene, is_asked_for: impl Fn(&Op) -> bool) {
    let whole = Whole::of(scene);
    let asked_for = (0..).zip(&whole.ops).filter(|(_, op)| is_asked_for(op));
    for op in asked_for.map(|(number, _)| number) {
        for cut in phases(op) {
            let case = format!("{cut:?} of {}", whole.ops.len());
            let (flash, mut server, _) = cut_off(scene, cut, scene.server());
            // Before the window, the way back is intact.
            if op < whole.window || cut == Cut::before(whole.window) {
                assert!(flash.bytes(BOOT) == scene.flash.bytes(BOOT), "{case}: bootloader");
            }
            scene.assert_unharmed(&flash);

            let mut again = Driver::with_alignment(Recorded::new(flash));
            let mut log = Log::default();
            let ended = scene.run_with(&mut again, &mut server, &mut log, &Power::new());
            assert_eq!(ended, Some(Ok(Done::NewBootloader)), "{case}: {:#?}", log.lines);
            scene.assert_done(again.device().inner());
            let redone: Vec<Op> = again.device().recording().ops().collect();
            let done = op as usize + usize::from(cut != Cut::before(op));
            assert!(
                done + redone.len() <= whole.ops.len() + LOST_OPS,
                "{case}: {done} and {}: {redone:?}",
                redone.len()
            );
            // What is staged in memory is lost with the power, all of it.
            let lost = LOST_BYTES + scene.memory_len as usize;
            assert!(server.sent_bytes <= whole.bytes + lost, "{case}: {}", server.sent_bytes);
        }
    }
}

#[test]
fn the_example() {
    sweep(&Scene::example());
}

#[test]
fn an_unpadded_image_that_the_migrator_confirms() {
    let mut scene = Scene::example();
    let app = scene.part("app");
    (app.bytes, app.confirm) = (app_for(SwapKind::Scratch, 9000, Padding::None), true);
    sweep(&scene);
}

/// An image that shares a sector with the trailer.
#[test]
fn a_long_unpadded_image_of_unknown_length() {
    let mut scene = Scene::example();
    let app = scene.part("app");
    (app.bytes, app.confirm) = (app_for(SwapKind::Scratch, 0xe400, Padding::None), true);
    (app.known_len, app.known_digest) = (false, false);
    // The sectors before have nothing that other cases do not have.
    sweep_some(&scene, |op| op.region().overlaps(SECONDARY.suffix(0x3000)));
}

#[test]
fn everything_through_one_label() {
    let mut scene = Scene::example();
    scene.staging = Staging::Label("ota_1");
    scene.map.as_mut().unwrap().scratch = Some(at(0x4_0000, 0x4000));
    scene.part("app").bytes = app(9001, Padding::Confirmed);
    sweep(&scene);
}

#[test]
fn the_bootloader_in_memory() {
    let mut scene = Scene::example();
    (scene.staging, scene.memory_len) = (Staging::Memory, 0x8000);
    scene.part("app").bytes = app(9000, Padding::Confirmed);
    sweep(&scene);
}

#[test]
fn straight_to_the_primary() {
    let mut scene = Scene::example();
    scene.map = Some(map(SwapKind::Move));
    scene.running = at(0x3_0000, SLOT_LEN);
    scene.flash.load_noise(PRIMARY, 6);
    scene.part("app").bytes = app_for(SwapKind::Move, 9000, Padding::Confirmed);
    sweep(&scene);
}

/// Power is lost again during the recovery.
#[test]
fn twice() {
    let scene = Scene::example();
    let whole = Whole::of(&scene);
    // Prime steps, so that over the cases all pairs of kinds of operations meet.
    for op in (0..whole.window).step_by(7) {
        let (flash, server, _) = cut_off(&scene, Cut::middle(op, op), scene.server());
        let once = Scene { flash, ..scene.clone() };
        for second in (0..24).step_by(5) {
            let (flash, server, _) =
                cut_off(&once, Cut::middle(second, op ^ second), server.clone());
            scene.assert_unharmed(&flash);
            let last = Scene { flash, ..scene.clone() };
            let mut server = server;
            let (ended, flash, log) = last.run(&mut server);
            assert_eq!(ended, Ok(Done::NewBootloader), "{op} {second}: {:#?}", log.lines);
            scene.assert_done(&flash);
            assert!(server.sent_bytes <= whole.bytes + 2 * LOST_BYTES, "{op} {second}");
        }
    }
}
