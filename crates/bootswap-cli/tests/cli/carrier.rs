//! `bootswap image carrier` and `bootswap image first-stage`, and what `image` says of their files.

use carrier_format::{LoaderMemory, LoaderRecord};
use device_sim::{FlashBuilder, McubootConfig, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::{self, FlashMode, FlashSize, ImageBuilder, update_checksums};

use crate::program::WorkDir;

const CHIP: Chip = Chip::Esp32c3;

fn loader() -> Vec<u8> {
    let memory = LoaderMemory::of(CHIP).unwrap();
    let record = LoaderRecord::blank(CHIP.image_chip_id()).to_bytes();
    let code = [vec![0x13; 500], record.to_vec()].concat();
    let builder = ImageBuilder::new(CHIP).entry_addr(memory.load_addr);
    builder.segment(memory.load_addr, &code).build().unwrap()
}

fn dump(mode: FlashMode) -> Vec<u8> {
    let mut bootloader = synthetic::bootloader(CHIP, FlashSize::Mb4, 0x5000, 3).unwrap();
    bootloader[2] = mode.raw();
    update_checksums(&mut bootloader).unwrap();
    let app = synthetic::app(CHIP, "old", "1.0", 0x1000, 1).unwrap();
    FlashBuilder::new(CHIP, FlashSize::Mb4)
        .partitions(&synthetic::example_partitions())
        .bootloader(&bootloader)
        .app("factory", &app)
        .build()
        .unwrap()
        .to_bytes()
}

/// A MCUboot, a loader in `firmware`, and dumps of devices.
fn lab() -> WorkDir {
    let lab = WorkDir::new();
    let config = McubootConfig::example();
    let mcuboot = synthetic::mcuboot(CHIP, FlashSize::Mb4, 20_000, 7, &config).unwrap();
    lab.write("mcuboot.bin", &mcuboot);
    lab.write("loader.bin", &loader());
    lab.write("dump.bin", &dump(FlashMode::Dio));
    lab.write("qio.bin", &dump(FlashMode::Qio));
    lab
}

const CARRIER: [&str; 9] = [
    "image",
    "carrier",
    "mcuboot.bin",
    "--chip",
    "esp32c3",
    "--loader",
    "loader.bin",
    "-o",
    "out.bin",
];
const STAGE: [&str; 9] = [
    "image",
    "first-stage",
    "mcuboot.bin",
    "--chip",
    "esp32c3",
    "--loader",
    "loader.bin",
    "-o",
    "out.bin",
];

#[test]
fn a_carrier_is_described_and_verified() {
    let lab = lab();
    let args = [&CARRIER[..], &["--flash", "dump.bin", "--starts", "3"]].concat();
    let made = lab.ends_with(0, &args);
    assert_eq!(made.stdout, "");
    assert!(made.stderr.starts_with("wrote out.bin: 0x"), "{}", made.stderr);

    let json = lab.ends_with(0, &["image", "info", "out.bin", "--json"]).json();
    assert_eq!(
        (&json["kind"], &json["project_name"]),
        (&"esp-image".into(), &"bootswap-carrier".into())
    );
    let carrier = &json["carrier"];
    assert_eq!((&carrier["place"], &carrier["otadata"]), (&"carrier".into(), &0xd000.into()));
    let trial = serde_json::json!({
        "starts": 3, "counted": 0, "watchdog_ms": 120_000, "image_ok": 0x10_ffe8
    });
    assert_eq!(carrier["trial"], trial);
    let copies = carrier["copies"].as_array().unwrap();
    let mcuboot = image::verify(&lab.read("mcuboot.bin")).unwrap();
    let sha256 = flash_region::Hex(&mcuboot.digest.unwrap()).to_string();
    for (copy, offset) in copies.iter().zip([0x1000, 0x6000]) {
        assert_eq!((&copy["offset"], &copy["sha256"]), (&offset.into(), &sha256.clone().into()));
        assert_eq!((&copy["error"], &copy["elsewhere"]), (&().into(), &false.into()));
    }
    let text = lab.ends_with(0, &["image", "info", "out.bin"]).stdout;
    assert!(
        text.contains("3 starts, 0 counted") && text.contains("otadata        0xd000"),
        "{text}"
    );

    let verified = lab.ends_with(0, &["image", "verify", "out.bin", "--chip", "esp32c3"]).stdout;
    assert_eq!(verified.matches(", whole").count(), 2, "{verified}");
    let mut damaged = lab.read("out.bin");
    damaged[0x1000 + 400] ^= 1;
    lab.write("damaged.bin", &damaged);
    let failed = lab.ends_with(1, &["image", "verify", "damaged.bin"]).stdout;
    assert_eq!((failed.matches(", whole").count(), failed.matches("FAILED").count()), (1, 1));
    let text = lab.ends_with(0, &["image", "info", "damaged.bin"]).stdout;
    assert!(text.contains("at 0x1000, damaged: "), "{text}");
}

#[test]
fn what_was_not_checked_is_said() {
    let lab = lab();
    let made = lab.ends_with(0, &CARRIER);
    assert_eq!(made.stderr.matches("warning: ").count(), 2, "{}", made.stderr);
    let args = [&CARRIER[..], &["--otadata", "0xd000", "--force"]].concat();
    let made = lab.ends_with(0, &args);
    assert_eq!(made.stderr.matches("warning: ").count(), 1, "{}", made.stderr);
}

#[test]
fn a_first_stage_is_described_with_its_second_copy_elsewhere() {
    let lab = lab();
    lab.ends_with(0, &[&STAGE[..], &["--second", "0x360000"]].concat());
    let json = lab.ends_with(0, &["image", "info", "out.bin", "--json"]).json();
    assert_eq!(
        (&json["kind"], &json["carrier"]["place"]),
        (&"esp-image".into(), &"first-stage".into())
    );
    let elsewhere = |n: usize| json["carrier"]["copies"][n]["elsewhere"].clone();
    assert_eq!((elsewhere(0), elsewhere(1)), (false.into(), true.into()));
    lab.ends_with(0, &["image", "verify", "out.bin"]);
}

/// Refused, with what is wrong and what to do, and nothing written.
#[test]
fn what_cannot_work_is_refused() {
    let lab = lab();
    let config = McubootConfig::example();
    let other = synthetic::mcuboot(Chip::Esp32c6, FlashSize::Mb4, 20_000, 7, &config).unwrap();
    lab.write("c6.bin", &other);
    let mut damaged = lab.read("mcuboot.bin");
    damaged[1000] ^= 1;
    lab.write("damaged.bin", &damaged);
    let over = ImageBuilder::new(CHIP).entry_addr(0x4038_0000).segment(0x4038_0000, &[0x13; 64]);
    lab.write("over.bin", &over.build().unwrap());
    let of = |file: &'static str, more: &[&'static str]| {
        let mut args = CARRIER.to_vec();
        args[2] = file;
        [&args[..], more].concat()
    };
    for (args, parts) in [
        (of("c6.bin", &[]), &["c6.bin: it is for esp32c6, not for esp32c3", "--chip"][..]),
        (
            of("damaged.bin", &[]),
            &["damaged.bin: not a complete bootloader: ", "as the build made it"],
        ),
        (of("over.bin", &[]), &["segment at offset 0x20 is loaded to 0x40380000", "elsewhere"]),
        (of("loader.bin", &[]), &["segment at offset 0x20 is loaded to"]),
        (
            of("mcuboot.bin", &["--flash", "qio.bin"]),
            &[
                "bytes 2 and 3 of the header are dio",
                "old bootloader has qio",
                "build MCUboot with",
            ],
        ),
        (of("mcuboot.bin", &["--starts", "3"]), &["a trial needs a way back", "--otadata"]),
        (of("mcuboot.bin", &["--otadata", "0xd000", "--starts", "25"]), &["1 to 24 starts"]),
        (of("mcuboot.bin", &["--watchdog", "9"]), &["--starts"]),
        (of("mcuboot.bin", &["--flash", "loader.bin"]), &["loader.bin: "]),
        (
            [&STAGE[..], &["--second", "0x4000"]].concat(),
            &["second copy cannot begin at 0x4000", "after the bootloader's region"],
        ),
    ] {
        let ended = lab.ends_with(2, &args);
        for part in parts {
            assert!(ended.stderr.contains(part), "{part}:\n{}", ended.stderr);
        }
        assert!(!lab.path().join("out.bin").exists(), "{args:?}");
    }
}

#[test]
fn the_loader_is_found_beside_the_firmware() {
    let lab = lab();
    let args = ["image", "carrier", "mcuboot.bin", "--chip", "esp32c3", "-o", "out.bin"];
    let run = || {
        let mut command = crate::bootswap(lab.path());
        command.args(args).env("BOOTSWAP_FIRMWARE", lab.path());
        command.output().unwrap()
    };
    let missing = run();
    let said = String::from_utf8_lossy(&missing.stderr);
    assert_eq!(missing.status.code(), Some(2), "{said}");
    assert!(said.contains("bootswap-esp32c3-loader.bin") && said.contains("--loader"), "{said}");
    lab.write("bootswap-esp32c3-loader.bin", &loader());
    assert!(run().status.success());
}

#[test]
fn the_demo_with_a_carrier_has_no_window_and_can_be_repeated() {
    let lab = WorkDir::new();
    let demo = ["demo", "--commit", "hosted", "--out", "out"];
    let text = lab.ends_with(0, &demo).stdout;
    assert!(text.contains("unchanged          partition table, the old bootloader"), "{text}");
    assert!(text.contains("commit window, at most (ms)              0"), "{text}");
    let picture = String::from_utf8(lab.read("out/flash.svg")).unwrap();
    assert!(picture.contains("at the commit"));
    let verify = lab.ends_with(0, &["image", "verify", "out/carrier.bin"]).stdout;
    assert!(verify.contains("at 0x8000, whole"), "{verify}");
    // On the dump of the device, with cuts, and a second one in each recovery.
    let simulate = ["simulate", "out/migration.toml", "--flash", "out/before.bin", "--json"];
    let sweep = ["--power-cuts", "40", "--torn", "--depth", "2", "--running", "factory"];
    let json = lab.ends_with(0, &[&simulate[..], &sweep].concat()).json();
    assert_eq!(json["outcome"], "target-running");
    for key in ["erase_ops", "pages"] {
        assert_eq!(json["commit_window"][key], 0, "{key}");
    }
    for key in ["failed", "in_commit_window", "lost_in_commit_window"] {
        assert_eq!(json["power_cuts"][key], 0, "{key}");
    }
    let json = lab.ends_with(0, &["plan", "out/migration.toml", "--json"]).json();
    assert_eq!(json["commit_window"]["typ_ms"], 0.0);
    let steps = json["steps"].as_array().unwrap();
    let host = steps.iter().find(|step| step["action"] == "host").unwrap();
    assert_eq!(host["way_back"]["code"], "migrator-or-new-bootloader");
    assert_eq!(host["to"][0]["offset"], 0xd000);
}

#[test]
fn a_demo_for_a_chip_without_a_loader_names_those_that_have_one() {
    let demo = ["demo", "--commit", "hosted", "--chip", "esp32"];
    let ended = WorkDir::new().ends_with(2, &demo);
    assert!(ended.stderr.contains("there is no loader for esp32 yet"), "{}", ended.stderr);
    assert!(ended.stderr.contains("esp32c3, esp32c6 or esp32h2"), "{}", ended.stderr);
}
