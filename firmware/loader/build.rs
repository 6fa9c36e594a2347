//! Tells the linker where the loader runs: the places are those of `carrier-format`.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use carrier_format::LoaderMemory;
use esp_idf_format::Chip;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=loader.x");
    println!("cargo:rerun-if-changed=rom");
    let chip = Chip::ALL.into_iter().find(|chip| {
        env::var_os(format!("CARGO_FEATURE_{}", chip.name().to_uppercase())).is_some()
    });
    let chip = chip.ok_or("name the chip as a feature: esp32c3, esp32c6 or esp32h2")?;
    let memory = LoaderMemory::of(chip).ok_or("there is no loader for this chip")?;
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let places = format!(
        "LOADER_START = {:#x};\nLOADER_END = {:#x};\nDATA_OFFSET = {:#x};\n",
        memory.load_addr,
        memory.load_addr + LoaderMemory::RESERVED_BYTES,
        memory.load_addr - memory.data_addr(memory.load_addr),
    );
    fs::write(out.join("places.x"), places)?;
    for script in
        [out.join("places.x"), here.join(format!("rom/{}.x", chip.name())), here.join("loader.x")]
    {
        println!("cargo:rustc-link-arg=-T{}", script.display());
    }
    Ok(())
}
