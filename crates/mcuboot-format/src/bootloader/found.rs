//! A fact, and how it was found.

use alloc::borrow::Cow;
use alloc::format;
use core::fmt;

/// Where something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Location {
    /// Address in the chip's memory, once the ROM has loaded the bootloader.
    pub addr: u32,
    /// Offset in the file.
    pub offset_bytes: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {:#x}, address {:#x}", self.offset_bytes, self.addr)
    }
}

/// Evidence that is a text in the file.
pub(super) fn text(text: &str) -> Cow<'static, str> {
    format!("text {text:?}").into()
}

/// A fact about a bootloader, with the evidence for it in its file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found<T> {
    /// The fact.
    pub value: T,
    /// Where the evidence is; `None` if the evidence is that something is missing from the file.
    pub place: Option<Location>,
    /// What the evidence is.
    pub evidence: Cow<'static, str>,
    /// Whether only this fact can leave that evidence. Otherwise all builds seen so far agree with
    /// it.
    pub is_sure: bool,
}

impl<T> Found<T> {
    pub(super) fn sure(
        value: T,
        place: impl Into<Option<Location>>,
        evidence: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { value, place: place.into(), evidence: evidence.into(), is_sure: true }
    }

    pub(super) fn likely(
        value: T,
        place: impl Into<Option<Location>>,
        evidence: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { is_sure: false, ..Self::sure(value, place, evidence) }
    }

    /// The same evidence, for another fact.
    #[must_use]
    pub fn with<U>(&self, value: U) -> Found<U> {
        let Self { place, ref evidence, is_sure, .. } = *self;
        Found { value, place, evidence: evidence.clone(), is_sure }
    }
}
