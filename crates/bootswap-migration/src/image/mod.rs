//! What a file is, what it contains, and whether it is complete.
//!
//! ```text
//!   bytes ──> Kind ──┬─> Description: mcuboot, esp, tables, dump ──> text or JSON
//!                    └─> verify: one check after the other ────────> Verification
//! ```

mod bootloader;
mod carrier;
mod describe;
mod esp;
mod kind;
mod lines;
mod mcuboot;
mod migrator;
mod tables;
#[cfg(test)]
mod tests;
mod verify;

pub use bootloader::{BootloaderInfo, CompiledMapInfo, Fact, NumberedRegion, SignatureInfo};
pub use carrier::{CarrierInfo, CopyInfo, TrialInfo};
pub use describe::{Description, DumpInfo, FoundImage, PartitionContent};
pub use esp::{ContainerInfo, EspInfo, SegmentInfo};
pub use kind::FileKind;
pub use mcuboot::{McubootInfo, TlvInfo, TrailerInfo};
pub use migrator::{ArtifactInfo, MapInfo, MigrationInfo, MigratorInfo, NetworkInfo, WifiInfo};
pub use tables::{EntryInfo, OtadataInfo, PartitionInfo, TableInfo};
pub use verify::{Check, Verification, Wanted, verify};
