//! Describes MCUboot images.

use flash_region::{FlashAddr, Hex, Region};
use mcuboot_format::espressif::LoadHeader;
use mcuboot_format::tlv::{Dependency, Tlv, TlvType, Tlvs};
use mcuboot_format::trailer::{
    MAGIC_LEN_BYTES, TrailerConfig, TrailerLayout, TrailerState, magic_bytes,
};
use mcuboot_format::{ImageHeader, SlotLimits, SwapKind, validate};
use serde::Serialize;

use super::lines::{HexNumber, Lines};

/// Limits of a slot that every image fits.
pub(super) const ANY_SLOT: SlotLimits =
    SlotLimits { slot_len_bytes: u32::MAX, max_image_len_bytes: u32::MAX };

/// Values of TLVs are shown up to this length: hashes and numbers, but not signatures.
const SHOWN_VALUE_LEN_BYTES: usize = 32;

/// An MCUboot image.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct McubootInfo {
    /// `null` if the image is complete, else what is wrong with it. Signatures are not checked.
    pub error: Option<String>,
    /// Version, as in 1.2.3+4.
    pub version: Option<String>,
    /// Bytes of the header.
    pub header_size: Option<u16>,
    /// Bytes of the payload.
    pub payload_size: Option<u32>,
    /// Bits of flags.
    pub flags: Option<u32>,
    /// Address to load to.
    pub load_addr: Option<u32>,
    /// End of the image, TLVs included.
    pub image_size: Option<u32>,
    /// Security counter.
    pub security_counter: Option<u32>,
    /// The TLVs.
    pub tlvs: Vec<TlvInfo>,
    /// Address at which Espressif's loader starts it; `null` without a load header.
    pub entry_addr: Option<u32>,
    /// The trailer at the end of the file.
    pub trailer: Option<TrailerInfo>,
}

/// A TLV.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TlvInfo {
    /// Number of its type.
    #[serde(rename = "type")]
    pub tlv_type: u16,
    /// Name of its type.
    pub name: Option<&'static str>,
    /// Where it is.
    pub offset: u32,
    /// Bytes of its value.
    pub size: usize,
    /// Whether hash and signature cover it.
    pub protected: bool,
    /// Its value in hexadecimal; `null` for long ones.
    pub value: Option<String>,
}

/// The trailer at the end of a slot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TrailerInfo {
    /// Bytes of the slot, which the file is.
    pub slot_size: u32,
    /// Distance of its fields in bytes, derived from its magic.
    pub max_align: u32,
    /// Whether MCUboot keeps the image instead of trying it once: `set`, `unset` or `bad`.
    pub image_ok: String,
    /// Whether a swap is finished: `set`, `unset` or `bad`.
    pub copy_done: String,
    /// Kind of the swap in progress: `none`, `test`, `perm` or `revert`.
    pub swap_type: String,
}

impl McubootInfo {
    /// Describes a file that begins like an MCUboot image.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        let header = ImageHeader::parse(file).ok();
        let tlvs = header.as_ref().and_then(|header| Tlvs::parse(file, header).ok());
        let payload = header.and_then(|header| file.get(usize::from(header.hdr_size)..));
        let counter = tlvs.and_then(|tlvs| tlvs.find(TlvType::SEC_CNT));
        let counter = counter.and_then(|tlv| <[u8; 4]>::try_from(tlv.value).ok());
        Self {
            error: validate(file, ANY_SLOT, None).err().map(|error| error.to_string()),
            version: header.map(|header| header.version.to_string()),
            header_size: header.map(|header| header.hdr_size),
            payload_size: header.map(|header| header.img_size),
            flags: header.map(|header| header.flags.0),
            load_addr: header.map(|header| header.load_addr),
            image_size: tlvs.map(|tlvs| tlvs.end_bytes()),
            security_counter: counter.map(u32::from_le_bytes),
            tlvs: tlvs
                .map(|tlvs| tlvs.iter().map(|tlv| TlvInfo::of(&tlv)).collect())
                .unwrap_or_default(),
            entry_addr: payload
                .and_then(|payload| LoadHeader::parse(payload).ok())
                .map(|load| load.entry_addr),
            trailer: TrailerInfo::of(file),
        }
    }

    pub(super) fn write(&self, lines: &mut Lines) {
        lines.field("state", self.error.as_deref().map_or("whole", |_| "damaged"));
        lines.some("error", &self.error);
        lines.some("version", &self.version);
        lines.some("header", &self.header_size.map(|len| format!("{len:#x} bytes")));
        lines.some("payload", &self.payload_size.map(|len| format!("{len:#x} bytes")));
        lines.some("ends at", &self.image_size.map(HexNumber));
        lines.some("flags", &self.flags.filter(|flags| *flags != 0).map(HexNumber));
        lines.some("loads to", &self.load_addr.filter(|addr| *addr != 0).map(HexNumber));
        lines.some("starts at", &self.entry_addr.map(HexNumber));
        for tlv in &self.tlvs {
            tlv.write(lines);
        }
        match &self.trailer {
            None => lines.field("trailer", "none at the end of the file"),
            Some(trailer) => trailer.write(lines),
        }
    }
}

impl TlvInfo {
    fn of(tlv: &Tlv<'_>) -> Self {
        Self {
            tlv_type: tlv.tlv_type.0,
            name: tlv.tlv_type.name(),
            offset: tlv.offset_bytes,
            size: tlv.value.len(),
            protected: tlv.protected,
            value: (tlv.value.len() <= SHOWN_VALUE_LEN_BYTES).then(|| Hex(tlv.value).to_string()),
        }
    }

    fn write(&self, lines: &mut Lines) {
        let kind = TlvType(self.tlv_type);
        let protected = if self.protected { "protected, " } else { "" };
        let value = match (&self.value, kind) {
            (Some(value), TlvType::DEPENDENCY) => {
                dependency(value).unwrap_or_else(|| value.clone())
            }
            (Some(value), _) => value.clone(),
            (None, _) => format!("{} bytes", self.size),
        };
        lines.field("TLV", format_args!("{kind} at {:#x}: {protected}{value}", self.offset));
    }
}

/// A dependency from its value, in words.
fn dependency(value: &str) -> Option<String> {
    let pairs = value.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    let bytes =
        pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect::<Option<Vec<u8>>>()?;
    let Dependency { image_id, min_version } = Dependency::parse(&bytes)?;
    Some(format!("image {image_id} from version {min_version}"))
}

impl TrailerInfo {
    /// The trailer at the end of a file that is a whole slot.
    pub(super) fn of(slot: &[u8]) -> Option<Self> {
        let slot_size = u32::try_from(slot.len()).ok()?;
        let magic = slot.last_chunk::<{ MAGIC_LEN_BYTES as usize }>()?;
        let max_align = [8, 16, 32].into_iter().find(|align| *magic == magic_bytes(*align))?;
        // The flags are at the same place for all kinds of swap that have them.
        let config = TrailerConfig { max_align, ..TrailerConfig::espressif(SwapKind::Scratch) };
        let layout =
            TrailerLayout::new(Region::clamped(FlashAddr::ZERO, slot_size), config).ok()?;
        let state = TrailerState::parse(&layout, slot).ok()?;
        Some(Self {
            slot_size,
            max_align,
            image_ok: state.image_ok.to_string(),
            copy_done: state.copy_done.to_string(),
            swap_type: state.swap_info.swap_type().to_string(),
        })
    }

    fn write(&self, lines: &mut Lines) {
        let Self { slot_size, max_align, image_ok, copy_done, swap_type } = self;
        let state = match image_ok.as_str() {
            "set" => "confirmed",
            "unset" => "tested once",
            _ => "with a bad image_ok",
        };
        lines.field("trailer", format_args!("slot of {slot_size:#x} bytes, {state}"));
        lines.inside(|lines| {
            lines.field("max_align", max_align);
            lines.field("image_ok", image_ok);
            lines.field("copy_done", copy_done);
            lines.field("swap_type", swap_type);
        });
    }
}
