//! The steps of `cargo xtask test` for the firmware, which is a workspace of its own.

use anyhow::Result;

use super::chip::{CHIPS, Chip, Firmware, Network};
use super::xtensa::Toolchain;
use super::{check_with_esptool, loader, make};
use crate::process::{cargo, run};
use crate::report::Report;
use crate::standard_library::StandardLibrary;
use crate::workspace;

/// Lints it, and builds and checks it for each chip.
pub(crate) fn all(report: &mut Report, has_clippy: bool) {
    for chip in CHIPS {
        let Ok(firmware) = Firmware::new(chip, None) else { continue };
        let name = format!("target of {}", chip.name());
        let what = format!("the firmware for {}", chip.name());
        if chip.is_riscv() {
            let library = report.obtain(&name, &what, || StandardLibrary::obtain(chip.target()));
            let Some(library) = library else { continue };
            if has_clippy {
                lints(report, chip, &library);
            }
        } else if report.obtain(&name, &what, Toolchain::obtain).is_none() {
            continue;
        }
        report.step(&format!("firmware for {}", chip.name()), |_| {
            let built = make(firmware, &workspace::target("firmware")?)?;
            println!("{}", built.sizes);
            built.check(firmware)
        });
        if loader::exists(chip) {
            report.step(&format!("loader for {}", chip.name()), |_| {
                let built = loader::make(chip, &workspace::target("firmware")?)?;
                println!("{built}");
                check_with_esptool(chip, &built.image)
            });
        }
    }
}

fn lints(report: &mut Report, chip: Chip, library: &StandardLibrary) {
    report.step(&format!("lints of the loader for {}", chip.name()), |_| {
        lint("bootswap-loader", chip.name(), library)
    });
    // One chip is enough: they differ in a few lines.
    if chip.name() == "esp32c3" {
        report.step("lints of the firmware", |_| {
            [Network::Wifi, Network::Openeth, Network::None].into_iter().try_for_each(|network| {
                let firmware = Firmware::new(chip, Some(network))?;
                lint("bootswap-esp", &firmware.features(), library)
            })
        });
    }
}

fn lint(package: &str, features: &str, library: &StandardLibrary) -> Result<()> {
    let mut clippy = cargo();
    clippy.current_dir(workspace::root()?.join("firmware"));
    clippy.args(["clippy", "--locked", "--release", "--quiet", "--package", package]);
    clippy.args(["--features", features]);
    library.apply(&mut clippy);
    clippy.arg("--target-dir").arg(workspace::target("firmware-build")?);
    run(clippy.args(["--", "--deny", "warnings"]))
}
