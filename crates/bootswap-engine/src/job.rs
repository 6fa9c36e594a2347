//! What the engine is asked to do.

use bootswap_plan::{DeviceFacts, Migration, Origin, Plan, Step, Target};
use flash_region::Region;
use mcuboot_format::key::PublicKey;
use sha2::{Digest, Sha256};

/// The job of the engine.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// What the owner wants.
    pub migration: &'a Migration<'a>,
    /// The facts of the device.
    pub facts: &'a DeviceFacts<'a>,
    /// The plan, from [`bootswap_plan::plan`] for these two.
    pub plan: &'a Plan,
    /// Where the container of embedded artifacts is, if there is one.
    pub container: Option<Region>,
}

impl Job<'_> {
    /// The key of the target bootloader, from [`key_of`].
    pub(crate) fn key(&self) -> Option<Option<PublicKey>> {
        key_of(self.migration)
    }

    /// Distinguishes this migration from others in the journal: a digest over what it fetches and
    /// where it writes it, cut to 32 bits. A collision costs a wasted download, which the digests
    /// detect.
    pub(crate) fn tag(&self) -> u32 {
        let mut sha256 = Sha256::new();
        for artifact in self.migration.artifacts {
            sha256.update(artifact.name.as_bytes());
            sha256.update(artifact.sha256.unwrap_or_default());
            sha256.update(artifact.len_bytes.unwrap_or(0).to_le_bytes());
            if let Origin::Url(url) = artifact.origin {
                sha256.update(url.as_bytes());
            }
        }
        for step in &self.plan.steps {
            if let Step::Fetch { routes, .. } = step {
                for route in routes {
                    sha256.update(route.file_offset.to_le_bytes());
                    if let Target::Flash(place) = route.to {
                        sha256.update(place.start().get().to_le_bytes());
                    }
                }
            }
        }
        let digest: [u8; 32] = sha256.finalize().into();
        u32::from_le_bytes(crate::scan::head(&digest))
    }
}

/// The key of the target bootloader; `Some(None)` if it has none, `None` if this build cannot use
/// it.
pub(crate) fn key_of(migration: &Migration<'_>) -> Option<Option<PublicKey>> {
    match migration.mcuboot.as_ref().and_then(|map| map.key_der) {
        Some(der) => PublicKey::from_known_der(der).map(Some),
        None => Some(None),
    }
}
