//! Describing ESP images: bootloaders and apps.

use bootswap_engine::ContainerHeader;
use esp_idf_format::image::{self, EspImageHeader, ImageInfo};
use flash_region::Hex;
use serde::Serialize;

use super::bootloader::BootloaderInfo;
use super::carrier::CarrierInfo;
use super::lines::{HexNumber, Lines};
use super::migrator::MigratorInfo;
use crate::container;
use esp_idf_format::ImageChip;

/// An ESP image.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct EspInfo {
    /// `null` if the image is complete, else what is wrong with it.
    pub error: Option<String>,
    /// The chip that it is for.
    pub chip: Option<String>,
    /// Number of the chip in the header.
    pub chip_id: Option<u16>,
    /// Address at which execution begins.
    pub entry_addr: Option<u32>,
    /// Flash mode: the number of lines that the flash is read over.
    pub flash_mode: Option<&'static str>,
    /// Clock of the flash in MHz.
    pub flash_freq_mhz: Option<u8>,
    /// Bytes of flash that it is built for.
    pub flash_size: Option<u32>,
    /// Its segments, as far as they are in the file.
    pub segments: Vec<SegmentInfo>,
    /// Its length in bytes, with checksum and SHA-256.
    pub image_size: Option<u32>,
    /// The SHA-256 after it.
    pub sha256: Option<String>,
    /// Name of the app's project.
    pub project_name: Option<String>,
    /// Version of the app.
    pub version: Option<String>,
    /// Version of the app for anti-rollback.
    pub secure_version: Option<u32>,
    /// Version of ESP-IDF that the app or bootloader was built with.
    pub idf_version: Option<String>,
    /// Date and time of the build.
    pub built: Option<String>,
    /// Artifacts embedded after the image, as in a migrator.
    pub embedded: Vec<ContainerInfo>,
    /// The configuration of a migrator; `null` in other images.
    pub configuration: Option<MigratorInfo>,
    /// What a bootloader's file shows about it; `null` in other images.
    pub bootloader: Option<BootloaderInfo>,
    /// The loader in a carrier or first stage; `null` in other images.
    pub carrier: Option<CarrierInfo>,
}

/// A segment of an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct SegmentInfo {
    /// Address in memory that it is loaded to.
    pub load_addr: u32,
    /// Offset of its data in the image.
    pub offset: u32,
    /// Bytes of data.
    pub size: u32,
}

/// An embedded artifact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ContainerInfo {
    /// Its name.
    pub name: String,
    /// Where it is, from the image's start.
    pub offset: u32,
    /// Its bytes.
    pub size: u32,
    /// Its SHA-256.
    pub sha256: String,
}

impl EspInfo {
    /// Describes a file that begins like an ESP image.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        let header = EspImageHeader::parse(file).ok();
        let verified = image::verify(file);
        let info = verified.as_ref().ok();
        let app = info.and_then(|info| info.app_desc);
        let bootloader = info.and_then(|info| info.bootloader_desc).filter(|_| app.is_none());
        let built = app.map(|app| format!("{} {}", app.date, app.time));
        let built = built.or_else(|| bootloader.map(|bootloader| bootloader.date_time.to_string()));
        let idf_version =
            app.map(|app| app.idf_ver).or(bootloader.map(|bootloader| bootloader.idf_ver));
        Self {
            error: verified.as_ref().err().map(ToString::to_string),
            chip: header.map(|header| ImageChip(header.chip_id).to_string()),
            chip_id: header.map(|header| header.chip_id),
            entry_addr: header.map(|header| header.entry_addr),
            flash_mode: header.and_then(|header| header.flash_mode()).map(|mode| mode.name()),
            flash_freq_mhz: header.and_then(|header| header.flash_freq()).map(|freq| freq.mhz()),
            flash_size: header.and_then(|header| header.flash_size()).map(|size| size.bytes()),
            segments: segments(file),
            image_size: info.map(|info| info.total_len_bytes),
            sha256: info.and_then(|info| info.digest).map(|digest| Hex(&digest).to_string()),
            project_name: app.map(|app| app.project_name.to_string()),
            version: app.map(|app| app.version.to_string()),
            secure_version: app.map(|app| app.secure_version),
            idf_version: idf_version
                .map(|version| version.to_string())
                .filter(|version| is_said(version)),
            built: built.filter(|built| is_said(built)),
            embedded: info.map(|info| embedded(file, info)).unwrap_or_default(),
            // An embedded artifact may itself be a migrator.
            configuration: MigratorInfo::of(
                info.map_or(file, |info| container::split(file, info.total_len_bytes).0),
            ),
            bootloader: BootloaderInfo::of(file),
            carrier: info.and_then(|info| CarrierInfo::of(file, info.total_len_bytes)),
        }
    }

    pub(super) fn write(&self, lines: &mut Lines) {
        lines.field("state", self.error.as_deref().map_or("whole", |_| "damaged"));
        lines.some("error", &self.error);
        lines.some("chip", &self.chip);
        lines.some("project", &self.project_name);
        lines.some("version", &self.version);
        lines.some("secure version", &self.secure_version.filter(|version| *version > 0));
        lines.some("ESP-IDF", &self.idf_version);
        lines.some("built", &self.built);
        lines.some("size", &self.image_size.map(|len| format!("{len:#x} bytes")));
        lines.some("starts at", &self.entry_addr.map(HexNumber));
        let flash = [
            self.flash_size.map(|len| format!("{} MB", len >> 20)),
            self.flash_mode.map(str::to_owned),
            self.flash_freq_mhz.map(|mhz| format!("{mhz} MHz")),
        ];
        lines.field("flash", flash.into_iter().flatten().collect::<Vec<_>>().join(", "));
        for SegmentInfo { load_addr, offset, size } in &self.segments {
            lines.field(
                "segment",
                format_args!("{size:#x} bytes at offset {offset:#x}, loaded to {load_addr:#x}"),
            );
        }
        lines.some("SHA-256", &self.sha256);
        for ContainerInfo { name, offset, size, sha256 } in &self.embedded {
            lines.field(
                "embedded",
                format_args!("{name}, {size:#x} bytes at {offset:#x}, SHA-256 {sha256}"),
            );
        }
        if let Some(configuration) = &self.configuration {
            configuration.write(lines);
        }
        if let Some(bootloader) = &self.bootloader {
            bootloader.write(lines);
        }
        if let Some(carrier) = &self.carrier {
            carrier.write(lines);
        }
    }
}

/// Whether a text of an image says anything: what was not built with ESP-IDF has zeros or dashes
/// where that would have its version and the time of the build.
fn is_said(text: &str) -> bool {
    text != "0.0.0" && text.contains(|letter: char| letter.is_ascii_alphanumeric())
}

fn segments(file: &[u8]) -> Vec<SegmentInfo> {
    let segments = image::segments(file).into_iter().flatten().flatten();
    let described = segments.map(|segment| SegmentInfo {
        load_addr: segment.header.load_addr,
        offset: segment.data_offset_bytes,
        size: segment.header.len_bytes,
    });
    described.collect()
}

/// The artifacts in the container after an image, if there is one.
fn embedded(file: &[u8], info: &ImageInfo) -> Vec<ContainerInfo> {
    let (image, behind) = container::split(file, info.total_len_bytes);
    let start = u32::try_from(image.len()).unwrap_or(u32::MAX);
    let Ok(header) = ContainerHeader::parse(behind) else { return Vec::new() };
    let described = header.entries.iter().map(|entry| ContainerInfo {
        name: String::from_utf8_lossy(entry.name()).escape_debug().to_string(),
        offset: start.saturating_add(entry.offset),
        size: entry.len_bytes,
        sha256: Hex(&entry.sha256).to_string(),
    });
    described.collect()
}
