//! For emulators alone: digests of what this code makes of inputs that are in flash, for comparison
//! with the host's.

use bootswap_migrator::Log;
use cross_check::{HEAD_LEN_BYTES, Head, MAX_LEN_BYTES, RECORDS_ADDR, digest};
use embedded_storage_async::nor_flash::ReadNorFlash;
use flash_region::Hex;
use static_cell::ConstStaticCell;

use crate::flash::Flash;

/// An input, aligned for the flash driver.
#[repr(align(4))]
struct Input([u8; MAX_LEN_BYTES as usize]);

static INPUT: ConstStaticCell<Input> = ConstStaticCell::new(Input([0; MAX_LEN_BYTES as usize]));

/// Prints the digest for each input in flash; whether there is one.
pub async fn answers(flash: &mut Flash, log: Log<'_>) -> bool {
    let input = INPUT.take();
    let mut at = RECORDS_ADDR.get();
    let mut number = 0;
    loop {
        let mut head = [0; HEAD_LEN_BYTES as usize];
        if flash.read(at, &mut head).await.is_err() {
            break;
        }
        let Some(Head { kind, len_bytes }) = Head::from_bytes(head) else { break };
        let padded_bytes = len_bytes.next_multiple_of(4);
        let Some(padded) = input.0.get_mut(..padded_bytes as usize) else { break };
        if flash.read(at + HEAD_LEN_BYTES, padded).await.is_err() {
            break;
        }
        let digest = digest(kind, input.0.get(..len_bytes as usize).unwrap_or_default());
        log.info(format_args!("input {number}: {}", Hex(&digest)));
        number += 1;
        at += HEAD_LEN_BYTES + padded_bytes;
    }
    number > 0
}
