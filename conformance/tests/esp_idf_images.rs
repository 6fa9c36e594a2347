//! App and bootloader images, compared with esptool and espflash, and the bootloaders of ESP-IDF.

// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic)]

mod esp_idf_support;

use esp_idf_bootloaders::bootloader;
use esp_idf_format::app_desc::{APP_DESC_OFFSET_BYTES, AppDescription};
use esp_idf_format::image::{
    self, FlashFreq, FlashMode, FlashSize, ImageBuilder, ImageInfo, SEGMENT_HEADER_LEN_BYTES,
};
use esp_idf_format::{Chip, FixedText};
use esp_idf_support::{Mending, Section, elf, elf2image, image_info, merge_bin};
use espflash::flasher::{FlashData, FlashSettings};
use espflash::image_format::idf::IdfBootloaderFormat;
use flash_region::Hex;
use sha2::{Digest, Sha256};

/// Compares what esptool prints for an image with what is read here.
fn assert_agrees(chip: Chip, bytes: &[u8], esptool: &esp_idf_support::ImageInfo) -> ImageInfo {
    let info = image::verify(bytes).unwrap();
    let header = info.header;
    assert_eq!(header.chip(), Some(chip));
    assert_eq!(info.total_len_bytes as usize, bytes.len(), "{chip}");
    for (name, here) in [
        ("Entry point", format!("{:#x}", header.entry_addr)),
        ("Segments", header.segment_count.to_string()),
        ("Flash size", header.flash_size().unwrap().to_string()),
        ("Flash freq", esptool_freq(header.flash_freq().unwrap())),
        ("Flash mode", header.flash_mode().unwrap().name().replace('-', "_").to_uppercase()),
        ("Chip ID", format!("{} ({})", header.chip_id, marketing_name(chip))),
        ("Minimal chip revision", {
            let (full, legacy) = (header.min_chip_rev_full, header.min_chip_rev);
            format!("v{}.{}, (legacy min_rev = {legacy})", full / 100, full % 100)
        }),
        ("Maximal chip revision", {
            let full = header.max_chip_rev_full;
            format!("v{}.{}", full / 100, full % 100)
        }),
        ("Checksum", format!("{:#04x} (valid)", info.checksum)),
        ("Validation hash", format!("{} (valid)", hex(&info.digest.unwrap()))),
    ] {
        assert_eq!(esptool.field(name), here, "{chip}: {name}");
    }
    let segments: Vec<[u32; 3]> = image::segments(bytes)
        .unwrap()
        .map(|segment| {
            let segment = segment.unwrap();
            let offset_bytes = segment.data_offset_bytes - SEGMENT_HEADER_LEN_BYTES;
            [offset_bytes, segment.header.load_addr, segment.header.len_bytes]
        })
        .collect();
    assert_eq!(esptool.segments, segments, "{chip}");
    info
}

fn esptool_freq(freq: FlashFreq) -> String {
    format!("{}m", freq.mhz())
}

fn marketing_name(chip: Chip) -> String {
    let (family, model) = chip.name().split_at("esp32".len());
    let hyphen = if model.is_empty() { "" } else { "-" };
    format!("{family}{hyphen}{model}").to_uppercase()
}

fn hex(bytes: &[u8]) -> String {
    Hex(bytes).to_string()
}

#[test]
fn bootloaders_of_esp_idf_are_read_as_esptool_reads_them() {
    let bootloaders = Chip::ALL.map(|chip| bootloader(chip, FlashSize::Mb4.bytes()).unwrap());
    for ((chip, bytes), esptool) in
        Chip::ALL.into_iter().zip(&bootloaders).zip(image_info(&bootloaders))
    {
        let info = assert_agrees(chip, bytes, &esptool);
        let description = info.bootloader_desc.unwrap();
        assert!(description.idf_ver.as_str().unwrap().starts_with("v6."), "{chip}");
        // esptool looks for the description only where its table calls the memory DRAM first.
        if chip == Chip::Esp32 {
            assert_eq!(esptool.field("Bootloader version"), description.version.to_string());
            assert_eq!(esptool.field("ESP-IDF"), description.idf_ver.as_str().unwrap());
        }
        assert_eq!(info.app_desc, None, "{chip}");
    }
}

#[test]
fn images_built_here_are_accepted_by_esptool() {
    let modes = [FlashMode::Qio, FlashMode::Qout, FlashMode::Dio, FlashMode::Dout];
    let mut images = Vec::new();
    for chip in Chip::ALL {
        let freqs = FlashFreq::ALL.into_iter().filter(|freq| freq.raw(chip).is_some());
        for (freq, size) in freqs.zip(FlashSize::ALL.into_iter().cycle().skip(images.len())) {
            let [drom, irom, iram] = memory(chip);
            let image = ImageBuilder::new(chip)
                .entry_addr(iram)
                .flash_mode(modes[images.len() % modes.len()])
                .flash_freq(freq)
                .flash_size(size)
                .app_segment(drom, &description(), &[0xa5; 1000])
                .segment(irom, &[0x5a; 4321])
                .segment(iram, &vec![0x42; 16 * images.len()])
                .build()
                .unwrap();
            images.push((chip, image));
        }
    }
    let bytes: Vec<&[u8]> = images.iter().map(|(_, image)| image.as_slice()).collect();
    for ((chip, image), esptool) in images.iter().zip(image_info(&bytes)) {
        let info = assert_agrees(*chip, image, &esptool);
        assert_eq!(info.app_desc, Some(description()));
        assert_eq!(esptool.field("Project name"), "bootswap");
        assert_eq!(esptool.field("App version"), "1.2.3");
    }
}

#[test]
fn broken_images_are_refused_here_and_by_esptool() {
    let good = bootloader(Chip::Esp32c3, FlashSize::Mb4.bytes()).unwrap();
    let info = image::verify(&good).unwrap();
    let checksum_at = info.image_len_bytes as usize - 1;
    // A wrong byte in a segment makes checksum and digest wrong; one in the header only the digest.
    // The checksum's own byte makes both wrong.
    let places = [(100, true), (4, false), (checksum_at, true), (good.len() - 1, false)];
    let broken = places.map(|(at, _)| {
        let mut image = good.clone();
        image[at] ^= 0x10;
        image
    });
    for (((at, checksum), image), esptool) in places.iter().zip(&broken).zip(image_info(&broken)) {
        let error = image::verify(image).unwrap_err();
        let found_here = matches!(error, image::ImageError::Checksum { .. });
        assert_eq!(found_here, *checksum, "{at}: {error}");
        assert_eq!(esptool.field("Checksum").contains("invalid"), *checksum, "{at}");
        assert!(esptool.field("Validation hash").contains("invalid"), "{at}");
    }
}

#[test]
fn flash_settings_are_changed_as_esptool_changes_them() {
    let bootloaders = Chip::ALL.map(|chip| bootloader(chip, FlashSize::Mb4.bytes()).unwrap());
    let mut jobs = Vec::new();
    for (chip, image) in Chip::ALL.into_iter().zip(&bootloaders) {
        for freq in FlashFreq::ALL.into_iter().filter(|freq| freq.raw(chip).is_some()) {
            jobs.push((chip, image, FlashMode::Dio, freq, FlashSize::Mb4));
        }
        let slow = FlashFreq::from_raw(0x2, chip).unwrap();
        for mode in [FlashMode::Qio, FlashMode::Qout, FlashMode::Dout] {
            jobs.push((chip, image, mode, slow, FlashSize::Mb16));
        }
        for size in FlashSize::ALL {
            jobs.push((chip, image, FlashMode::Dio, slow, size));
        }
    }
    let freqs: Vec<String> = jobs.iter().map(|job| esptool_freq(job.3)).collect();
    let mendings: Vec<Mending<'_>> = jobs
        .iter()
        .zip(&freqs)
        .map(|((chip, image, mode, _, size), freq)| {
            let (chip, mode, size) = (*chip, mode.name(), size.name());
            Mending { chip, image, mode, freq, size }
        })
        .collect();
    for ((chip, image, mode, freq, size), esptool) in jobs.iter().zip(merge_bin(&mendings)) {
        let mut changed = image.to_vec();
        let mut header = image::verify(&changed).unwrap().header;
        header.spi_mode = mode.raw();
        header.spi_speed = freq.raw(*chip).unwrap();
        header.spi_size = size.raw();
        changed[..24].copy_from_slice(&header.to_bytes());
        image::update_checksums(&mut changed).unwrap();
        assert!(changed == esptool, "{chip} {mode} {freq} {size}: other bytes than esptool's");
    }
}

/// An address in the mapped data, in the mapped code and in the memory of a chip (its technical
/// reference manual, "System and Memory"), the first two at the same offset in a page as in an
/// image.
fn memory(chip: Chip) -> [u32; 3] {
    match chip {
        Chip::Esp32 => [0x3f40_0020, 0x400d_0020, 0x4008_0000],
        Chip::Esp32s2 => [0x3f00_0020, 0x4008_0020, 0x4002_8000],
        Chip::Esp32s3 => [0x3c00_0020, 0x4201_0020, 0x4037_4000],
        Chip::Esp32c3 => [0x3c00_0020, 0x4201_0020, 0x4038_0000],
        Chip::Esp32c6 | Chip::Esp32h2 => [0x4200_0020, 0x4201_0020, 0x4080_0000],
    }
}

fn description() -> AppDescription {
    AppDescription::new(FixedText::new("bootswap").unwrap(), FixedText::new("1.2.3").unwrap())
}

/// An app with a description, mapped code and code in memory.
fn app_elf(chip: Chip) -> Vec<u8> {
    let [drom, irom, iram] = memory(chip);
    let described = description().to_bytes();
    let (text, iram_text) = ([0x5a; 70_000], [0x13; 3000]);
    let sections = [
        Section { name: ".flash.appdesc", addr: drom, data: &described },
        Section { name: ".flash.text", addr: irom, data: &text },
        Section { name: ".iram0.text", addr: iram, data: &iram_text },
    ];
    elf(chip, iram, &sections)
}

/// Checks an app that another tool made of [`app_elf`].
fn assert_is_app(chip: Chip, tool: &str, bytes: &[u8], has_digest: bool) {
    let info = image::verify(bytes).unwrap_or_else(|error| panic!("{tool}, {chip}: {error}"));
    assert_eq!(info.header.chip(), Some(chip), "{tool}");
    assert_eq!(info.total_len_bytes as usize, bytes.len(), "{tool}, {chip}");
    assert_eq!(info.digest.is_some(), has_digest, "{tool}, {chip}");
    assert_eq!(info.bootloader_desc, None, "{tool}, {chip}");
    // Both tools put the digest of the ELF file into the description.
    let app_elf_sha256 = Sha256::digest(app_elf(chip)).into();
    let expected = AppDescription { app_elf_sha256, ..description() };
    assert_eq!(info.app_desc, Some(expected), "{tool}, {chip}");

    // Mapped data is at the same place in a page of flash as in a page of memory.
    let mapped = memory(chip)[..2].to_vec();
    let found: Vec<_> = image::segments(bytes).unwrap().map(Result::unwrap).collect();
    for addr in mapped {
        let segment = found.iter().find(|segment| segment.header.load_addr == addr).unwrap();
        assert_eq!(segment.data_offset_bytes % 0x1_0000, addr % 0x1_0000, "{tool}, {chip}");
    }
    assert_eq!(found[0].data_offset_bytes, APP_DESC_OFFSET_BYTES, "{tool}, {chip}");
}

#[test]
fn apps_made_by_esptool_verify() {
    let elves = Chip::ALL.map(|chip| (chip, app_elf(chip)));
    for (chip, [with_digest, without]) in Chip::ALL.into_iter().zip(elf2image(&elves)) {
        assert_is_app(chip, "esptool", &with_digest, true);
        assert_is_app(chip, "esptool", &without, false);
    }
}

#[test]
fn apps_made_by_espflash_verify() {
    use espflash::target::Chip as Target;
    for (chip, target) in Chip::ALL.into_iter().zip([
        Target::Esp32,
        Target::Esp32s2,
        Target::Esp32s3,
        Target::Esp32c3,
        Target::Esp32c6,
        Target::Esp32h2,
    ]) {
        let settings = FlashSettings::default();
        let xtal_freq = target.default_xtal_frequency();
        let flash = FlashData::new(settings, 0, None, target, xtal_freq);
        let elf = app_elf(chip);
        let format = IdfBootloaderFormat::new(&elf, &flash, None, None, None, None).unwrap();
        let app = format.ota_segments().next().unwrap();
        assert_is_app(chip, "espflash", app.data(), true);
    }
}
