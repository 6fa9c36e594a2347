//! A project with the component, built by CMake with a stand-in of ESP-IDF's build system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::program::Ran;
use conformance::{python, walk_through, workspace_root};
use esp_idf_format::Chip;
use tempfile::TempDir;

use crate::firmware::firmware;

/// A copy of the example project, in a folder of its own.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
    chip: Chip,
    /// Options of CMake for the stand-in.
    pub defines: Vec<String>,
}

impl Project {
    /// The example, with the two files that it names, the program on the PATH, prebuilt firmware.
    pub fn example(chip: Chip) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sources = workspace_root().join("esp-idf");
        copy_folder(&sources, folder.path());
        let project = Self { folder, chip, defines: Vec::new() };
        let demo = project.path("demo");
        let mut made = Command::new(walk_through::program());
        made.args(["demo", "--chip", chip.name(), "--out"]).arg(&demo);
        let _ = Ran::of(&mut made).expect_success();
        fs::create_dir(project.path("files")).unwrap();
        for name in ["mcuboot.bin", "app_upd.bin"] {
            fs::copy(demo.join(name), project.path("files").join(name)).unwrap();
        }
        project
    }

    /// The path of one of the project's files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("example").join(name)
    }

    /// The path of a file that the build makes.
    pub fn built(&self, name: &str) -> PathBuf {
        self.folder.path().join("build").join(name)
    }

    /// The file that `idf.py menuconfig` writes.
    pub fn sdkconfig(&self) -> PathBuf {
        self.folder.path().join("sdkconfig")
    }

    /// What is in a file that the build makes.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.built(name)).unwrap()
    }

    /// Sets options as `idf.py menuconfig` does: in sdkconfig, which has all of them after a build.
    pub fn set(&self, options: &[(&str, &str)]) {
        let path = self.sdkconfig();
        let mut text = fs::read_to_string(&path)
            .unwrap_or_else(|_| fs::read_to_string(self.path("sdkconfig.defaults")).unwrap());
        for (name, value) in options {
            let is_of = |line: &str| {
                line.starts_with(&format!("CONFIG_{name}="))
                    || line == format!("# CONFIG_{name} is not set")
            };
            text = text
                .lines()
                .filter(|line| !is_of(line))
                .fold(String::new(), |text, line| text + line + "\n");
            match *value {
                "n" => text += &format!("# CONFIG_{name} is not set\n"),
                value => text += &format!("CONFIG_{name}={value}\n"),
            }
        }
        fs::write(path, text).unwrap();
    }

    /// `idf.py TARGET`: CMake where it is needed, then Ninja.
    pub fn run(&self, target: &str) -> Ran {
        if !self.built("build.ninja").is_file() {
            let mut cmake = self.tool("cmake");
            cmake.args(["-G", "Ninja"]).arg("-S").arg(self.path("")).arg("-B").arg(self.built(""));
            cmake.arg(define("PYTHON", &python::interpreter()));
            cmake.arg(define("SDKCONFIG", &self.sdkconfig()));
            cmake.arg(format!("-DIDF_TARGET={}", self.chip.name())).args(&self.defines);
            let configured = Ran::of(&mut cmake);
            if !configured.succeeded() {
                return configured;
            }
        }
        let mut ninja = self.tool("ninja");
        // Verbose, to see what a log of the build would contain.
        Ran::of(ninja.arg("-v").arg("-C").arg(self.built("")).arg(target))
    }

    /// A successful `idf.py build`.
    pub fn build(&self) -> Ran {
        self.run("all").expect_success()
    }

    /// A program of the Python environment, with everything that a build finds.
    fn tool(&self, name: &str) -> Command {
        let tools = python::interpreter().parent().unwrap().to_path_buf();
        let mut command = Command::new(tools.join(name));
        let program = walk_through::program();
        let folders = [program.parent().unwrap().to_path_buf(), tools];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path))).unwrap();
        command.env("PATH", path).env("NO_COLOR", "1");
        command.env("IDF_PATH", stand_in()).env("BOOTSWAP_FIRMWARE", self.firmware());
        command
    }

    /// The folder with the firmware: the real one where the environment names it, else an image
    /// that has a section for a migration and no code.
    fn firmware(&self) -> PathBuf {
        let name = format!("bootswap-{}.bin", self.chip);
        let named = std::env::var_os("BOOTSWAP_FIRMWARE").map(PathBuf::from);
        if let Some(built) = named.filter(|folder| folder.join(&name).is_file()) {
            return built;
        }
        let folder = self.folder.path().join("firmware");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), firmware(self.chip)).unwrap();
        folder
    }
}

/// The folder that `IDF_PATH` names.
fn stand_in() -> PathBuf {
    workspace_root().join("conformance/tests/esp_idf_component/idf")
}

fn define(name: &str, path: &Path) -> String {
    format!("-D{name}={}", path.display())
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
