//! Whole boots, over modelled flash.

mod anything;
mod bench;
mod builds;
mod decisions;
mod interrupted;
mod migrations;
mod refusals;
mod swaps;
