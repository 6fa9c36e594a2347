//! The old firmware's network, from its NVS.
//!
//! ESP-IDF's Wi-Fi driver keeps it in the partition labelled `nvs`, in the namespace
//! `nvs.net80211`:
//!
//! ```text
//!   sta.ssid   0  length u32   4  SSID, 32 bytes
//!   sta.pswd   0  password, 65 bytes, up to a NUL
//! ```
//!
//! Both are binary values, which [`nvs::Lookup`] finds. NVS is never written.

use core::fmt;

use bootswap_config::{
    MAX_PASSWORD_LEN_BYTES as MAX_PASSWORD, MAX_SSID_LEN_BYTES as MAX_SSID, Wifi, WifiError,
};
use embedded_storage_async::nor_flash::ReadNorFlash;
use esp_idf_format::nvs::{self, Lookup, LookupProgress, NvsError};
use esp_idf_format::partition::Partition;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use heapless::{String, Vec};

/// Namespace of the Wi-Fi driver, and its keys.
const NAMESPACE: &str = "nvs.net80211";
const SSID: &str = "sta.ssid";
const PASSWORD: &str = "sta.pswd";
/// Label of the partition that ESP-IDF uses by default.
const LABEL: &str = "nvs";

/// Bytes of the longer one of both values: the password's. With room for that, the search for the
/// SSID (`wifi_ssid_t`, 36 bytes) is the same code.
const VALUE: usize = MAX_PASSWORD + 1;

/// The old firmware's network.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    ssid: Vec<u8, MAX_SSID>,
    password: String<MAX_PASSWORD>,
}

/// Why the old firmware's network is not known.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CredentialsError<E> {
    /// Flash cannot be read.
    Flash(E),
    /// There is no NVS partition.
    NoPartition,
    /// The value is not in the partition.
    Nvs {
        /// The value that was looked for.
        key: &'static str,
        /// Why it is not there.
        cause: NvsError,
    },
    /// The old firmware was never in a network.
    Unset,
    /// A value is not what the Wi-Fi driver writes.
    Malformed {
        /// Its key.
        key: &'static str,
    },
}

impl Credentials {
    /// Reads them from NVS. `buffer` has room for a page of it.
    ///
    /// # Errors
    ///
    /// A [`CredentialsError`] if they are missing or damaged.
    pub async fn on<F: ReadNorFlash>(
        flash: &mut F,
        partitions: &[Partition],
        buffer: &mut [u8; SECTOR_BYTES as usize],
    ) -> Result<Self, CredentialsError<F::Error>> {
        let partition = partition(partitions).ok_or(CredentialsError::NoPartition)?;
        let ssid = value(flash, partition, SSID, buffer).await?;
        let ssid = ssid_of(ssid.value())?;
        let password = value(flash, partition, PASSWORD, buffer).await;
        let password = match password {
            Ok(password) => password_of(password.value())?,
            // An open network may have no password.
            Err(CredentialsError::Nvs { cause: NvsError::NoKey, .. }) => String::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { ssid, password })
    }

    /// The network.
    ///
    /// # Errors
    ///
    /// A [`WifiError`] if name or password are invalid.
    pub fn wifi(&self) -> Result<Wifi<'_>, WifiError> {
        Wifi::new(self.ssid.as_slice(), &self.password)
    }
}

/// The partition with ESP-IDF's default label, else the first NVS partition.
fn partition(partitions: &[Partition]) -> Option<Region> {
    let mut all = partitions.iter().filter(|partition| partition.is_nvs());
    let usual = all.clone().find(|partition| partition.label.as_str() == Some(LABEL));
    usual.or_else(|| all.next()).map(|partition| partition.region)
}

/// Looks for a value, page by page.
async fn value<F: ReadNorFlash>(
    flash: &mut F,
    partition: Region,
    key: &'static str,
    page: &mut [u8; nvs::PAGE_LEN_BYTES],
) -> Result<Lookup<'static, VALUE>, CredentialsError<F::Error>> {
    let mut lookup = Lookup::new(NAMESPACE, key);
    loop {
        for region in partition.chunks(SECTOR_BYTES).filter(|r| r.len_bytes() == SECTOR_BYTES) {
            let at: FlashAddr = region.start();
            flash.read(at.get(), page).await.map_err(CredentialsError::Flash)?;
            lookup.page(page);
        }
        match lookup.turn() {
            Ok(LookupProgress::Again) => {}
            Ok(LookupProgress::Found) => return Ok(lookup),
            Err(cause) => return Err(CredentialsError::Nvs { key, cause }),
        }
    }
}

fn ssid_of<E>(value: &[u8]) -> Result<Vec<u8, MAX_SSID>, CredentialsError<E>> {
    let malformed = CredentialsError::Malformed { key: SSID };
    let Some((len, bytes)) = value.split_first_chunk::<4>() else { return Err(malformed) };
    match usize::try_from(u32::from_le_bytes(*len)) {
        _ if bytes.len() > MAX_SSID => Err(malformed),
        Ok(0) => Err(CredentialsError::Unset),
        // A name consists of bytes, in whatever encoding its access point uses.
        Ok(len) => bytes.get(..len).and_then(|name| Vec::from_slice(name).ok()).ok_or(malformed),
        Err(_) => Err(malformed),
    }
}

fn password_of<E>(value: &[u8]) -> Result<String<MAX_PASSWORD>, CredentialsError<E>> {
    let len = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    let bytes = value.get(..len).and_then(text);
    bytes.ok_or(CredentialsError::Malformed { key: PASSWORD })
}

fn text<const N: usize>(bytes: &[u8]) -> Option<String<N>> {
    let text = core::str::from_utf8(bytes).ok()?;
    String::try_from(text).ok()
}

/// The password must not appear in logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("wifi", &self.wifi()).finish_non_exhaustive()
    }
}

impl<E: fmt::Debug> fmt::Display for CredentialsError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "flash cannot be read: {error:?}"),
            Self::NoPartition => {
                f.write_str("the partition table has no NVS with the old firmware's network")
            }
            Self::Nvs { key, cause } => write!(f, "the old firmware's network, {key}: {cause}"),
            Self::Unset => f.write_str("the old firmware was not in a network"),
            Self::Malformed { key } => {
                write!(f, "the old firmware's network: {key} is not as ESP-IDF writes it")
            }
        }
    }
}

impl<E: fmt::Debug> core::error::Error for CredentialsError<E> {}

#[cfg(test)]
mod tests;
