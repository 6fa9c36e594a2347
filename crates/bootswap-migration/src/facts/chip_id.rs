//! A chip by the number in image headers.

use std::fmt;

use esp_idf_format::Chip;

/// A chip by the number in image headers; shown as its name.
#[derive(Clone, Copy, Debug)]
pub struct ChipId(pub u16);

impl fmt::Display for ChipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Chip::from_image_chip_id(self.0) {
            Some(chip) => chip.fmt(f),
            None => write!(f, "an unknown chip (id {})", self.0),
        }
    }
}
