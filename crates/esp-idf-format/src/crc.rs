//! The CRC-32 that ESP-IDF takes of small things: otadata, NVS.

/// Reflected CRC-32 (polynomial 0x04c11db7), from register 0 instead of the usual all-ones, and
/// inverted at the end.
///
/// That is `esp_rom_crc32_le(UINT32_MAX, ..)`, which inverts what it is given. Bitwise, because a
/// table would be larger than everything else here, for a few bytes.
pub(crate) fn rom_crc32(bytes: &[u8]) -> u32 {
    /// The polynomial, reflected.
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut register = 0;
    for byte in bytes {
        register ^= u32::from(*byte);
        for _ in 0..u8::BITS {
            let carry = register & 1;
            register >>= 1;
            if carry != 0 {
                register ^= POLYNOMIAL;
            }
        }
    }
    !register
}
