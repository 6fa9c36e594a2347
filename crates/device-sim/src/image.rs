//! Checking an ESP image in flash.

use esp_idf_format::image::{ImageError, ImageInfo, ImageVerifier};
use flash_region::{Region, SECTOR_BYTES};
use nor_sim::{NorDevice, NorError};

/// The result of reading and checking an image, and all bytes that were read.
pub(crate) struct Checked {
    pub(crate) result: Result<ImageInfo, ImageError>,
    pub(crate) bytes: Vec<u8>,
}

/// Reads and checks the image at the start of `region`. The image must fit into the region.
pub(crate) fn check(flash: &mut dyn NorDevice, region: Region) -> Result<Checked, NorError> {
    let mut verifier = ImageVerifier::with_max_len(region.len_bytes());
    let mut bytes = Vec::new();
    for piece in region.chunks(SECTOR_BYTES) {
        let read = bytes.len();
        bytes.resize(read + piece.len_bytes() as usize, 0);
        let Some(fresh) = bytes.get_mut(read..) else { break };
        flash.read(piece.start(), fresh)?;
        if let Err(error) = verifier.push(fresh) {
            return Ok(Checked { result: Err(error), bytes });
        }
        if verifier.is_complete() {
            break;
        }
    }
    Ok(Checked { result: verifier.finish(), bytes })
}
