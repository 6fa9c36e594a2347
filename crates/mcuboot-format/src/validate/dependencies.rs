//! The other images that an image needs.

use core::fmt;

use crate::tlv::Dependency;

/// Dependencies that an image may have. MCUboot sets no limit, but no image has more than there are
/// other images in the device.
pub const MAX_DEPENDENCIES: usize = 8;

/// The dependencies of an image, at most [`MAX_DEPENDENCIES`].
#[derive(Clone, Copy, Default)]
pub struct Dependencies {
    list: [Dependency; MAX_DEPENDENCIES],
    count: usize,
}

impl Dependencies {
    /// The dependencies in their order in the image.
    #[must_use]
    pub fn as_slice(&self) -> &[Dependency] {
        self.list.get(..self.count).unwrap_or(&self.list)
    }

    /// `None` where there is no room for one more.
    pub(super) fn add(&mut self, dependency: Dependency) -> Option<()> {
        *self.list.get_mut(self.count)? = dependency;
        self.count += 1;
        Some(())
    }
}

impl PartialEq for Dependencies {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Dependencies {}

impl fmt::Debug for Dependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}
