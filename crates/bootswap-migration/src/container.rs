//! The container of embedded artifacts after a migrator's image: finding it and making one.

use bootswap_engine::{CONTAINER_ALIGN_BYTES, ContainerEntry, ContainerError, ContainerHeader};
use bootswap_migrator::ContainerPlace;
use flash_region::{FlashAddr, Region};
use sha2::{Digest, Sha256};

use crate::owned::{OwnedArtifact, OwnedMigration};

/// Alignment of a container and of everything in it.
pub(crate) const ALIGN: usize = CONTAINER_ALIGN_BYTES as usize;

/// Bytes of a container with artifacts of these lengths; 0 if there are none.
#[must_use]
pub fn len_bytes(lens: impl IntoIterator<Item = usize>) -> usize {
    let (mut count, mut data) = (0, 0);
    for len in lens {
        count += 1;
        data += len.next_multiple_of(ALIGN);
    }
    match count {
        0 => 0,
        count => ContainerHeader::directory_len(count).next_multiple_of(ALIGN) + data,
    }
}

/// Where a container can be after the image that a file or partition begins with.
fn place(bytes: &[u8], image_len_bytes: u32) -> Option<ContainerPlace> {
    ContainerPlace::behind(Region::clamped(FlashAddr::ZERO, len_u32(bytes.len())), image_len_bytes)
}

/// An image, and the container after it in its file or partition, if there is one.
#[must_use]
pub fn split(bytes: &[u8], image_len_bytes: u32) -> (&[u8], &[u8]) {
    let place = place(bytes, image_len_bytes);
    let start = place.map_or(bytes.len(), |place| place.directory().start().get() as usize);
    bytes.split_at_checked(start).unwrap_or((bytes, &[]))
}

/// Bytes of an image with the container after it, if there is a complete one.
#[must_use]
pub fn len_with_container(bytes: &[u8], image_len_bytes: u32) -> u32 {
    let (_, behind) = split(bytes, image_len_bytes);
    let container = place(bytes, image_len_bytes).and_then(|place| place.container(behind));
    container.map_or(image_len_bytes, |container| container.end().get())
}

/// The artifacts of a migration that are embedded in the migrator, each a name and its bytes.
///
/// # Errors
///
/// The name of one whose bytes are not known.
pub fn embedded(migration: &OwnedMigration) -> Result<Vec<(&str, &[u8])>, String> {
    let embedded = migration.artifacts.iter().filter(|artifact| artifact.url.is_none());
    let known = embedded.map(|OwnedArtifact { name, bytes, .. }| match bytes {
        Some(bytes) => Ok((name.as_str(), bytes.as_slice())),
        None => Err(name.clone()),
    });
    known.collect()
}

/// Appends a container with these artifacts, each a name and its bytes, to a migrator's image.
///
/// # Errors
///
/// A [`ContainerError`] for a name that is too long, or for too many artifacts. The image is
/// unchanged then.
pub fn append(image: &mut Vec<u8>, artifacts: &[(&str, &[u8])]) -> Result<(), ContainerError> {
    let mut header = ContainerHeader::default();
    let mut data = Vec::new();
    let whole = len_bytes(artifacts.iter().map(|(_, bytes)| bytes.len()));
    let start = ContainerHeader::directory_len(artifacts.len()).next_multiple_of(ALIGN);
    for (name, bytes) in artifacts {
        let offset = len_u32(start + data.len());
        let entry =
            ContainerEntry::new(name, offset, len_u32(bytes.len()), Sha256::digest(bytes).into())?;
        let full = |_| ContainerError::TooMany { found: artifacts.len() };
        header.entries.push(entry).map_err(full)?;
        data.extend_from_slice(bytes);
        data.resize(data.len().next_multiple_of(ALIGN), flash_region::ERASED);
    }
    header.len_bytes = len_u32(whole);
    let mut directory = vec![flash_region::ERASED; start];
    header.emit(&mut directory)?;
    image.resize(image.len().next_multiple_of(ALIGN), flash_region::ERASED);
    image.extend(directory);
    image.extend(data);
    Ok(())
}

/// A length in 32 bits; no flash holds more.
fn len_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
