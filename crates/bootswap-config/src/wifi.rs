//! A Wi-Fi network that a device may join.

use core::fmt;

use esp_idf_format::FixedText;

/// Longest SSID in bytes (IEEE 802.11-2020, 9.4.2.2 "SSID element").
pub const MAX_SSID_LEN_BYTES: usize = 32;
/// Shortest and longest passphrase in bytes (IEEE 802.11-2020, annex J.4.1 "Introduction").
const PASSPHRASE_LEN_BYTES: core::ops::RangeInclusive<usize> = 8..=63;
/// Length of a pre-shared key of 256 bits, written in hexadecimal digits.
const KEY_DIGITS: usize = 64;
/// Longest password in bytes, which is such a key.
pub const MAX_PASSWORD_LEN_BYTES: usize = KEY_DIGITS;

/// A network with a name and a password that Wi-Fi allows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Wifi<'a> {
    ssid: &'a [u8],
    password: &'a str,
}

/// Why a network is not possible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WifiError {
    /// The SSID is empty.
    NoSsid,
    /// The SSID is longer than 32 bytes.
    LongSsid {
        /// Its length in bytes.
        len_bytes: usize,
    },
    /// The password is neither empty nor of 8 to 63 bytes nor of 64 hexadecimal digits.
    PasswordLength {
        /// Its length in bytes.
        len_bytes: usize,
    },
    /// The password has 64 bytes, which are not all hexadecimal digits.
    NotHex,
    /// SSID or password has a NUL in it, which drivers treat as its end.
    Nul,
}

impl<'a> Wifi<'a> {
    /// The network with this name and password; the password of an open network is empty.
    ///
    /// A name is bytes. Most names are UTF-8, but an access point may send any bytes.
    ///
    /// # Errors
    ///
    /// A [`WifiError`] if no access point can have that name or that password.
    pub fn new<S: AsRef<[u8]> + ?Sized>(ssid: &'a S, password: &'a str) -> Result<Self, WifiError> {
        let ssid = ssid.as_ref();
        if ssid.is_empty() {
            return Err(WifiError::NoSsid);
        }
        if ssid.len() > MAX_SSID_LEN_BYTES {
            return Err(WifiError::LongSsid { len_bytes: ssid.len() });
        }
        match password.len() {
            0 => {}
            KEY_DIGITS if password.bytes().all(|byte| byte.is_ascii_hexdigit()) => {}
            KEY_DIGITS => return Err(WifiError::NotHex),
            len if PASSPHRASE_LEN_BYTES.contains(&len) => {}
            len_bytes => return Err(WifiError::PasswordLength { len_bytes }),
        }
        if ssid.contains(&0) || password.as_bytes().contains(&0) {
            return Err(WifiError::Nul);
        }
        Ok(Self { ssid, password })
    }

    /// Its name, 1 to 32 bytes.
    #[must_use]
    pub const fn ssid(&self) -> &'a [u8] {
        self.ssid
    }

    /// Its name for display: bytes that are not UTF-8 are shown as `\xNN`.
    #[must_use]
    pub fn shown_ssid(&self) -> FixedText<MAX_SSID_LEN_BYTES> {
        let mut field = [0; MAX_SSID_LEN_BYTES];
        field.iter_mut().zip(self.ssid).for_each(|(to, byte)| *to = *byte);
        FixedText::from_bytes(field)
    }

    /// Its password: empty, a passphrase of 8 to 63 bytes, or a key of 64 hexadecimal digits.
    #[must_use]
    pub const fn password(&self) -> &'a str {
        self.password
    }

    /// Whether it is joined without a password.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.password.is_empty()
    }
}

/// Passwords stay out of logs.
impl fmt::Debug for Wifi<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = if self.is_open() { "" } else { "********" };
        f.debug_struct("Wifi")
            .field("ssid", &self.shown_ssid())
            .field("password", &password)
            .finish()
    }
}

impl fmt::Display for WifiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSsid => f.write_str("the SSID is empty"),
            Self::LongSsid { len_bytes } => {
                write!(
                    f,
                    "the SSID has {len_bytes} bytes; it can have at most {MAX_SSID_LEN_BYTES}"
                )
            }
            Self::PasswordLength { len_bytes } => write!(
                f,
                "the password has {len_bytes} bytes; it must have none, 8 to 63, or be \
                 {KEY_DIGITS} hexadecimal digits"
            ),
            Self::NotHex => write!(
                f,
                "the password has {KEY_DIGITS} bytes, so all of them must be hexadecimal digits"
            ),
            Self::Nul => f.write_str("the SSID or the password contains a NUL"),
        }
    }
}

impl core::error::Error for WifiError {}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::format;

    #[test]
    fn names_and_passwords_that_wifi_allows_are_accepted() {
        let ssid = "s".repeat(32);
        for password in ["", "8 bytes!", &"p".repeat(63), &"0aF9".repeat(16)] {
            let wifi = Wifi::new(&ssid, password).unwrap();
            assert_eq!((wifi.ssid(), wifi.password()), (ssid.as_bytes(), password));
            assert_eq!(wifi.is_open(), password.is_empty());
        }
    }

    #[test]
    fn names_and_passwords_that_wifi_does_not_allow_are_refused() {
        let long = "s".repeat(33);
        assert_eq!(Wifi::new("", "password"), Err(WifiError::NoSsid));
        assert_eq!(Wifi::new(&long, "password"), Err(WifiError::LongSsid { len_bytes: 33 }));
        assert_eq!(Wifi::new("a", "7 bytes"), Err(WifiError::PasswordLength { len_bytes: 7 }));
        assert_eq!(
            Wifi::new("a", &"0".repeat(65)),
            Err(WifiError::PasswordLength { len_bytes: 65 })
        );
        assert_eq!(Wifi::new("a", &"g".repeat(64)), Err(WifiError::NotHex));
        assert_eq!(Wifi::new("a\0b", "password"), Err(WifiError::Nul));
        assert_eq!(Wifi::new("a", "pass\0word"), Err(WifiError::Nul));
    }

    #[test]
    fn a_name_is_bytes() {
        let wifi = Wifi::new(b"caf\xe9", "password").unwrap();
        assert_eq!(wifi.ssid(), b"caf\xe9");
        assert_eq!(format!("{}", wifi.shown_ssid()), r"caf\xe9");
        assert_eq!(format!("{}", Wifi::new("café", "").unwrap().shown_ssid()), "café");
    }

    #[test]
    fn the_password_is_not_logged() {
        let wifi = Wifi::new("fleet", "correct horse").unwrap();
        assert_eq!(format!("{wifi:?}"), r#"Wifi { ssid: "fleet", password: "********" }"#);
    }
}
