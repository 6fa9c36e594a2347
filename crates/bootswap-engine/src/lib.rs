//! The engine: executes a [`Plan`](bootswap_plan::Plan) on a device's flash.
//!
//! It is asynchronous, without allocation, and the same on a chip and on a host: flash is anything
//! that implements the NOR flash traits of `embedded-storage-async`, artifacts come from anything
//! that implements [`Source`], and everything else that is needed from a device is in [`Platform`].
//!
//! ```text
//!                 +------------- Engine::run -------------+
//!   Source -----> | Receiver -> sector -> writer -> flash | <--- Journal: checkpoints
//!   (HTTP,        |    '-> Scan: digest, image, trailer   |
//!    embedded)    | verify again -> commit -> Ok(Done)    | ---> Platform: events, supply check
//!                 +---------------------------------------+
//! ```
//!
//! # Power-fail safety
//!
//! Every step has a postcondition that is read from flash. After a reset the engine goes through
//! the plan from the start and skips what already holds. Nothing before the commit touches what the
//! device boots from, so a power cut there leaves a device that boots the migrator again; the
//! commit is the one exception, and as short as [`commit`](crate::Engine::run) can make it.
//!
//! # Example
//!
//! ```
//! use bootswap_engine::{Buffers, Done, Engine, Failure, Job, Platform, Source};
//! use embedded_storage_async::nor_flash::NorFlash;
//!
//! /// Carries out the plan that `bootswap_plan::plan` made for this device.
//! async fn migrate<'j, F: NorFlash>(
//!     flash: &mut F,
//!     source: &mut impl Source,
//!     platform: &mut impl Platform,
//!     job: &Job<'j>,
//! ) -> Result<Done, Failure<F::Error, &'j str>> {
//!     let mut buffers = Buffers::new();
//!     Engine::new(flash, source, platform, &mut buffers, &mut []).run(job).await
//! }
//! ```
//!
//! Start reading at [`Engine::run`].
#![no_std]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

#[cfg(test)]
extern crate std;

mod apart;
mod attempts;
mod block;
mod carrier;
mod chain;
mod check;
mod commit;
mod confirm;
mod copies;
mod copy;
mod crc;
mod embedded;
mod erase;
mod error;
mod event;
mod examine;
mod fetch;
#[cfg(feature = "http")]
mod http;
mod item;
mod job;
mod journal;
mod medium;
mod platform;
mod receive;
mod refusal;
mod routes;
mod run;
mod scan;
mod select;
mod source;
mod starts;
mod trailers;
mod verify;
mod window;
mod work;
mod writer;

#[doc(hidden)]
pub use apart::poll_apart;
pub use attempts::{Begun, MAX_PLACES, arrived, begin, forget_attempts};
pub use carrier::CarrierFault;
pub use embedded::{
    CONTAINER_ALIGN_BYTES, ContainerEntry, ContainerError, ContainerHeader, MAX_CONTAINER_ENTRIES,
    Offline,
};
pub use error::{Failure, FlashFailure, FlashOp, ImageFault, PlanError, StepFault};
pub use event::{Advice, Event};
pub use examine::{examine, examine_files};
#[cfg(feature = "http")]
pub use http::{HTTP_BUFFER_BYTES, HttpSource};
pub use job::Job;
pub use platform::{Platform, Veto};
pub use run::{Done, Engine};
pub use select::select_app;
pub use source::{
    Encoding, Flow, Header, MAX_HEAD_LEN_BYTES, MAX_REDIRECT_URL_LEN_BYTES, MAX_REDIRECTS,
    RedirectFault, Request, Sink, Source, SourceError,
};
pub use work::Buffers;

#[cfg(test)]
mod tests;
