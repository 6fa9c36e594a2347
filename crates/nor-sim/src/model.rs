//! A stack of decorators with a memory at its bottom.

use crate::{NorDevice, NorMemory};

/// A [`NorDevice`] whose bytes are held by a [`NorMemory`] at the bottom of the stack.
///
/// `stack.memory().clone()` is a snapshot, whatever decorators lie on top.
pub trait NorModel: NorDevice {
    /// The memory at the bottom.
    fn memory(&self) -> &NorMemory;

    /// The memory at the bottom, past all decorators: for changes to the flash that the device
    /// itself does not make.
    fn memory_mut(&mut self) -> &mut NorMemory;
}

impl NorModel for NorMemory {
    fn memory(&self) -> &NorMemory {
        self
    }

    fn memory_mut(&mut self) -> &mut NorMemory {
        self
    }
}

impl<D: NorModel + ?Sized> NorModel for &mut D {
    fn memory(&self) -> &NorMemory {
        D::memory(self)
    }

    fn memory_mut(&mut self) -> &mut NorMemory {
        D::memory_mut(self)
    }
}

impl<D: NorModel + ?Sized> NorModel for Box<D> {
    fn memory(&self) -> &NorMemory {
        D::memory(self)
    }

    fn memory_mut(&mut self) -> &mut NorMemory {
        D::memory_mut(self)
    }
}

/// The parts that every decorator around a field `inner` has in common.
macro_rules! decorator {
    ($name:ident) => {
        impl<D> $name<D> {
            /// What lies underneath.
            pub fn inner(&self) -> &D {
                &self.inner
            }

            /// What lies underneath, to be changed.
            pub fn inner_mut(&mut self) -> &mut D {
                &mut self.inner
            }

            /// What lies underneath, without this decorator.
            pub fn into_inner(self) -> D {
                self.inner
            }
        }

        impl<D: crate::NorModel> crate::NorModel for $name<D> {
            fn memory(&self) -> &crate::NorMemory {
                self.inner.memory()
            }

            fn memory_mut(&mut self) -> &mut crate::NorMemory {
                self.inner.memory_mut()
            }
        }
    };
}
pub(crate) use decorator;
