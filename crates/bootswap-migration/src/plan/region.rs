//! A region of flash, for scripts.

use flash_region::Region;
use serde::Serialize;

/// A region of flash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegionReport {
    /// First address.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

impl From<Region> for RegionReport {
    fn from(region: Region) -> Self {
        Self { offset: region.start().get(), size: region.len_bytes() }
    }
}
