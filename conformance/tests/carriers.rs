//! Carriers and first stages, checked by esptool.

// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic, dead_code)]

mod esp_idf_support;

use bootswap_migration::carrier::{
    CarrierOptions, LoaderImage, TargetBootloader, carrier, first_stage,
};
use carrier_format::{LoaderMemory, LoaderRecord};
use device_sim::{McubootConfig, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::{self, FlashSize, ImageBuilder};
use esp_idf_support::image_info;
use flash_region::{FlashAddr, Hex};

const CHIPS: [Chip; 3] = [Chip::Esp32c3, Chip::Esp32c6, Chip::Esp32h2];

fn parts(chip: Chip) -> (LoaderImage, TargetBootloader) {
    let load_addr = LoaderMemory::of(chip).unwrap().load_addr;
    let record = LoaderRecord::blank(chip.image_chip_id()).to_bytes();
    let code = [vec![0x13; 1900], record.to_vec()].concat();
    let builder = ImageBuilder::new(chip).entry_addr(load_addr).segment(load_addr, &code);
    let loader = LoaderImage::new(&builder.build().unwrap(), chip).unwrap();
    let config = McubootConfig::example();
    let mcuboot = synthetic::mcuboot(chip, FlashSize::Mb4, 20_000, 7, &config).unwrap();
    (loader, TargetBootloader::new(mcuboot, chip).unwrap())
}

#[test]
fn esptool_finds_carriers_and_first_stages_valid() {
    let files: Vec<Vec<u8>> = CHIPS
        .into_iter()
        .flat_map(|chip| {
            let (loader, bootloader) = parts(chip);
            let stage = first_stage(&loader, &bootloader, FlashAddr(0x36_0000)).unwrap();
            [carrier(&loader, &bootloader, CarrierOptions::default()).unwrap(), stage]
        })
        .collect();
    for (index, (file, esptool)) in files.iter().zip(image_info(&files)).enumerate() {
        let info = image::verify(file).unwrap();
        let digest = info.digest.unwrap();
        assert_eq!(esptool.field("Checksum"), format!("{:#04x} (valid)", info.checksum));
        assert_eq!(esptool.field("Validation hash"), format!("{} (valid)", Hex(&digest)));
        let is_carrier = index % 2 == 0;
        assert_eq!(esptool.segments.len(), if is_carrier { 3 } else { 1 });
        // esptool looks for the description only in memory that its table calls DROM.
        if is_carrier && CHIPS[index / 2] == Chip::Esp32c3 {
            assert_eq!(esptool.field("Project name"), "bootswap-carrier");
        }
    }
}
