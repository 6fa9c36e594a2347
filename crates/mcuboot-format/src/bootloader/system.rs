//! Whose bootloader it is.
//!
//! ```text
//!                                MCUboot       ESP-IDF's
//! trailer magic in data          always        never
//! image magic formed in code     always        never
//! descriptor in first segment    never         since ESP-IDF 5.2
//! texts of its log               -             always, unless the log is off
//! ```

use core::fmt;

use esp_idf_format::FixedText;
use esp_idf_format::bootloader_desc::BootloaderDescription;

use super::code::Code;
use super::memory::Memory;
use super::{Found, Location};
use crate::IMAGE_MAGIC;
use crate::bytes::u16_at;
use crate::espressif::LOAD_HEADER_MAGIC;
use crate::trailer::magic_bytes;

/// Which bootloader it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum System {
    /// MCUboot.
    Mcuboot,
    /// ESP-IDF's second-stage bootloader.
    EspIdf,
}

impl System {
    /// Its usual name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mcuboot => "MCUboot",
            Self::EspIdf => "ESP-IDF",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What ESP-IDF's bootloader says (components/bootloader_support/src/bootloader_utility.c and
/// bootloader_common.c in espressif/esp-idf).
const ESP_IDF_TEXTS: [&str; 4] =
    ["No bootable app", "Loaded app from partition", "ota data partition", "boot: "];

/// The magic of MCUboot's trailers in data, with the `BOOT_MAX_ALIGN` that it stands for.
pub(super) struct TrailerMagic {
    pub addr: u32,
    pub max_align: u32,
}

impl TrailerMagic {
    pub(super) fn find(memory: &Memory<'_>) -> Option<Self> {
        if let Some(addr) = memory.find(&magic_bytes(8)) {
            return Some(Self { addr, max_align: 8 });
        }
        let [_, _, tail @ ..] = magic_bytes(16);
        memory.find_all(&tail).find_map(|addr| {
            let addr = addr.checked_sub(2)?;
            let max_align = u32::from(u16_at(memory.get(addr, 2)?, 0)?);
            matches!(max_align, 16 | 32).then_some(Self { addr, max_align })
        })
    }
}

/// The descriptor that ESP-IDF's bootloader begins with, and where it is.
pub(super) fn description(memory: &Memory<'_>) -> Option<Found<FixedText<32>>> {
    let (addr, data) = memory.segments().next()?;
    let description = BootloaderDescription::parse(data).ok()?;
    let evidence = "descriptor in the first segment";
    let place = memory.place(addr);
    description.is_plausible().then(|| Found::sure(description.idf_ver, place, evidence))
}

/// Which bootloader it is, and the evidence.
pub(super) fn system(
    memory: &Memory<'_>,
    code: &Code,
    trailer: Option<&TrailerMagic>,
) -> Option<Found<System>> {
    let image_magic = code.forms(IMAGE_MAGIC).or_else(|| memory.words(IMAGE_MAGIC).next());
    match (trailer, image_magic) {
        (Some(trailer), Some(_)) => {
            let load_header = code.forms(LOAD_HEADER_MAGIC).is_some()
                || memory.words(LOAD_HEADER_MAGIC).next().is_some();
            let evidence = if load_header {
                "magics of trailers, of images and of Espressif's load header"
            } else {
                "magics of trailers and images, none of Espressif's load header"
            };
            Some(Found::sure(System::Mcuboot, memory.place(trailer.addr), evidence))
        }
        (None, None) => {
            if let Some(description) = description(memory) {
                return Some(description.with(System::EspIdf));
            }
            let place: Location = ESP_IDF_TEXTS.into_iter().find_map(|text| memory.text(text))?;
            let evidence = "a text of its log, no magic of MCUboot's";
            Some(Found::likely(System::EspIdf, place, evidence))
        }
        _ => None,
    }
}
