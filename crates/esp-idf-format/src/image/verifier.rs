//! Checks an image while it streams past.

use sha2::{Digest, Sha256};

use super::rom::RomLoad;
use super::{
    CHECKSUM_SEED, DIGEST_LEN_BYTES, EspImageHeader, HEADER_LEN_BYTES, ImageError,
    SEGMENT_HEADER_LEN_BYTES, SegmentHeader, add_to_checksum, checksum_len_bytes,
};
use crate::Chip;
use crate::app_desc::{APP_DESC_LEN_BYTES, AppDescription};
use crate::bootloader_desc::BootloaderDescription;

/// What is known about an image that has been verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImageInfo {
    /// The header.
    pub header: EspImageHeader,
    /// Bytes up to and with the checksum, a multiple of 16.
    pub image_len_bytes: u32,
    /// Bytes up to and with the SHA-256, if there is one.
    pub total_len_bytes: u32,
    /// The checksum.
    pub checksum: u8,
    /// The SHA-256 after the image; `None` if the header says that there is none.
    pub digest: Option<[u8; 32]>,
    /// What the app says about itself, if the first segment begins with it.
    pub app_desc: Option<AppDescription>,
    /// What the bootloader says about itself, if the first segment begins with it.
    pub bootloader_desc: Option<BootloaderDescription>,
}

/// Verifies an image that arrives in pieces of any length, without storing it.
///
/// ```text
///   Header -> SegmentHeader -> SegmentData --.-> Checksum -> Digest -> Complete
///                    ^                       |       |                    ^
///                    `---- further segment --'       `--- no SHA-256 -----'
/// ```
///
/// ```
/// # use esp_idf_format::image::{ImageError, ImageInfo, ImageVerifier};
/// # fn example(pieces: impl Iterator<Item = [u8; 512]>) -> Result<ImageInfo, ImageError> {
/// let mut verifier = ImageVerifier::new();
/// for piece in pieces {
///     verifier.push(&piece)?;
/// }
/// verifier.finish()
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ImageVerifier {
    max_bytes: u32,
    state: Result<State, ImageError>,
    /// Bytes of the image taken so far.
    offset_bytes: u32,
    /// Bytes of the part that the state names.
    part_len_bytes: u32,
    /// Those of them that are still missing.
    missing_bytes: u32,
    /// The part that the state names, if it has to be complete before it can be read.
    part: [u8; 32],
    header: Option<EspImageHeader>,
    checksum: u8,
    sha256: Sha256,
    image_len_bytes: u32,
    digest: Option<[u8; 32]>,
    /// The first bytes of the first segment.
    description: [u8; APP_DESC_LEN_BYTES],
    /// How many of them there are.
    description_len_bytes: usize,
    /// What the ROM that is to load the image does with it.
    rom: Option<RomLoad>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Header,
    SegmentHeader { index: u8 },
    SegmentData { index: u8 },
    Checksum,
    Digest,
    Complete,
}

impl Default for ImageVerifier {
    fn default() -> Self {
        Self::new()
    }
}

impl ImageVerifier {
    /// A verifier for an image of any length.
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_len(u32::MAX)
    }

    /// A verifier for an image that has to fit into `max_bytes`, with its SHA-256. It refuses a
    /// longer one as soon as a segment's header shows it.
    #[must_use]
    pub fn with_max_len(max_bytes: u32) -> Self {
        Self {
            max_bytes,
            state: Ok(State::Header),
            offset_bytes: 0,
            part_len_bytes: HEADER_LEN_BYTES,
            missing_bytes: HEADER_LEN_BYTES,
            part: [0; 32],
            header: None,
            checksum: CHECKSUM_SEED,
            sha256: Sha256::new(),
            image_len_bytes: 0,
            digest: None,
            description: [0; APP_DESC_LEN_BYTES],
            description_len_bytes: 0,
            rom: None,
        }
    }

    /// The same for a second-stage bootloader: it also has to be one that the ROM of that chip can
    /// load and start, [`ImageError::Rom`].
    #[must_use]
    pub fn for_rom(chip: Chip, max_bytes: u32) -> Self {
        Self { rom: Some(RomLoad::new(chip)), ..Self::with_max_len(max_bytes) }
    }

    /// Takes the next bytes. Those after the image's end are ignored.
    ///
    /// # Errors
    ///
    /// The first thing found wrong; any later call gives the same answer.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), ImageError> {
        loop {
            let state = self.state?;
            if state == State::Complete {
                return Ok(());
            }
            let (piece, rest) = bytes.split_at(bytes.len().min(self.missing_bytes as usize));
            if piece.is_empty() && self.missing_bytes != 0 {
                return Ok(());
            }
            self.take(state, piece);
            bytes = rest;
            if self.missing_bytes == 0 {
                self.state = self.advance(state);
            } else if state == State::Header {
                // The first byte is enough to tell an image from an error page.
                self.state = self.check_magic().map(|()| state);
            }
        }
    }

    /// Whether the image is complete and good.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == Ok(State::Complete)
    }

    /// The header, as soon as it is complete and was found good.
    #[must_use]
    pub const fn header(&self) -> Option<&EspImageHeader> {
        self.header.as_ref()
    }

    /// Where the segments seen so far go, if the image is verified [for a ROM](Self::for_rom).
    #[must_use]
    pub const fn rom_load(&self) -> Option<&RomLoad> {
        self.rom.as_ref()
    }

    /// Bytes of the image with its SHA-256, as soon as the last segment's header is complete.
    #[must_use]
    pub fn total_len_bytes(&self) -> Option<u32> {
        let header = self.header?;
        let segments_end = match self.state.ok()? {
            State::Header | State::SegmentHeader { .. } => return None,
            State::SegmentData { index } if index.saturating_add(1) < header.segment_count => {
                return None;
            }
            State::SegmentData { .. } => self.offset_bytes.saturating_add(self.missing_bytes),
            State::Checksum | State::Digest | State::Complete => {
                return Some(self.image_len_bytes.saturating_add(digest_len_bytes(&header)));
            }
        };
        Some(closed_len_bytes(segments_end, &header))
    }

    /// What is known about the image after its last byte.
    ///
    /// # Errors
    ///
    /// What [`push`](Self::push) found wrong, or [`ImageError::Truncated`].
    pub fn finish(self) -> Result<ImageInfo, ImageError> {
        match (self.state?, self.header) {
            (State::Complete, Some(header)) => Ok(self.info(header)),
            _ => Err(ImageError::Truncated {
                found_bytes: self.offset_bytes,
                needed_bytes: self
                    .total_len_bytes()
                    .unwrap_or(self.offset_bytes.saturating_add(self.missing_bytes)),
            }),
        }
    }

    /// What is known about the image, up to its checksum at least.
    fn info(&self, header: EspImageHeader) -> ImageInfo {
        ImageInfo {
            header,
            image_len_bytes: self.image_len_bytes,
            total_len_bytes: self.image_len_bytes.saturating_add(digest_len_bytes(&header)),
            checksum: self.checksum,
            digest: self.digest,
            app_desc: AppDescription::parse(self.description()).ok(),
            bootloader_desc: BootloaderDescription::parse(self.description()).ok(),
        }
    }

    /// Takes a piece that lies all inside the part that the state names.
    fn take(&mut self, state: State, piece: &[u8]) {
        match state {
            State::SegmentData { index } => {
                self.checksum = add_to_checksum(self.checksum, piece);
                if index == 0 {
                    self.keep_description(piece);
                }
            }
            _ => {
                let filled = self.part_len_bytes.saturating_sub(self.missing_bytes) as usize;
                let place = self.part.get_mut(filled..filled.saturating_add(piece.len()));
                if let Some(place) = place {
                    place.copy_from_slice(piece);
                }
            }
        }
        let is_hashed = self.header.is_none_or(|header| header.hash_appended);
        if is_hashed && state != State::Digest {
            self.sha256.update(piece);
        }
        // The piece is no longer than the missing bytes, which are a u32.
        let len_bytes = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        self.offset_bytes = self.offset_bytes.saturating_add(len_bytes);
        self.missing_bytes = self.missing_bytes.saturating_sub(len_bytes);
    }

    /// Checks a part that is complete, and returns what comes next.
    fn advance(&mut self, state: State) -> Result<State, ImageError> {
        let start_bytes = self.offset_bytes.saturating_sub(self.part_len_bytes);
        match state {
            State::Header => {
                self.header = Some(EspImageHeader::parse(&self.part)?);
                self.expect(State::SegmentHeader { index: 0 }, SEGMENT_HEADER_LEN_BYTES)
            }
            State::SegmentHeader { index } => {
                let segment = SegmentHeader::parse(&self.part, start_bytes, index)?;
                if let (Some(rom), Some(header)) = (&mut self.rom, &self.header) {
                    let to = (segment.load_addr, segment.len_bytes);
                    rom.segment(index, to, header.entry_addr).map_err(ImageError::Rom)?;
                }
                self.expect(State::SegmentData { index }, segment.len_bytes)
            }
            State::SegmentData { index } => {
                let next = index.saturating_add(1);
                if self.header.is_some_and(|header| next < header.segment_count) {
                    let next = State::SegmentHeader { index: next };
                    self.expect(next, SEGMENT_HEADER_LEN_BYTES)
                } else {
                    if let (Some(rom), Some(header)) = (&self.rom, &self.header) {
                        rom.entry(header.entry_addr).map_err(ImageError::Rom)?;
                    }
                    let len_bytes = checksum_len_bytes(self.offset_bytes);
                    self.image_len_bytes = self.offset_bytes.saturating_add(len_bytes);
                    self.expect(State::Checksum, len_bytes)
                }
            }
            State::Checksum => {
                // The padding before it may have any value.
                let last = self.part_len_bytes.saturating_sub(1);
                let stored = self.part.get(last as usize).copied().unwrap_or_default();
                let computed = self.checksum;
                if stored != computed {
                    let offset_bytes = start_bytes.saturating_add(last);
                    return Err(ImageError::Checksum { offset_bytes, stored, computed });
                }
                if self.header.is_some_and(|header| header.hash_appended) {
                    self.expect(State::Digest, DIGEST_LEN_BYTES)
                } else {
                    Ok(State::Complete)
                }
            }
            State::Digest => {
                let computed: [u8; 32] = self.sha256.clone().finalize().into();
                if self.part != computed {
                    let offset_bytes = start_bytes;
                    let (stored, computed) = (first_four(&self.part), first_four(&computed));
                    return Err(ImageError::Digest { offset_bytes, stored, computed });
                }
                self.digest = Some(computed);
                Ok(State::Complete)
            }
            State::Complete => Ok(State::Complete),
        }
    }

    /// Goes to `state`, in which so many bytes come next.
    fn expect(&mut self, state: State, len_bytes: u32) -> Result<State, ImageError> {
        self.part_len_bytes = len_bytes;
        self.missing_bytes = len_bytes;
        let max_bytes = self.max_bytes;
        let end_bytes = self.offset_bytes.saturating_add(len_bytes);
        // After the last segment the length needs no check: it was part of the one before.
        if let (State::SegmentHeader { .. } | State::SegmentData { .. }, Some(header)) =
            (state, &self.header)
        {
            let needed_bytes = closed_len_bytes(end_bytes, header);
            if needed_bytes > max_bytes {
                return Err(ImageError::TooLong { needed_bytes, max_bytes });
            }
        }
        Ok(state)
    }

    fn check_magic(&self) -> Result<(), ImageError> {
        match EspImageHeader::parse(self.part.get(..1).unwrap_or(&[])) {
            Err(error @ ImageError::BadMagic { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    fn keep_description(&mut self, piece: &[u8]) {
        if let Some(place) = self.description.get_mut(self.description_len_bytes..) {
            for (byte, piece) in place.iter_mut().zip(piece) {
                *byte = *piece;
                self.description_len_bytes += 1;
            }
        }
    }

    /// The first bytes of the first segment, at most as many as a description has.
    fn description(&self) -> &[u8] {
        self.description.get(..self.description_len_bytes).unwrap_or(&[])
    }
}

/// Verifies a whole image, which other bytes may follow.
///
/// # Errors
///
/// The first thing found wrong.
pub fn verify(bytes: &[u8]) -> Result<ImageInfo, ImageError> {
    let mut verifier = ImageVerifier::new();
    verifier.push(bytes)?;
    verifier.finish()
}

/// Verifies a whole bootloader, which other bytes may follow, as the chips' ROMs do: the checksum
/// must be right, and a wrong SHA-256 is only returned beside the result.
///
/// Tools that change flash mode, speed or size in the header of a bootloader may not correct the
/// SHA-256; the chip starts such a bootloader all the same.
///
/// # Errors
///
/// The first thing found wrong, [`ImageError::Digest`] excepted.
pub fn verify_as_rom(bytes: &[u8]) -> Result<(ImageInfo, Option<ImageError>), ImageError> {
    lenient(ImageVerifier::new(), bytes)
}

/// The same for a bootloader that the ROM of that chip is to start ([`ImageVerifier::for_rom`]).
///
/// # Errors
///
/// The first thing found wrong, [`ImageError::Digest`] excepted.
pub fn verify_for_rom(
    bytes: &[u8],
    chip: Chip,
) -> Result<(ImageInfo, Option<ImageError>), ImageError> {
    lenient(ImageVerifier::for_rom(chip, u32::MAX), bytes)
}

fn lenient(
    mut verifier: ImageVerifier,
    bytes: &[u8],
) -> Result<(ImageInfo, Option<ImageError>), ImageError> {
    match (verifier.push(bytes), verifier.header) {
        (Err(stale @ ImageError::Digest { .. }), Some(header)) => {
            Ok((verifier.info(header), Some(stale)))
        }
        (Err(error), _) => Err(error),
        (Ok(()), _) => verifier.finish().map(|info| (info, None)),
    }
}

const fn digest_len_bytes(header: &EspImageHeader) -> u32 {
    if header.hash_appended { DIGEST_LEN_BYTES } else { 0 }
}

/// Bytes of an image whose last segment ends at `segments_end_bytes`, with checksum and SHA-256.
#[must_use]
pub const fn closed_len_bytes(segments_end_bytes: u32, header: &EspImageHeader) -> u32 {
    segments_end_bytes
        .saturating_add(checksum_len_bytes(segments_end_bytes))
        .saturating_add(digest_len_bytes(header))
}

fn first_four(digest: &[u8; 32]) -> [u8; 4] {
    digest.first_chunk::<4>().copied().unwrap_or_default()
}
