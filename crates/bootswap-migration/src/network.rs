//! `[network]` and `[log]`: how a migrator joins a network, and its log level.
//!
//! ```toml
//! [network]
//! old_credentials = true                 # try the network of the old firmware, from its NVS
//! hostname        = "sensor"             # for DHCP servers
//! rescue          = { ssid = "rescue" }  # tried last: opened near a device that finds no other
//!
//! [[network.wifi]]                       # tried first, in this order
//! ssid     = "fleet"
//! password = "correct horse"             # left out for a network without
//!
//! [log]
//! level = "info"                         # off | error | warn | info | debug | trace
//! ```

use bootswap_config::{LogLevel, MAX_NETWORKS, Wifi, WifiError, is_hostname};

use crate::keys::{SSID_HEX_HELP, hostname_help, ssid_of_hex};
use crate::owned::{OwnedNetwork, OwnedWifi};
use crate::problem::{At, Problem};
use crate::reader::{Field, Table};

/// Reads `[network]`.
pub(crate) fn network(table: &Table<'_>) -> Result<OwnedNetwork, Problem> {
    let entries = table.tables("wifi")?;
    if let Some(entry) = entries.get(MAX_NETWORKS) {
        return Err(entry.here().problem(
            format_args!("there are more than {MAX_NETWORKS} networks"),
            "leave some out: a device tries all of them in every attempt",
        ));
    }
    let defaults = OwnedNetwork::default();
    Ok(OwnedNetwork {
        wifi: entries.iter().map(wifi).collect::<Result<_, _>>()?,
        old_credentials: match table.optional("old_credentials") {
            Some(_) => table.truth("old_credentials")?,
            None => defaults.old_credentials,
        },
        rescue: table.table("rescue")?.as_ref().map(wifi).transpose()?,
        hostname: table.optional("hostname").map(hostname).transpose()?,
    })
}

/// Reads `[log]`.
pub(crate) fn log_level(table: &Table<'_>) -> Result<LogLevel, Problem> {
    Ok(table.parsed("level")?.unwrap_or_default())
}

fn wifi(table: &Table<'_>) -> Result<OwnedWifi, Problem> {
    let ssid = ssid(table)?;
    let password = table.text("password")?;
    let word = password.as_ref().map_or("", |password| password.value.as_str());
    // The password itself is kept out of messages.
    Wifi::new(&ssid.value, word).map_err(|error| match (&error, &password) {
        (WifiError::PasswordLength { .. } | WifiError::NotHex, Some(password)) => password.problem(
            error,
            "write the password as it is, or the key of 64 digits; leave it out for an open \
             network",
        ),
        _ => ssid.problem(error, "write the network's name as set in its access point"),
    })?;
    Ok(OwnedWifi {
        ssid: ssid.value,
        password: password.map(|password| password.value).unwrap_or_default(),
    })
}

/// The name of a network, as text or in hexadecimal digits.
fn ssid(table: &Table<'_>) -> Result<At<Vec<u8>>, Problem> {
    let Some(digits) = table.text("ssid_hex")? else {
        let ssid = table.required("ssid", "\"name of the network\"")?.text()?;
        return Ok(ssid.with(ssid.value.as_bytes().to_vec()));
    };
    if table.optional("ssid").is_some() {
        return Err(digits.problem("`ssid` and `ssid_hex` both name the network", "leave one out"));
    }
    match ssid_of_hex(&digits.value) {
        Some(bytes) => Ok(digits.with(bytes)),
        None => Err(digits.problem(format_args!("found {:?}", digits.value), SSID_HEX_HELP)),
    }
}

fn hostname(field: Field<'_>) -> Result<String, Problem> {
    let name = field.text()?;
    if is_hostname(name.value) {
        Ok(name.value.to_owned())
    } else {
        let message = format_args!("{:?} cannot be a host name", name.value);
        Err(name.problem(message, hostname_help()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OwnedMigration;
    use crate::spec;

    const REST: &str = "chip = \"esp32c3\"\n[app]\nurl = \"http://a/b\"\ndest = 0\nsize = 1\n";

    fn parse(tables: &str) -> Result<OwnedMigration, Problem> {
        spec::parse(&format!("{REST}{tables}")).map(|spec| spec.migration)
    }

    /// The field, what is wrong with it, what to do, and the part of the text that the error marks.
    fn problem(tables: &str) -> [String; 4] {
        let Problem { field, message, help, span, .. } = parse(tables).unwrap_err();
        let text = format!("{REST}{tables}");
        [field, message, help, text[span].to_owned()]
    }

    #[test]
    fn everything_can_be_said() {
        let spec = parse(
            "[network]\nold_credentials = false\nhostname = \"sensor-17\"\n\
             rescue = { ssid = \"rescue\" }\n\
             [[network.wifi]]\nssid = \"fleet\"\npassword = \"correct horse\"\n\
             [[network.wifi]]\nssid = \"workshop\"\n\
             [[network.wifi]]\nssid_hex = \"636166E9\"\n\
             [log]\nlevel = \"debug\"\n",
        );
        let OwnedMigration { network, log_level, .. } = spec.unwrap();
        let wifi = |ssid: &str, password: &str| OwnedWifi {
            ssid: ssid.as_bytes().to_vec(),
            password: password.to_owned(),
        };
        let wanted = OwnedNetwork {
            wifi: vec![
                wifi("fleet", "correct horse"),
                wifi("workshop", ""),
                OwnedWifi { ssid: b"caf\xe9".to_vec(), password: String::new() },
            ],
            old_credentials: false,
            rescue: Some(wifi("rescue", "")),
            hostname: Some("sensor-17".to_owned()),
        };
        assert_eq!((network, log_level), (wanted, LogLevel::Debug));
    }

    #[test]
    fn nothing_has_to_be_said() {
        for tables in ["", "[network]\n[log]\n"] {
            let OwnedMigration { network, log_level, .. } = parse(tables).unwrap();
            assert_eq!((network, log_level), (OwnedNetwork::default(), LogLevel::Info));
        }
        assert!(OwnedNetwork::default().old_credentials);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (tables, field, message, help, place) in [
            ("[network]\nwlan = 1\n", "network.wlan", "no such key", "wifi", "wlan"),
            ("[network]\nssid = 1\n", "network.ssid", "no such key", "the keys here are", "ssid"),
            (
                "[[network.wifi]]\npassword = \"12345678\"\n",
                "network.wifi[0].ssid",
                "missing",
                "ssid",
                "[[network.wifi]]",
            ),
            (
                "[[network.wifi]]\nssid = \"a\"\n\
                 [[network.wifi]]\nssid = \"b\"\npassword = \"short\"\n",
                "network.wifi[1].password",
                "5 bytes; it must have none, 8 to 63, or be 64",
                "leave it out",
                "\"short\"",
            ),
            (
                "[network]\nrescue = { ssid = \"a name of more than thirty-two bytes\" }\n",
                "network.rescue.ssid",
                "36 bytes; it can have at most 32",
                "as set in its access point",
                "\"a name of more than thirty-two bytes\"",
            ),
            (
                "[network]\nhostname = \"a b\"\n",
                "network.hostname",
                "\"a b\" cannot be",
                "letters, digits and hyphens",
                "\"a b\"",
            ),
            (
                "[network]\nold_credentials = 1\n",
                "network.old_credentials",
                "expected true or false",
                "true",
                "1",
            ),
            (
                "[log]\nlevel = \"loud\"\n",
                "log.level",
                "\"loud\"",
                "off error warn info",
                "\"loud\"",
            ),
            ("[log]\nlvl = 1\n", "log.lvl", "no such key", "level", "lvl"),
        ] {
            let found = problem(tables);
            assert_eq!((found[0].as_str(), found[3].as_str()), (field, place), "{found:?}");
            assert!(found[1].contains(message) && found[2].contains(help), "{found:?}");
        }
    }

    #[test]
    fn passwords_stay_out_of_messages_about_them() {
        for password in
            ["secret", "not sixty-four hexadecimal digits but as many bytes as those are"]
        {
            let found =
                problem(&format!("[[network.wifi]]\nssid = \"a\"\npassword = \"{password}\"\n"));
            assert!(!found[1].contains(password) && !found[2].contains(password), "{found:?}");
        }
    }

    #[test]
    fn there_are_only_so_many_networks() {
        let many = "[[network.wifi]]\nssid = \"a\"\n".repeat(MAX_NETWORKS + 1);
        let found = problem(&many);
        assert_eq!(found[0], "network.wifi[8]");
        assert!(found[1].contains("more than 8"), "{found:?}");
    }
}
