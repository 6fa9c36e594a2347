//! What the old firmware left in NVS: its network, or none, whole, damaged or encrypted.

use arbitrary::Result;
use flash_region::SECTOR_BYTES;

use super::choose::Choices;
use super::device::Device;

/// As ESP-IDF's own generator makes it: several namespaces, among them that of the Wi-Fi driver
/// with a network and its password.
const FLEET: &[u8] = include_bytes!("../../../bootswap-migrator/testdata/nvs.bin");

/// Offset and length of the password's value in it.
const PASSWORD: (usize, usize) = (0x2e0, 65);
/// Offset of the CRC of that value, in its entry.
const PASSWORD_CRC: usize = 0x2dc;
/// Offset of that entry.
const PASSWORD_ENTRY: usize = 0x2c0;

/// Puts contents into the device's NVS partitions, which have noise otherwise.
pub(super) fn put(u: &mut Choices<'_>, device: &mut Device) -> Result<()> {
    let is_apps = |region| device.apps().any(|app| app.overlaps(region));
    let nvs = device.partitions.iter().filter(|p| p.is_nvs() && !is_apps(p.region));
    let regions: Vec<_> = nvs.map(|p| p.region).collect();
    for region in regions {
        let mut nvs = match u.below(8)? {
            0 | 1 => continue,
            2 => vec![0xff; region.len_bytes() as usize],
            3 => open(),
            _ => FLEET.to_vec(),
        };
        match u.below(8)? {
            // An entry, or the head of its page, that a loss of power left half written.
            5 => {
                let at = u.below(u32::try_from(nvs.len()).expect("a small partition"))? as usize;
                if let Some(byte) = nvs.get_mut(at) {
                    *byte &= 0x5a;
                }
            }
            // Encrypted, as a partition of keys beside it says: all but the head of each page.
            6 => {
                for page in nvs.chunks_mut(SECTOR_BYTES as usize) {
                    page.iter_mut().skip(64).for_each(|byte| *byte ^= 0xa5);
                }
            }
            7 => nvs.truncate(SECTOR_BYTES as usize),
            _ => {}
        }
        let start = region.start().get() as usize;
        let room = device.dump.get_mut(start..).unwrap_or_default();
        let room = room.get_mut(..region.len_bytes() as usize).unwrap_or_default();
        room.fill(0xff);
        room.iter_mut().zip(nvs).for_each(|(to, from)| *to = from);
    }
    Ok(())
}

/// The same of a network without a password.
fn open() -> Vec<u8> {
    let mut nvs = FLEET.to_vec();
    let (at, len) = PASSWORD;
    nvs[at..at + len].fill(0);
    let crc = crc_of(&nvs[at..at + len]);
    nvs[PASSWORD_CRC..PASSWORD_CRC + 4].copy_from_slice(&crc.to_le_bytes());
    // An entry's own CRC is of all of it but that.
    let entry = &nvs[PASSWORD_ENTRY..PASSWORD_ENTRY + 32];
    let crc = crc_of(&[&entry[..4], &entry[8..]].concat());
    nvs[PASSWORD_ENTRY + 4..PASSWORD_ENTRY + 8].copy_from_slice(&crc.to_le_bytes());
    nvs
}

/// CRC-32 as NVS has it: `esp_rom_crc32_le` of 0xffffffff.
fn crc_of(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(u32::MAX);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use esp_idf_format::nvs::{Lookup, find};

    #[test]
    fn an_open_network_is_found_without_a_password() {
        let nvs = open();
        let mut ssid = Lookup::<36>::new("nvs.net80211", "sta.ssid");
        assert!(find(&nvs, &mut ssid).is_ok_and(|ssid| ssid[4..].starts_with(b"fleet\0")));
        let mut password = Lookup::<65>::new("nvs.net80211", "sta.pswd");
        assert!(find(&nvs, &mut password).is_ok_and(|password| password.iter().all(|b| *b == 0)));
    }
}
