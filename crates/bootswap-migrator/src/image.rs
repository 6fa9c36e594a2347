//! The running image: its length, and what is after it.

use embedded_storage_async::nor_flash::ReadNorFlash;
use esp_idf_format::app_desc::{APP_DESC_LEN_BYTES, APP_DESC_OFFSET_BYTES, AppDescription};
use esp_idf_format::image::{
    self, EspImageHeader, HEADER_LEN_BYTES, SEGMENT_HEADER_LEN_BYTES, SegmentHeader,
};
use flash_region::{Region, SECTOR_BYTES};

use crate::ContainerPlace;

/// Drivers of these chips read multiples of this many bytes.
const WORD: usize = 4;

/// Bytes of the image at the start of `partition`, with checksum and digest; `None` if there is
/// none. Only headers are read: the bootloader verified the rest when it started the image.
pub(crate) async fn len_bytes<F: ReadNorFlash>(
    flash: &mut F,
    partition: Region,
) -> Result<Option<u32>, F::Error> {
    let mut header = [0; HEADER_LEN_BYTES as usize];
    flash.read(partition.start().get(), &mut header).await?;
    let Ok(header) = EspImageHeader::parse(&header) else { return Ok(None) };
    let mut end_bytes = HEADER_LEN_BYTES;
    for index in 0..header.segment_count {
        let mut segment = [0; SEGMENT_HEADER_LEN_BYTES as usize];
        let Some(at) = partition.start().checked_add(end_bytes) else { return Ok(None) };
        if !partition.contains(at) {
            return Ok(None);
        }
        flash.read(at.get(), &mut segment).await?;
        let Ok(segment) = SegmentHeader::parse(&segment, end_bytes, index) else {
            return Ok(None);
        };
        end_bytes =
            end_bytes.saturating_add(SEGMENT_HEADER_LEN_BYTES).saturating_add(segment.len_bytes);
    }
    let total = image::closed_len_bytes(end_bytes, &header);
    Ok((total <= partition.len_bytes()).then_some(total))
}

/// Version for anti-rollback of the app in `partition`; `None` if it has no description.
pub(crate) async fn secure_version<F: ReadNorFlash>(
    flash: &mut F,
    partition: Region,
) -> Result<Option<u32>, F::Error> {
    let mut description = [0; APP_DESC_LEN_BYTES];
    let at = partition.start().saturating_add(APP_DESC_OFFSET_BYTES);
    flash.read(at.get(), &mut description).await?;
    Ok(AppDescription::parse(&description).ok().map(|description| description.secure_version))
}

/// The container of embedded artifacts after an image of this length, if there is one.
pub(crate) async fn container<F: ReadNorFlash>(
    flash: &mut F,
    partition: Region,
    image_len_bytes: u32,
    buffer: &mut [u8; SECTOR_BYTES as usize],
) -> Result<Option<Region>, F::Error> {
    let Some(place) = ContainerPlace::behind(partition, image_len_bytes) else { return Ok(None) };
    let directory = place.directory();
    // Drivers read whole words; an odd end of the partition is too short for a container anyway.
    let len = directory.len_bytes() as usize;
    let Some(bytes) = buffer.get_mut(..len - len % WORD) else { return Ok(None) };
    flash.read(directory.start().get(), bytes).await?;
    Ok(place.container(bytes))
}
