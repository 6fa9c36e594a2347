//! The payload: CBOR maps with small numbers for keys (RFC 8949).
//!
//! ```text
//!   root       0 migration   1 device   15 reserved for a signature over the bytes of 0
//!   migration  0 chip        1 flash length   2 MCUboot map   3 artifacts   4 staging
//!              5 test image allowed           6 labels that may be overwritten
//!              7 address of the partition table
//!              8 how devices come to boot the target
//!   device     0 networks    1 old credentials   2 rescue network   3 host name   4 log level
//! ```
//!
//! A key that is absent means `None`, or nothing in the list. Chips have the numbers of ESP image
//! headers. Other values have the numbers given here, and no number is ever reused.

use core::convert::Infallible;

use minicbor::bytes::{ByteArray, ByteSlice};
use minicbor::data::Type;
use minicbor::decode::{Decoder, Error};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

/// All of it.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Root<'b> {
    #[b(0)]
    pub migration: Migration<'b>,
    #[b(1)]
    pub device: Device<'b>,
}

/// [`bootswap_plan::Migration`].
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Migration<'b> {
    /// The chip's number in ESP image headers.
    #[n(0)]
    pub chip: u16,
    #[n(1)]
    pub flash_len_bytes: Option<u32>,
    #[b(2)]
    pub mcuboot: Option<Map<'b>>,
    #[b(3)]
    pub artifacts: List<'b, Artifact<'b>>,
    #[b(4)]
    pub staging: Option<Staging<'b>>,
    #[n(5)]
    pub allow_test_image: Option<bool>,
    #[b(6)]
    pub allow_overwrite: List<'b, &'b str>,
    #[n(7)]
    pub table_addr: Option<u32>,
    /// Absent for 0 replace, 1 hosted.
    #[n(8)]
    pub commit: Option<u8>,
}

/// [`bootswap_plan::McubootMap`].
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Map<'b> {
    #[n(0)]
    pub primary: Span,
    #[n(1)]
    pub secondary: Span,
    #[n(2)]
    pub scratch: Option<Span>,
    /// 0 scratch, 1 move, 2 offset, 3 overwrite.
    #[n(3)]
    pub swap: u8,
    #[n(4)]
    pub max_align_bytes: u32,
    #[b(5)]
    pub key_der: Option<&'b ByteSlice>,
    /// Absent for 512, the number of Espressif's port.
    #[n(6)]
    pub max_sectors: Option<u32>,
    /// Absent for none, 1 version, 2 version and build number, 3 security counter.
    #[n(7)]
    pub downgrade_prevention: Option<u8>,
    /// Absent for no.
    #[n(8)]
    pub overwrites_fast: Option<bool>,
}

/// A region: first address, length in bytes.
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Span {
    #[n(0)]
    pub start: u32,
    #[n(1)]
    pub len_bytes: u32,
}

/// [`bootswap_plan::Artifact`].
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Artifact<'b> {
    #[b(0)]
    pub name: &'b str,
    /// 0 application, 1 bootloader, 2 other.
    #[n(1)]
    pub role: u8,
    /// Absent for an embedded artifact.
    #[b(2)]
    pub url: Option<&'b str>,
    #[n(3)]
    pub dest: Option<Span>,
    #[n(4)]
    pub region_len_bytes: Option<u32>,
    #[n(5)]
    pub len_bytes: Option<u32>,
    #[n(6)]
    pub sha256: Option<ByteArray<32>>,
    #[n(7)]
    pub content: Option<Content>,
    #[n(8)]
    pub confirm: Option<bool>,
    /// As [`bootswap_plan::Blanks`] has them; absent where there are none.
    #[b(9)]
    pub blanks: Option<&'b ByteSlice>,
}

/// [`bootswap_plan::Content`].
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) enum Content {
    #[n(0)]
    Opaque,
    #[n(1)]
    Mcuboot {
        #[n(0)]
        image_len_bytes: u32,
        #[n(1)]
        padded: bool,
        #[n(2)]
        confirmed: bool,
        #[n(3)]
        signed: bool,
        /// As in an MCUboot header; absent for 0.0.0.
        #[n(4)]
        version: Option<ByteArray<8>>,
    },
    #[n(2)]
    EspImage {
        #[n(0)]
        chip_id: u16,
        #[n(1)]
        image_len_bytes: u32,
        #[n(2)]
        flash_len_bytes: Option<u32>,
    },
    #[n(3)]
    Carrier {
        #[n(0)]
        chip_id: u16,
        /// Bytes 2 and 3 of the target bootloader's header.
        #[n(1)]
        settings: ByteArray<2>,
        #[n(2)]
        otadata: Option<u32>,
        #[n(3)]
        secure_version: u32,
        #[n(4)]
        has_trial: bool,
    },
}

/// [`bootswap_plan::Staging`], if it is not left to the planner.
#[derive(Clone, Copy, Debug, Encode, Decode)]
pub(crate) enum Staging<'b> {
    #[n(0)]
    Label(#[b(0)] &'b str),
    #[n(1)]
    Memory,
}

/// Everything but the migration.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Device<'b> {
    #[b(0)]
    pub wifi: List<'b, Wifi<'b>>,
    #[n(1)]
    pub old_credentials: bool,
    #[b(2)]
    pub rescue: Option<Wifi<'b>>,
    #[b(3)]
    pub hostname: Option<&'b str>,
    /// 0 off, 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    #[n(4)]
    pub log_level: u8,
}

/// [`crate::Wifi`].
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Wifi<'b> {
    #[b(0)]
    pub ssid: Ssid<'b>,
    /// Absent for an open network.
    #[b(1)]
    pub password: Option<&'b str>,
}

/// A name of a network: text where it is UTF-8, bytes where it is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ssid<'b>(pub &'b [u8]);

impl<C> Encode<C> for Ssid<'_> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        match core::str::from_utf8(self.0) {
            Ok(text) => encoder.str(text)?,
            Err(_) => encoder.bytes(self.0)?,
        };
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Ssid<'b> {
    fn decode(decoder: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
        match decoder.datatype()? {
            Type::Bytes => decoder.bytes().map(Self),
            _ => decoder.str().map(|text| Self(text.as_bytes())),
        }
    }
}

/// A list. It is read entry by entry into its final place, so that there is no second copy of it in
/// memory.
#[derive(Clone, Debug)]
pub(crate) enum List<'b, T> {
    /// To be written.
    Values(&'b [T]),
    /// As found: a decoder at its first byte.
    Encoded(Decoder<'b>),
}

impl<'b, T: Decode<'b, ()>> List<'b, T> {
    /// Calls `each` for every entry, with its index.
    pub(crate) fn read<E: From<Error>>(
        &self,
        mut each: impl FnMut(usize, T) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self::Encoded(list) = self else { return Ok(()) };
        list.clone().array_iter()?.enumerate().try_for_each(|(index, entry)| each(index, entry?))
    }
}

impl<'b, T, C> Decode<'b, C> for List<'b, T> {
    fn decode(decoder: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
        match decoder.datatype()? {
            Type::Array => {
                let list = decoder.clone();
                decoder.skip()?;
                Ok(Self::Encoded(list))
            }
            other => Err(Error::type_mismatch(other).at(decoder.position())),
        }
    }

    fn nil() -> Option<Self> {
        Some(Self::Values(&[]))
    }
}

impl<C, T: Encode<C>> Encode<C> for List<'_, T> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        let Self::Values(values) = self else { return Ok(()) };
        encoder.array(values.len() as u64)?;
        values.iter().try_for_each(|value| value.encode(encoder, ctx))
    }

    fn is_nil(&self) -> bool {
        matches!(self, Self::Values([]))
    }
}

/// Writes the bytes that there is room for, and counts all of them.
#[derive(Debug)]
pub(crate) struct Counted<'o> {
    pub out: &'o mut [u8],
    pub len_bytes: usize,
}

impl Write for Counted<'_> {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        let room = self.out.get_mut(self.len_bytes..).unwrap_or_default();
        room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.len_bytes = self.len_bytes.saturating_add(bytes.len());
        Ok(())
    }
}
