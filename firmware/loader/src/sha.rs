//! SHA-256 by the mask ROM, which drives the accelerator.

use flash_region::FlashAddr;

use crate::flash::{at, read};

unsafe extern "C" {
    fn ets_sha_enable();
    fn ets_sha_disable();
    fn ets_sha_init(context: *mut Context, kind: u32) -> u32;
    fn ets_sha_starts(context: *mut Context, sha512_t: u16) -> u32;
    fn ets_sha_update(context: *mut Context, bytes: *const u32, len_bytes: u32, update: bool);
    fn ets_sha_finish(context: *mut Context, digest: *mut u32) -> u32;
}

/// `SHA2_256` (`SHA_TYPE`, `rom/sha.h`).
const SHA2_256: u32 = 2;
/// Words that are hashed together.
const PIECE_WORDS: usize = 64;

/// `SHA_CTX` of `rom/sha.h`: two flags, kind, 16 words of state, 128 bytes of buffer, 4 words of
/// length, which are 216 bytes.
#[repr(C, align(16))]
struct Context([u32; 64]);

/// Whether the SHA-256 of `len_bytes` of flash is equal to the 32 bytes that follow them. The
/// accelerator is off afterwards, as the ROM leaves it.
pub fn is_followed_by_digest(addr: FlashAddr, len_bytes: u32) -> bool {
    let mut context = Context([0; 64]);
    // Safety: the context is larger than the ROM's type, and this is the only digest under way.
    unsafe {
        ets_sha_enable();
        ets_sha_init(&mut context, SHA2_256);
        ets_sha_starts(&mut context, 0);
    }
    let mut piece = [0; PIECE_WORDS];
    let mut done_bytes = 0;
    while done_bytes < len_bytes {
        read(at(addr, done_bytes), &mut piece);
        let piece_bytes = size_of_val(&piece) as u32;
        let piece_bytes = piece_bytes.min(len_bytes - done_bytes);
        // Safety: the context was begun, and so many bytes are in the piece.
        unsafe { ets_sha_update(&mut context, piece.as_ptr(), piece_bytes, false) };
        done_bytes += piece_bytes;
    }
    let [mut found, mut wanted] = [[0; 8]; 2];
    // Safety: the context was begun, and a digest has 32 bytes.
    unsafe {
        ets_sha_finish(&mut context, found.as_mut_ptr());
        ets_sha_disable();
    }
    read(at(addr, len_bytes), &mut wanted) && found == wanted
}
