//! With a partition that ESP-IDF's own generator made from `testdata/nvs.csv`; a conformance test
//! makes it again.

#![allow(clippy::unwrap_used)]

use core::convert::Infallible;
use std::string::{String as Text, ToString};
use std::vec::Vec;

use embassy_futures::block_on;
use embedded_storage_async::nor_flash::ErrorType;
use esp_idf_format::FixedText;
use esp_idf_format::partition::{PartitionType, subtype};

use super::*;

const NVS: &[u8] = include_bytes!("../../testdata/nvs.bin");
const START: u32 = 0x9000;

/// Flash that is only ever read.
struct Flash(Vec<u8>);

impl ErrorType for Flash {
    type Error = Infallible;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 4;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        let start = offset as usize;
        bytes.copy_from_slice(&self.0[start..start + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

fn nvs_at(label: &str, start: u32) -> Partition {
    Partition {
        kind: PartitionType::Data,
        subtype: subtype::NVS,
        region: Region::clamped(FlashAddr(start), u32::try_from(NVS.len()).unwrap()),
        label: FixedText::new(label).unwrap(),
        flags: 0,
    }
}

fn read(
    nvs: &[u8],
    partitions: &[Partition],
) -> Result<(Text, Text), CredentialsError<Infallible>> {
    let mut flash = std::vec![0xff; START as usize];
    flash.extend(nvs);
    let (mut flash, mut buffer) = (Flash(flash), [0; SECTOR_BYTES as usize]);
    let found = block_on(Credentials::on(&mut flash, partitions, &mut buffer))?;
    let wifi = found.wifi().unwrap();
    Ok((wifi.shown_ssid().to_string(), wifi.password().to_string()))
}

fn found(nvs: &[u8]) -> Result<(Text, Text), CredentialsError<Infallible>> {
    read(nvs, &[nvs_at("nvs", START)])
}

#[test]
fn the_old_network_is_found() {
    let network = ("fleet".to_string(), "correct horse".to_string());
    assert_eq!(found(NVS), Ok(network.clone()));
    // The partition with the usual label is used, else the first.
    let partitions = [nvs_at("config", 0), nvs_at("nvs", START)];
    assert_eq!(read(NVS, &partitions), Ok(network.clone()));
    assert_eq!(read(NVS, &[nvs_at("settings", START)]), Ok(network));
}

#[test]
fn why_it_is_not_there_is_said() {
    assert_eq!(read(NVS, &[]), Err(CredentialsError::NoPartition));
    let nvs = |key, cause| Err(CredentialsError::Nvs { key, cause });
    assert_eq!(found(&[0xff; 0x3000]), nvs(SSID, NvsError::NoPages));
    let mut damaged = NVS.to_vec();
    // The value of `sta.pswd`, and that of `sta.ssid`.
    damaged[0x2e0] ^= 1;
    assert_eq!(found(&damaged), nvs(PASSWORD, NvsError::Damaged));
    damaged[0xc4] ^= 1;
    assert_eq!(found(&damaged), nvs(SSID, NvsError::Damaged));
    let mut encrypted = NVS.to_vec();
    encrypted[0x40..0x1000].iter_mut().for_each(|byte| *byte ^= 0xa5);
    let error = found(&encrypted).unwrap_err();
    assert!(error.to_string().contains("it is encrypted, or damaged"), "{error}");
}

#[test]
fn values_that_the_driver_does_not_write_are_refused() {
    let ssid = |len: u32, name: &[u8]| {
        let mut value = [0; 4 + MAX_SSID];
        value[..4].copy_from_slice(&len.to_le_bytes());
        value[4..4 + name.len()].copy_from_slice(name);
        ssid_of::<Infallible>(&value).map(|ssid| ssid.to_vec())
    };
    fn malformed<T>(key: &'static str) -> Result<T, CredentialsError<Infallible>> {
        Err(CredentialsError::Malformed { key })
    }
    assert_eq!(ssid(32, &[b's'; 32]), Ok("s".repeat(32).into_bytes()));
    assert_eq!(ssid(3, b"fleet"), Ok(b"fle".to_vec()));
    assert_eq!(ssid(0, b""), Err(CredentialsError::Unset));
    assert_eq!(ssid(33, b""), malformed(SSID));
    assert_eq!(ssid(u32::MAX, b""), malformed(SSID));
    assert_eq!(ssid(2, &[0xff, 0xfe]), Ok([0xff, 0xfe].into()), "a name is bytes");
    assert_eq!(
        ssid_of::<Infallible>(&[1; 37]).map(|_| ()),
        Err(CredentialsError::Malformed { key: SSID })
    );
    assert_eq!(
        ssid_of::<Infallible>(b"abc").map(|_| ()),
        Err(CredentialsError::Malformed { key: SSID })
    );
    let password = |value: &[u8]| password_of::<Infallible>(value).map(|word| word.to_string());
    assert_eq!(password(b"secret\0of before"), Ok("secret".to_string()));
    assert_eq!(password(&[0; 65]), Ok(Text::new()));
    assert_eq!(password(&[b'f'; 64]), Ok("f".repeat(64)));
    assert_eq!(password(&[b'f'; 65]), malformed(PASSWORD));
}

#[test]
fn the_password_stays_out_of_logs() {
    let credentials = Credentials {
        ssid: super::Vec::from_slice(b"fleet").unwrap(),
        password: String::try_from("correct horse").unwrap(),
    };
    let said = std::format!("{credentials:?}");
    assert!(said.contains("fleet") && !said.contains("horse"), "{said}");
}
