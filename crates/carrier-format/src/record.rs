//! The record in a loader's image: what the composer of a carrier or first stage writes into it.

use core::fmt;

use flash_region::FlashAddr;

use crate::trial::{MAX_STARTS, Trial};

/// Words of a record.
pub const RECORD_WORDS: usize = 16;
/// Bytes of a record.
pub const RECORD_LEN_BYTES: usize = RECORD_WORDS * 4;
/// What a record begins with.
pub const RECORD_MAGIC: [u32; 2] = [u32::from_le_bytes(*b"bswp"), u32::from_le_bytes(*b"-ldr")];

/// Version of the layout below.
const VERSION: u16 = 1;
/// Value of a word that is not set, as in erased flash.
const NONE: u32 = u32::MAX;

/// What a loader is to do. Words are little-endian; a word that is not set is `ffffffff`:
///
/// ```text
///   0        8         12        16             24             28        32
///   | magic  | version | place   | copies 1, 2  | their length | otadata |
///   |        | chip id |         | from start   |              |         |
///
///   32          36       40         44         48          52           56       64
///   | trial     | starts | watchdog | image_ok | end of    | its value  | unused |
///   | word from |        | ms       |          | the magic | if good    |        |
///   | start     |        |          |          |           |            |        |
/// ```
///
/// "From start" is from the first byte of the loader's image in flash, so that a carrier is the
/// same in every partition. All other addresses are flash addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LoaderRecord {
    /// The chip that the loader was built for, `Chip::image_chip_id`.
    pub chip_id: u16,
    /// What the loader is part of; `None` until a composer has filled the record.
    pub place: Option<Place>,
    /// Where the copies of the bootloader begin, in bytes from the start of the loader's image.
    pub copies: [Option<u32>; 2],
    /// Bytes of a copy.
    pub copy_len_bytes: u32,
    /// Where the old system's otadata is: the way back from a carrier.
    pub otadata: Option<FlashAddr>,
    /// The trial, if the target is on one.
    pub trial: Option<Trial>,
}

/// What a loader is part of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// An app that ESP-IDF's bootloader starts.
    Carrier,
    /// The bootloader that the ROM starts.
    FirstStage,
}

impl Place {
    const fn raw(self) -> u32 {
        match self {
            Self::Carrier => 1,
            Self::FirstStage => 2,
        }
    }
}

impl LoaderRecord {
    /// The record of a loader for that chip before a composer has filled it.
    #[must_use]
    pub const fn blank(chip_id: u16) -> Self {
        Self {
            chip_id,
            place: None,
            copies: [None; 2],
            copy_len_bytes: 0,
            otadata: None,
            trial: None,
        }
    }

    /// Its words.
    #[must_use]
    pub const fn to_words(&self) -> [u32; RECORD_WORDS] {
        let [magic_0, magic_1] = RECORD_MAGIC;
        let place = match self.place {
            Some(place) => place.raw(),
            None => NONE,
        };
        let [copy_1, copy_2] = self.copies;
        let trial = match self.trial {
            Some(Trial { word_offset_bytes, starts, watchdog_ms, image_ok, magic_end, magic }) => {
                [word_offset_bytes, starts, watchdog_ms, image_ok.get(), magic_end.get(), magic]
            }
            None => [NONE; 6],
        };
        let [word, starts, watchdog_ms, image_ok, magic_end, magic] = trial;
        [
            magic_0,
            magic_1,
            VERSION as u32 | (self.chip_id as u32) << 16,
            place,
            or_none(copy_1),
            or_none(copy_2),
            self.copy_len_bytes,
            match self.otadata {
                Some(addr) => addr.get(),
                None => NONE,
            },
            word,
            starts,
            watchdog_ms,
            image_ok,
            magic_end,
            magic,
            NONE,
            NONE,
        ]
    }

    /// The record in these words; magic and version are not checked.
    #[must_use]
    pub const fn from_words(words: &[u32; RECORD_WORDS]) -> Self {
        let [_, _, version_and_chip, place, copy_1, copy_2, copy_len_bytes, otadata, ..] = *words;
        let [.., word_offset_bytes, starts, watchdog_ms, image_ok, magic_end, magic, _, _] = *words;
        let trial = Trial {
            word_offset_bytes,
            starts,
            watchdog_ms,
            image_ok: FlashAddr(image_ok),
            magic_end: FlashAddr(magic_end),
            magic,
        };
        Self {
            chip_id: (version_and_chip >> 16) as u16,
            place: match place {
                1 => Some(Place::Carrier),
                2 => Some(Place::FirstStage),
                _ => None,
            },
            copies: [some(copy_1), some(copy_2)],
            copy_len_bytes,
            otadata: match some(otadata) {
                Some(addr) => Some(FlashAddr(addr)),
                None => None,
            },
            trial: match starts {
                1..=MAX_STARTS => Some(trial),
                _ => None,
            },
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; RECORD_LEN_BYTES] {
        let mut bytes = [0; RECORD_LEN_BYTES];
        for (place, word) in bytes.chunks_exact_mut(4).zip(self.to_words()) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// A [`RecordError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let found_bytes = bytes.len();
        let mut words = [0; RECORD_WORDS];
        let Some(bytes) = bytes.get(..RECORD_LEN_BYTES) else {
            return Err(RecordError::Truncated { found_bytes });
        };
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = bytes.try_into().map_or(0, u32::from_le_bytes);
        }
        Self::of_words(&words)
    }

    /// Reads a record from its words.
    ///
    /// # Errors
    ///
    /// A [`RecordError`].
    pub fn of_words(words: &[u32; RECORD_WORDS]) -> Result<Self, RecordError> {
        let [magic_0, magic_1, version_and_chip, ..] = *words;
        if [magic_0, magic_1] != RECORD_MAGIC {
            return Err(RecordError::Magic);
        }
        let [low, high, ..] = version_and_chip.to_le_bytes();
        match u16::from_le_bytes([low, high]) {
            VERSION => Ok(Self::from_words(words)),
            found => Err(RecordError::Version { found }),
        }
    }
}

const fn or_none(offset_bytes: Option<u32>) -> u32 {
    match offset_bytes {
        Some(offset_bytes) => offset_bytes,
        None => NONE,
    }
}

const fn some(word: u32) -> Option<u32> {
    if word == NONE { None } else { Some(word) }
}

/// Finds the record in a loader's image: at the first magic whose offset is a multiple of 4.
/// Returns that offset, in bytes, and the record.
///
/// # Errors
///
/// [`RecordError::Magic`] if there is none, otherwise why it cannot be read.
pub fn find(image: &[u8]) -> Result<(usize, LoaderRecord), RecordError> {
    let [first, second] = RECORD_MAGIC.map(u32::to_le_bytes);
    let starts = |bytes: &[u8]| bytes.starts_with(&first) && bytes.get(4..8) == Some(&second);
    let mut words = (0..image.len()).step_by(4);
    let at = words.find(|&at| image.get(at..).is_some_and(starts)).ok_or(RecordError::Magic)?;
    Ok((at, LoaderRecord::parse(image.get(at..).unwrap_or_default())?))
}

/// Why bytes are no record. Offsets are from its first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RecordError {
    /// Fewer bytes than a record has.
    Truncated {
        /// How many there are.
        found_bytes: usize,
    },
    /// It does not begin with the magic.
    Magic,
    /// It is of another version of this format.
    Version {
        /// Which, at offset 8.
        found: u16,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { found_bytes } => write!(
                f,
                "a loader's record has {RECORD_LEN_BYTES} bytes, only {found_bytes} are there"
            ),
            Self::Magic => f.write_str("no loader's record found"),
            Self::Version { found } => {
                write!(f, "the loader's record is of version {found} at offset 8, not {VERSION}")
            }
        }
    }
}

impl core::error::Error for RecordError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trial() -> impl Strategy<Value = Trial> {
        (0..0x1000u32, 1..=MAX_STARTS, any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>())
            .prop_map(|(word_offset_bytes, starts, watchdog_ms, image_ok, magic_end, magic)| {
                let (image_ok, magic_end) = (FlashAddr(image_ok), FlashAddr(magic_end));
                Trial { word_offset_bytes, starts, watchdog_ms, image_ok, magic_end, magic }
            })
    }

    fn record() -> impl Strategy<Value = LoaderRecord> {
        let place =
            prop_oneof![Just(None), Just(Some(Place::Carrier)), Just(Some(Place::FirstStage))];
        let copy = || proptest::option::of(0..u32::MAX);
        let otadata = proptest::option::of((0..u32::MAX).prop_map(FlashAddr));
        let rest = (any::<u32>(), otadata, proptest::option::of(trial()));
        (any::<u16>(), place, [copy(), copy()], rest).prop_map(
            |(chip_id, place, copies, (copy_len_bytes, otadata, trial))| LoaderRecord {
                chip_id,
                place,
                copies,
                copy_len_bytes,
                otadata,
                trial,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(record in record(), before in 0..8usize) {
            let bytes = record.to_bytes();
            prop_assert_eq!(LoaderRecord::parse(&bytes), Ok(record));
            let mut image = [0; 128];
            let at = before * 4;
            image[at..at + bytes.len()].copy_from_slice(&bytes);
            prop_assert_eq!(find(&image), Ok((at, record)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = LoaderRecord::parse(&bytes);
            let _ = find(&bytes);
        }
    }

    #[test]
    fn other_bytes_are_refused_with_the_reason() {
        let bytes = LoaderRecord::blank(5).to_bytes();
        assert_eq!(
            LoaderRecord::parse(&bytes[..63]),
            Err(RecordError::Truncated { found_bytes: 63 })
        );
        assert_eq!(LoaderRecord::parse(&[0; 64]), Err(RecordError::Magic));
        assert_eq!(find(&[0xff; 256]), Err(RecordError::Magic));
        let mut newer = bytes;
        newer[8] = 2;
        assert_eq!(LoaderRecord::parse(&newer), Err(RecordError::Version { found: 2 }));
        assert_eq!(find(&bytes[..60]), Err(RecordError::Truncated { found_bytes: 60 }));
    }
}
