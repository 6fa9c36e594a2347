//! Shell completions and man pages of a release.

use std::path::Path;

use anyhow::Result;

use crate::process::{cargo, run};
use crate::workspace;

/// Writes `completions/` and `man/` into `folder`; `build` says how the program is built.
///
/// # Errors
///
/// If the program does not build, or the files cannot be written.
pub(crate) fn make(folder: &Path, build: &[&str]) -> Result<()> {
    let mut generate = cargo();
    generate.current_dir(workspace::root()?).args(["run", "--locked", "--quiet"]).args(build);
    generate.args(["--package", "bootswap-cli", "--example", "shell_files", "--"]);
    run(generate.arg(folder))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;
    use crate::process::{command, output};

    fn made() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), &[]).unwrap();
        folder
    }

    fn names(dir: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn every_shell_and_every_command_has_its_file() {
        let folder = made();
        let completions = folder.path().join("completions");
        let shells = [
            ("_bootswap", "esp32c3"),
            // The generators for these two leave values out.
            ("_bootswap.ps1", "secure-version"),
            ("bootswap.bash", "esp32c3"),
            ("bootswap.elv", "secure-version"),
            ("bootswap.fish", "esp32c3"),
        ];
        assert_eq!(names(&completions), shells.map(|(name, _)| name.to_owned()).into());
        for (shell, word) in shells {
            let text = fs::read_to_string(completions.join(shell)).unwrap();
            assert!(text.contains("power-cuts") && text.contains(word), "{shell}");
        }
        let wanted = [
            "",
            "-config",
            "-demo",
            "-image",
            "-image-carrier",
            "-image-confirm",
            "-image-first-stage",
            "-image-info",
            "-image-sign",
            "-image-verify",
            "-pack",
            "-plan",
            "-serve",
            "-simulate",
        ];
        let wanted = wanted.map(|name| format!("bootswap{name}.1"));
        assert_eq!(names(&folder.path().join("man/man1")), wanted.into());
    }

    #[test]
    fn bash_completes_commands_options_and_chips() {
        let script = "source completions/bootswap.bash; COMP_WORDS=(\"$@\"); \
                      COMP_CWORD=$(($# - 1)); _bootswap bootswap \"${!#}\" \"${@: -2:1}\"; \
                      echo \"${COMPREPLY[@]}\"";
        let folder = made();
        for (words, wanted) in [
            (&["sim"][..], "simulate"),
            (&["image", "ver"], "verify"),
            (&["pack", "--secure"], "--secure-version"),
            (&["simulate", "--until", "reb"], "reboot"),
            (&["demo", "--chip", ""], "esp32 esp32s2 esp32s3 esp32c3 esp32c6 esp32h2"),
        ] {
            let mut bash = command("bash", &["--norc", "-euc", script, "bash", "bootswap"]);
            let offered = output(bash.current_dir(folder.path()).args(words)).unwrap();
            assert_eq!(offered.trim(), wanted, "{words:?}");
        }
    }

    #[test]
    fn groff_renders_every_page_without_a_warning() {
        let folder = made();
        let pages = folder.path().join("man/man1");
        let page = |name: &str| {
            let mut groff = Command::new("groff");
            groff.args(["-man", "-Tutf8", "-P-cbou", "-ww", "-rLL=100n"]).arg(pages.join(name));
            let ran = groff.output().unwrap();
            assert_eq!(String::from_utf8_lossy(&ran.stderr), "", "{name}");
            String::from_utf8(ran.stdout).unwrap()
        };
        for name in names(&pages) {
            let text = page(&name);
            assert!(text.contains("SYNOPSIS") && text.contains("--help"), "{name}: {text}");
        }
        for (name, words) in [
            ("bootswap.1", ["bootswap-simulate(1)", "Exit status:"]),
            ("bootswap-pack.1", ["BOOTSWAP_FIRMWARE", "--firmware <FILE>"]),
            ("bootswap-demo.1", ["esp32h2", "--force"]),
        ] {
            let text = page(name);
            assert!(words.iter().all(|word| text.contains(word)), "{name}: {text}");
        }
    }
}
