//! The example with faulty servers.

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::kit::*;
use crate::{Done, Failure, ImageFault, SourceError};
use nor_sim::NorMemory;

/// The migration succeeds with such a server.
fn succeeds(scene: &Scene, server: Script) -> (Script, Log) {
    let mut server = server;
    let (ended, flash, log) = scene.run(&mut server);
    assert_eq!(ended, Ok(Done::NewBootloader), "{:#?}", log.lines);
    scene.assert_done(&flash);
    (server, log)
}

/// It fails, and the device is unchanged, except for staging and the slot.
fn fails(scene: &Scene, server: Script) -> (Failure<nor_sim::NorError, &'static str>, Script, Log) {
    let mut server = server;
    let (ended, flash, log) = scene.run(&mut server);
    let failure = ended.expect_err("a migration from a bad server");
    assert!(failure.may_reset());
    assert_way_back(scene, &flash);
    assert_eq!(log.asked_to_commit, 0);
    (failure, server, log)
}

fn assert_way_back(scene: &Scene, flash: &NorMemory) {
    scene.assert_unharmed(flash);
    for region in [BOOT, at(0xd000, 0x2000), SCRATCH] {
        assert!(flash.bytes(region) == scene.flash.bytes(region), "{region}");
    }
}

const APP: &str = "http://lab/app.bin";

#[test]
fn a_connection_that_breaks_at_any_byte_is_taken_up_there() {
    let scene = Scene::example();
    for after in [0, 1, 699, 700, 701, 4095, 4096, 4097, 12_288, 20_000, 20_071] {
        let (server, log) = succeeds(&scene, scene.server().with([Fault::Breaks(after)]));
        // Within a run not one byte is fetched twice.
        assert_eq!(server.asked[1], (APP.to_string(), after as u32), "{after}");
        assert_eq!(log.delays_ms, [500], "{after}");
        assert!(log.has("the connection broke before the end; trying again in 500 ms"));
    }
}

#[test]
fn a_body_that_ends_early_is_taken_up_where_it_ended() {
    let mut scene = Scene::example();
    for (known_len, says) in [(true, true), (true, false), (false, true), (false, false)] {
        scene.part("app").known_len = known_len;
        let mut faults = vec![Fault::Ends(10_000)];
        if !says {
            faults.push(Fault::NoLength);
        }
        let mut server = scene.server();
        server.faults.push_back(faults);
        let (server, _) = succeeds(&scene, server);
        assert_eq!(server.asked[1], (APP.to_string(), 10_000), "{known_len} {says}");
    }
}

#[test]
fn backoff_grows_and_ends() {
    let scene = Scene::example();
    let server = scene.server().with((0..20).map(|_| Fault::Fails(SourceError::Status(503))));
    let (failure, server, log) = fails(&scene, server);
    let cause = SourceError::Status(503);
    assert_eq!(failure, Failure::Source { artifact: "app", cause });
    assert_eq!(server.asked.len(), 6);
    assert_eq!(log.delays_ms, [500, 1000, 2000, 4000, 8000]);
    let said = "app could not be fetched: the server answered with status 503";
    assert!(failure.to_string().starts_with(said), "{failure}");
}

#[test]
fn progress_starts_the_patience_again() {
    let scene = Scene::example();
    let (server, log) = succeeds(&scene, scene.server().with((0..20).map(|_| Fault::Breaks(1000))));
    assert!(server.asked.len() > 20);
    assert!(log.delays_ms.iter().all(|ms| *ms == 500));
}

#[test]
fn what_cannot_get_better_is_not_tried_again() {
    let scene = Scene::example();
    let (failure, server, log) =
        fails(&scene, scene.server().with([Fault::Fails(SourceError::NoTls)]));
    assert!(matches!(failure, Failure::Source { cause: SourceError::NoTls, .. }));
    assert_eq!((server.asked.len(), log.delays_ms.len()), (1, 0));
}

#[test]
fn a_server_that_ignores_the_range_is_listened_to_from_the_start() {
    let scene = Scene::example();
    let (server, _) =
        succeeds(&scene, scene.server().with([Fault::Breaks(15_000), Fault::IgnoresRange]));
    assert_eq!(server.asked[1], (APP.to_string(), 15_000));
}

#[test]
fn a_server_without_ranges_that_always_breaks_is_given_up() {
    let scene = Scene::example();
    let mut server = scene.server();
    server.faults = (0..20).map(|_| vec![Fault::IgnoresRange, Fault::Breaks(9000)]).collect();
    let (failure, server, _) = fails(&scene, server);
    assert!(matches!(failure, Failure::Source { cause: SourceError::Broken, .. }));
    assert_eq!(server.asked.len(), 6);
}

#[test]
fn misplaced_bytes_are_not_taken() {
    let scene = Scene::example();
    let (server, log) =
        succeeds(&scene, scene.server().with([Fault::Breaks(9000), Fault::Begins(5000)]));
    assert!(log.has("bytes from 5000 on were sent, but bytes from 9000 on were requested"));
    // What was in place before stays; the half sector in memory does not.
    assert_eq!(server.asked[2], (APP.to_string(), 8192));
}

#[test]
fn a_wrong_length_is_refused_before_anything_is_written() {
    let scene = Scene::example();
    for len in [1, 65_535, 65_537, u32::MAX] {
        let server = scene.server().with((0..20).map(|_| Fault::Length(len)));
        let (failure, server, log) = fails(&scene, server);
        let fault = ImageFault::Length { wanted_bytes: SLOT_LEN, found_bytes: len };
        assert_eq!(failure, Failure::Image { artifact: "app", fault });
        assert_eq!((server.asked.len(), server.sent_bytes), (3, 0));
        assert_eq!(log.delays_ms, [1000, 2000]);
    }
}

#[test]
fn a_body_of_no_bytes_is_no_file() {
    let mut scene = Scene::example();
    for known_len in [true, false] {
        scene.part("app").known_len = known_len;
        let (failure, ..) = fails(&scene, scene.server().with((0..20).map(|_| Fault::Length(0))));
        assert!(matches!(failure, Failure::Image { fault: ImageFault::Empty, .. }), "{failure}");
        // Without a length it might be a connection that broke.
        let mut server = scene.server();
        server.faults = (0..20).map(|_| vec![Fault::NoLength, Fault::Ends(0)]).collect();
        let (failure, ..) = fails(&scene, server);
        assert!(matches!(failure, Failure::Source { cause: SourceError::Broken, .. }), "{failure}");
    }
}

#[test]
fn a_file_larger_than_its_place_is_refused() {
    let mut scene = Scene::example();
    scene.part("app").known_len = false;
    scene.part("app").known_digest = false;
    let (failure, server, _) =
        fails(&scene, scene.server().with((0..9).map(|_| Fault::Length(SLOT_LEN + 1))));
    let fault = ImageFault::TooLong { room_bytes: SLOT_LEN };
    assert_eq!(failure, Failure::Image { artifact: "app", fault });
    assert_eq!(server.sent_bytes, 0);

    // Without a length, it is noticed when the region is full.
    let mut server = scene.server();
    server.faults = (0..9).map(|_| vec![Fault::NoLength, Fault::Longer(5000)]).collect();
    let (failure, ..) = fails(&scene, server);
    assert_eq!(failure, Failure::Image { artifact: "app", fault });
}

/// The migration knows where the file ends; what a server sends after it does not matter.
#[test]
fn bytes_behind_the_file_are_ignored() {
    let scene = Scene::example();
    let mut server = scene.server();
    server.faults = (0..2).map(|_| vec![Fault::NoLength, Fault::Longer(5000)]).collect();
    let (server, _) = succeeds(&scene, server);
    assert_eq!(server.asked.len(), 2);
}

fn portal() -> Vec<u8> {
    b"\r\n<!DOCTYPE html><html><body>Please log in</body></html>".to_vec()
}

#[test]
fn a_web_page_is_no_image() {
    let mut scene = Scene::example();
    for known_len in [true, false] {
        for says in [true, false] {
            scene.part("app").known_len = known_len;
            let server = scene.server().with((0..9).map(|_| Fault::Other(portal(), says)));
            let (failure, server, log) = fails(&scene, server);
            let fault = if known_len && says {
                ImageFault::Length { wanted_bytes: SLOT_LEN, found_bytes: portal().len() as u32 }
            } else {
                ImageFault::WebPage
            };
            assert_eq!(failure, Failure::Image { artifact: "app", fault });
            assert_eq!(server.asked.len(), 3);
            assert_eq!(log.delays_ms, [1000, 2000]);
        }
    }
}

/// A login page in the middle of a transfer does not destroy what was in place before it.
#[test]
fn a_web_page_in_between_costs_nothing() {
    let scene = Scene::example();
    for says in [true, false] {
        let faults = [Fault::Breaks(15_000), Fault::Other(portal(), says)];
        let (server, log) = succeeds(&scene, scene.server().with(faults));
        assert_eq!(server.asked[1], (APP.to_string(), 15_000));
        assert_eq!(server.asked[2], (APP.to_string(), 12_288), "{says}");
        assert_eq!(log.delays_ms, [500, 1000]);
    }
}

#[test]
fn another_file_is_refused_and_the_right_one_taken() {
    let scene = Scene::example();
    let other = app(19_000, mcuboot_format::builder::Padding::Confirmed);
    let (server, log) = succeeds(&scene, scene.server().with([Fault::Other(other, true)]));
    assert!(log.has("the file's SHA-256 begins with"));
    assert_eq!(server.asked[1], (APP.to_string(), 0));
}

#[test]
fn damaged_bytes_are_found_before_the_commit() {
    let scene = Scene::example();
    // Header, payload, TLVs, and of the bootloader its header and its data.
    for (request, offset) in
        [(0, 0), (0, 40), (0, 9000), (0, 20_040), (1, 0), (1, 12), (1, 5000), (1, 0x1fef)]
    {
        let mut server = scene.server();
        server.faults =
            (0..request).map(|_| vec![]).chain([vec![Fault::Damaged(offset)]]).collect();
        let (server, _) = succeeds(&scene, server);
        assert!(server.asked.len() >= 3, "{request} {offset}");
        let mut server = scene.server();
        let always = (0..9).map(|_| vec![Fault::Damaged(offset)]);
        server.faults = (0..request).map(|_| vec![]).chain(always).collect();
        let (failure, ..) = fails(&scene, server);
        assert!(matches!(failure, Failure::Image { .. }), "{failure}");
    }
}

/// Without a digest in the migration, there is only the image's own: any damage is still found.
#[test]
fn without_a_digest_the_image_vouches_for_itself() {
    let mut scene = Scene::example();
    for part in &mut scene.parts {
        (part.known_digest, part.known_len) = (false, false);
    }
    let (_, log) = succeeds(&scene, scene.server());
    assert!(!log.has("known by the digest"));
    let always = (0..9).map(|_| Fault::Damaged(9000));
    let (failure, ..) = fails(&scene, scene.server().with(always));
    assert!(matches!(failure, Failure::Image { fault: ImageFault::Mcuboot(_), .. }), "{failure}");
}

#[test]
fn an_image_for_another_chip_or_flash_is_refused_at_its_first_bytes() {
    use esp_idf_format::Chip;
    use esp_idf_format::image::{FlashSize, ImageBuilder};
    let build = |chip, size| {
        // Of some of these chips the other has no memory there; the header comes first all the
        // same.
        let addr = if chip == Chip::Esp32 { 0x4007_8000 } else { 0x4038_0000 };
        ImageBuilder::new(chip).flash_size(size).segment(addr, &noise(6000, 1)).build().unwrap()
    };
    for (image, text) in [
        (build(Chip::Esp32s3, FlashSize::Mb1), "the image is for esp32s3; this chip is esp32c3"),
        (build(Chip::Esp32, FlashSize::Mb1), "the image is for esp32; this chip is esp32c3"),
        (
            build(CHIP, FlashSize::Mb4),
            "the image is built for 4194304 bytes of flash, but there are only 1048576",
        ),
    ] {
        let mut scene = Scene::example();
        scene.part("bootloader").bytes = image;
        let (failure, server, _) = fails(&scene, scene.server());
        assert!(failure.to_string().contains(text), "{failure}");
        // Three times one chunk, and nothing of it was written.
        assert!(server.sent_bytes < 20_000 + 1000 + 3 * 700, "{}", server.sent_bytes);
    }
}

/// Between two runs, at most two sectors between checkpoints and one in progress are lost.
#[test]
fn another_run_takes_up_at_the_last_checkpoint() {
    let scene = Scene::example();
    for after in [3000, 8191, 8192, 8193, 12_000, 16_384, 19_999] {
        // The first answer breaks there, and then nothing works any more.
        let dead = (0..9).map(|_| Fault::Fails(SourceError::Connect));
        let server = scene.server().with([Fault::Breaks(after)].into_iter().chain(dead));
        let mut server = server;
        let (ended, flash, _) = scene.run(&mut server);
        assert!(matches!(ended, Err(Failure::Source { .. })));
        let again = Scene { flash, ..scene.clone() };
        let mut server = again.server();
        let (ended, _, log) = again.run(&mut server);
        assert_eq!(ended, Ok(Done::NewBootloader));
        let wanted = after as u32 / 8192 * 8192;
        assert_eq!(server.asked[0], (APP.to_string(), wanted), "{after}");
        // A run that failed without progress makes the next one wait.
        let waited = log.delays_ms.first() == Some(&1000);
        assert_eq!(waited, wanted == 0, "{after}: {:?}", log.delays_ms);
    }
}

/// The journal is not trusted: the bytes may be gone.
#[test]
fn a_journal_that_says_more_than_is_there_costs_time_only() {
    let scene = Scene::example();
    let dead = (0..9).map(|_| Fault::Fails(SourceError::Connect));
    let mut server = scene.server().with([Fault::Breaks(19_000)].into_iter().chain(dead));
    let (_, flash, _) = scene.run(&mut server);
    for addr in [0, 32, 5000, 9000, 15_000] {
        let mut flash = flash.clone();
        flash.load(SECONDARY.start().saturating_add(addr), &[0x11, 0x22, 0x33]);
        let again = Scene { flash, ..scene.clone() };
        let (server, _) = succeeds(&again, again.server());
        let first = server.asked[0].1;
        // Damage in one of the two headers is seen at once, other damage when the image is
        // complete.
        assert_eq!(first, if addr <= 32 { 0 } else { 16_384 }, "{addr}");
    }
}

/// The image's own hash does not cover the trailer, and without a digest nothing else does.
#[test]
fn a_trailer_that_is_gone_is_fetched_again() {
    let mut scene = Scene::example();
    (scene.part("app").known_len, scene.part("app").known_digest) = (false, false);
    let app_len = scene.part("app").bytes.len();
    let dead = (0..9).map(|_| Fault::Fails(SourceError::Connect));
    let mut server = scene.server().with([Fault::Breaks(app_len)].into_iter().chain(dead));
    let (ended, flash, _) = scene.run(&mut server);
    assert!(matches!(ended, Err(Failure::Source { .. })), "{ended:?}");
    for from_end in [1, 16, 24, 32, 100, 0x1800] {
        let mut flash = flash.clone();
        let addr = SECONDARY.end().get() - from_end;
        flash.load(flash_region::FlashAddr(addr), &[0x11]);
        let again = Scene { flash, ..scene.clone() };
        let (server, _) = succeeds(&again, again.server());
        assert_eq!(server.asked[0].1, app_len as u32, "{from_end}");
        assert_eq!(server.asked[1].1, 0, "{from_end}");
    }
}

#[test]
fn attempts_without_progress_end() {
    let mut scene = Scene::example();
    let mut waits = vec![];
    for attempt in 1..=8 {
        let server = scene.server().with((0..6).map(|_| Fault::Fails(SourceError::Connect)));
        let mut server = server;
        let (ended, flash, log) = scene.run(&mut server);
        assert!(matches!(ended, Err(Failure::Source { .. })), "{attempt}: {ended:?}");
        waits.push(log.delays_ms.first().copied());
        scene.flash = flash;
    }
    let wanted = [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000];
    assert_eq!(waits, wanted.map(Some));
    let mut server = scene.server();
    let (ended, flash, _) = scene.run(&mut server);
    assert_eq!(ended, Err(Failure::GivenUp { attempts: 8 }));
    assert_eq!((server.asked.len(), flash.first_difference(&scene.flash)), (0, None));
    // Another migration begins anew.
    scene.part("app").bytes = app(21_000, mcuboot_format::builder::Padding::Confirmed);
    scene.assert_done(&scene.migrated().0);
}

/// The bytes arrive every time, and are useless every time.
#[test]
fn attempts_with_the_wrong_file_end() {
    let mut scene = Scene::example();
    // Damage that only the digest detects, not the format; and a server that never completes.
    let damaged = || vec![Fault::IgnoresRange, Fault::Damaged(700)];
    let breaking = || vec![Fault::IgnoresRange, Fault::Breaks(9000)];
    for (name, faults) in [("damaged", damaged()), ("breaking", breaking())] {
        let before = scene.flash.clone();
        let mut attempts = 0;
        loop {
            let mut server = scene.server();
            server.faults = (0..20).map(|_| faults.clone()).collect();
            let (ended, flash, _) = scene.run(&mut server);
            scene.flash = flash;
            if matches!(ended, Err(Failure::GivenUp { attempts: 8 })) {
                break;
            }
            assert!(ended.is_err(), "{name}");
            attempts += 1;
            assert!(attempts < 20, "{name}: it does not end");
        }
        // The first one made progress for the first time.
        assert_eq!(attempts, 9, "{name}");
        scene.flash = before;
    }
}

/// Waiting for a better supply is not a failed attempt.
#[test]
fn a_veto_can_be_repeated_for_ever() {
    let mut scene = Scene::example();
    for _ in 0..12 {
        let mut flash = nor_sim::Driver::with_alignment(scene.flash.clone());
        let mut log = Log { veto: Some(crate::Veto::NotReady { code: 1 }), ..Log::default() };
        let mut server = scene.server();
        let power = nor_sim::Power::new();
        let ended = scene.run_with(&mut flash, &mut server, &mut log, &power).unwrap();
        assert_eq!(ended, Err(Failure::Veto(crate::Veto::NotReady { code: 1 })));
        assert_eq!(log.delays_ms, [] as [u32; 0]);
        let bootloader = scene.flash.bytes(BOOT);
        scene.flash = flash.into_device();
        assert!(scene.flash.bytes(BOOT) == bootloader);
    }
    scene.migrated();
}

/// From chunks of one byte to chunks larger than a sector.
#[test]
fn chunks_of_any_size_will_do() {
    let mut scene = Scene::example();
    scene.part("app").bytes = app(9000, mcuboot_format::builder::Padding::Confirmed);
    for chunk in [1, 31, 4096, 5000, 70_000] {
        let mut server = scene.server();
        server.chunk = chunk;
        succeeds(&scene, server);
    }
}
