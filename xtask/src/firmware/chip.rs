//! Chips and networks: which builds of the firmware there are.

use std::str::FromStr;

use anyhow::{Result, bail, ensure};

/// A chip of the ESP32 family, by the name that it has in the firmware's features.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chip {
    name: &'static str,
    target: &'static str,
    has_wifi: bool,
}

/// All chips. Those with Xtensa cores need Espressif's toolchain.
pub(crate) const CHIPS: [Chip; 6] = [
    Chip { name: "esp32", target: "xtensa-esp32-none-elf", has_wifi: true },
    Chip { name: "esp32s2", target: "xtensa-esp32s2-none-elf", has_wifi: true },
    Chip { name: "esp32s3", target: "xtensa-esp32s3-none-elf", has_wifi: true },
    Chip { name: "esp32c3", target: "riscv32imc-unknown-none-elf", has_wifi: true },
    Chip { name: "esp32c6", target: "riscv32imac-unknown-none-elf", has_wifi: true },
    Chip { name: "esp32h2", target: "riscv32imac-unknown-none-elf", has_wifi: false },
];

impl Chip {
    /// Its name in features and file names.
    pub(crate) const fn name(self) -> &'static str {
        self.name
    }

    /// The Rust target.
    pub(crate) const fn target(self) -> &'static str {
        self.target
    }

    /// Whether there are emulators of it.
    pub(crate) fn is_emulated(self) -> bool {
        matches!(self.name, "esp32" | "esp32c3")
    }

    /// Whether stock rustc builds for it.
    pub(crate) fn is_riscv(self) -> bool {
        self.target.starts_with("riscv")
    }
}

impl FromStr for Chip {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match CHIPS.into_iter().find(|chip| chip.name == text) {
            Some(chip) => Ok(chip),
            None => bail!("the chips are {}", CHIPS.map(Chip::name).join(", ")),
        }
    }
}

/// How the migrator reaches its server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Network {
    /// The chip's Wi-Fi.
    Wifi,
    /// Ethernet of the emulators of ESP32 and ESP32-C3.
    Openeth,
    /// None: the artifacts are embedded in the migrator's image.
    None,
}

/// A build of the firmware.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Firmware {
    /// For this chip.
    pub(crate) chip: Chip,
    /// With this network.
    pub(crate) network: Network,
}

impl Firmware {
    /// The firmware of a chip, with the network that is asked for, else with the chip's own.
    ///
    /// # Errors
    ///
    /// If the chip does not have this network.
    pub(crate) fn new(chip: Chip, network: Option<Network>) -> Result<Self> {
        let own = if chip.has_wifi { Network::Wifi } else { Network::None };
        let network = network.unwrap_or(own);
        ensure!(network != Network::Wifi || chip.has_wifi, "{} has no Wi-Fi", chip.name);
        let emulated = network == Network::Openeth;
        ensure!(
            !emulated || chip.is_emulated(),
            "only emulators of esp32 and esp32c3 have openeth"
        );
        Ok(Self { chip, network })
    }

    /// The features of package `bootswap-esp`.
    pub(crate) fn features(self) -> String {
        match self.network {
            Network::Wifi => format!("{},wifi", self.chip.name),
            Network::Openeth => format!("{},openeth", self.chip.name),
            Network::None => self.chip.name.to_owned(),
        }
    }

    /// The name of the image file.
    pub(crate) fn file_name(self) -> String {
        let name = self.chip.name;
        match (self.network, self.chip.has_wifi) {
            (Network::Wifi, _) | (Network::None, false) => format!("bootswap-{name}.bin"),
            (Network::Openeth, _) => format!("bootswap-{name}-openeth.bin"),
            (Network::None, true) => format!("bootswap-{name}-embedded.bin"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_gets_the_network_that_it_has() {
        let name = |chip: &str, network| {
            Firmware::new(chip.parse().unwrap(), network).map(Firmware::file_name)
        };
        assert_eq!(name("esp32c3", None).unwrap(), "bootswap-esp32c3.bin");
        assert_eq!(name("esp32h2", None).unwrap(), "bootswap-esp32h2.bin");
        assert_eq!(name("esp32c3", Some(Network::None)).unwrap(), "bootswap-esp32c3-embedded.bin");
        assert!(name("esp32h2", Some(Network::Wifi)).is_err());
        assert!(name("esp32c6", Some(Network::Openeth)).is_err());
        assert!("esp8266".parse::<Chip>().is_err());
    }
}
