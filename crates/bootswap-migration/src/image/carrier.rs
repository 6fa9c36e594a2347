//! Describes the loader in a carrier or first stage, and the copies that it starts.

use carrier_format::{LoaderRecord, Place, Trial, TrialWord, find};
use esp_idf_format::image;
use flash_region::Hex;
use serde::Serialize;

use super::lines::{HexNumber, Lines};

/// A loader, as described by its record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CarrierInfo {
    /// `carrier`, `first-stage`, or `blank` for a loader as it was built.
    pub place: &'static str,
    /// The copies of the bootloader, in the order in which they are tried.
    pub copies: Vec<CopyInfo>,
    /// Address of the old system's otadata; `null` if there is no way back.
    pub otadata: Option<u32>,
    /// The trial; `null` without one.
    pub trial: Option<TrialInfo>,
}

/// A copy of a bootloader.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CopyInfo {
    /// Its offset from the first byte of the loader's image.
    pub offset: u32,
    /// Its length in bytes.
    pub size: u32,
    /// Whether it is beyond the end of this file.
    pub elsewhere: bool,
    /// What is wrong with it; `null` if it is complete, or elsewhere.
    pub error: Option<String>,
    /// Its SHA-256.
    pub sha256: Option<String>,
}

/// A trial.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct TrialInfo {
    /// How often the target is started before it must be confirmed.
    pub starts: u32,
    /// How many starts were counted; `null` if the target has confirmed.
    pub counted: Option<u32>,
    /// Milliseconds of the watchdog; 0 if it is stopped.
    pub watchdog_ms: u32,
    /// Flash address at which the target's confirmation is read.
    pub image_ok: u32,
}

impl CarrierInfo {
    /// Describes the loader in a file whose image has that many bytes; `None` if there is none.
    #[must_use]
    pub fn of(file: &[u8], image_len_bytes: u32) -> Option<Self> {
        let (_, record) = find(file.get(..image_len_bytes as usize)?).ok()?;
        let place = match record.place {
            Some(Place::Carrier) => "carrier",
            Some(Place::FirstStage) => "first-stage",
            None => "blank",
        };
        Some(Self {
            place,
            copies: copies(file, &record).collect(),
            otadata: record.otadata.map(flash_region::FlashAddr::get),
            trial: record.trial.map(|trial| TrialInfo::of(file, &trial)),
        })
    }

    pub(super) fn write(&self, lines: &mut Lines) {
        lines.field("loader", self.place);
        lines.inside(|lines| {
            for CopyInfo { offset, size, elsewhere, error, sha256 } in &self.copies {
                let state = match (elsewhere, error, sha256) {
                    (true, ..) => "not in this file".to_owned(),
                    (_, Some(error), _) => format!("damaged: {error}"),
                    (_, None, Some(sha256)) => format!("whole, SHA-256 {sha256}"),
                    (_, None, None) => "whole".to_owned(),
                };
                lines.field("copy", format_args!("{size:#x} bytes at {offset:#x}, {state}"));
            }
            lines.some("otadata", &self.otadata.map(HexNumber));
            if let Some(TrialInfo { starts, counted, watchdog_ms, image_ok }) = self.trial {
                let counted = match counted {
                    Some(counted) => format!("{counted} counted"),
                    None => "confirmed".to_owned(),
                };
                lines.field("trial", format_args!("{starts} starts, {counted}"));
                lines.field("confirmation", format_args!("{image_ok:#x}"));
                lines.field("watchdog", format_args!("{watchdog_ms} ms"));
            }
        });
    }
}

impl TrialInfo {
    fn of(file: &[u8], trial: &Trial) -> Self {
        let at = trial.word_offset_bytes as usize;
        let word = file.get(at..).and_then(|rest| rest.first_chunk());
        let word = word.map_or(TrialWord::BLANK, |word| TrialWord(u32::from_le_bytes(*word)));
        Self {
            starts: trial.starts,
            counted: (word != TrialWord::CONFIRMED).then(|| word.starts()),
            watchdog_ms: trial.watchdog_ms,
            image_ok: trial.image_ok.get(),
        }
    }
}

/// The copies that a record names.
pub(super) fn copies(file: &[u8], record: &LoaderRecord) -> impl Iterator<Item = CopyInfo> {
    let size = record.copy_len_bytes;
    record.copies.into_iter().flatten().map(move |offset| {
        let end = offset.saturating_add(size) as usize;
        let found = file.get(offset as usize..end).map(image::verify);
        let sha256 = found.as_ref().and_then(|found| found.as_ref().ok()?.digest);
        CopyInfo {
            offset,
            size,
            elsewhere: found.is_none(),
            error: found.and_then(Result::err).map(|error| error.to_string()),
            sha256: sha256.map(|digest| Hex(&digest).to_string()),
        }
    })
}
