//! Why bytes were not accepted, when received or in flash.

use bootswap_plan::ArtifactIndex;

use crate::{Failure, FlashFailure, ImageFault};

/// Why bytes were not accepted.
#[derive(Debug)]
pub(crate) enum Refusal<E> {
    /// They are not what they should be. A retry or another server may give better ones.
    Image(ImageFault),
    /// The device cannot continue.
    Failure(Failure<E>),
}

impl<E> Refusal<E> {
    /// The failure that ends an attempt with this artifact.
    pub(crate) fn of(self, artifact: ArtifactIndex) -> Failure<E> {
        match self {
            Self::Image(fault) => Failure::Image { artifact, fault },
            Self::Failure(failure) => failure,
        }
    }
}

impl<E> From<ImageFault> for Refusal<E> {
    fn from(fault: ImageFault) -> Self {
        Self::Image(fault)
    }
}

impl<E> From<Failure<E>> for Refusal<E> {
    fn from(failure: Failure<E>) -> Self {
        Self::Failure(failure)
    }
}

impl<E> From<FlashFailure<E>> for Refusal<E> {
    fn from(failure: FlashFailure<E>) -> Self {
        Self::Failure(Failure::Flash(failure))
    }
}
