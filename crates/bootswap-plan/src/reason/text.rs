//! The text of each reason: what is wrong, where, and what to change.

use core::fmt;

use esp_idf_format::ImageChip;
use flash_region::SECTOR_BYTES;
use mcuboot_format::espressif::LoadFault;
use mcuboot_format::{ImageVersion, SwapKind};

use super::Reason;
use crate::carrier::Misfit;

/// What to do where a carrier is not possible.
const REPLACE: &str = "write how = \"replace\" in [commit]";

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecureBoot => f.write_str(
                "secure boot is enabled in the eFuses, so the ROM would reject the new bootloader; \
                 this device cannot be migrated",
            ),
            Self::FlashEncryption => f.write_str(
                "flash encryption is enabled in the eFuses, so plain bytes would be read back as \
                garbage; this device cannot be migrated",
            ),
            Self::WrongChip { wanted, found } => write!(
                f,
                "the migration is for {wanted}, but the device is {found}; use the migrator for \
                {found}"
            ),
            Self::WrongImageChip { artifact, chip_id, found } => {
                let chip = ImageChip(*chip_id);
                write!(f, "{artifact} is built for {chip}; ")?;
                write!(f, "the device is {found}, so build it for {found}")
            }
            Self::FlashTooSmall { wanted_bytes, found_bytes } => write!(
                f,
                "the migration needs {wanted_bytes} bytes of flash, the device has {found_bytes}; \
                 set flash_size to what the devices have and build bootloader and map for it"
            ),
            Self::OutsideFlash { what, region, flash_len_bytes } => write!(
                f,
                "{what} at {region} does not fit a flash of {flash_len_bytes:#x} bytes; move \
                 or shrink it"
            ),
            Self::Misaligned { what, region } => write!(
                f,
                "{what} at {region} does not start and end at a multiple of 0x1000, the size of \
                 a sector; align it"
            ),
            Self::TooLarge { artifact, len_bytes, room_bytes, region, size_bytes } => {
                write!(
                    f,
                    "{artifact} has {len_bytes} bytes, but its region {region} has room for only \
                     {room_bytes}; make the image smaller, or "
                )?;
                match size_bytes {
                    Some(size) => write!(
                        f,
                        "write size = {size:#x} for it, and in [allow] overwrite what lies there"
                    ),
                    None => f.write_str("its region larger"),
                }
            }
            Self::ReachesTrailer { artifact, image_len_bytes, room_bytes } => write!(
                f,
                "{artifact} has {image_len_bytes:#x} bytes of image, but MCUboot's trailer leaves \
                only {room_bytes:#x} of its slot; make the image smaller or the slot larger"
            ),
            Self::OverRunningCode { artifact, dest, running } => write!(
                f,
                "{artifact} goes to {dest}, where the migrator itself runs ({running}); deliver \
                 the migrator to another partition"
            ),
            Self::OverKept { artifact, dest, kept, region } => {
                write!(
                    f,
                    "{artifact} goes to {dest} and would overwrite {kept} at {region}, which the \
                     migration does not name; shrink or move it, or write overwrite = [\"{kept}\"] \
                     in [allow]"
                )?;
                let size =
                    dest.len_bytes().checked_next_multiple_of(SECTOR_BYTES).unwrap_or(u32::MAX);
                match dest.start().get() {
                    // The bootloader addresses of the chips.
                    0 | 0x1000 => write!(f, " (and size = {size:#x} for a bootloader)"),
                    _ => Ok(()),
                }
            }
            Self::Overlap { first, second, shared } => {
                write!(f, "{first} and {second} share {shared}; move one of them")
            }
            Self::NoStaging { artifact, needed_bytes, largest_bytes } => write!(
                f,
                "there is no place to stage {artifact}: it needs {needed_bytes} bytes, but the \
                largest free region has {largest_bytes}; free a partition, or name one in \
                [staging] label"
            ),
            Self::UnknownLabel { label } => write!(
                f,
                "no partition has the label {label}; name one of the device's in [staging] label"
            ),
            Self::StagingInUse { label, by, shared } => write!(
                f,
                "the staging partition {label} shares {shared} with {by}; name another in \
                 [staging] label"
            ),
            Self::TrailerUnderRunningCode { trailer, running } => write!(
                f,
                "the migrator's image at {running} is in the primary slot's trailer area \
                 {trailer}: MCUboot would take it for an interrupted swap and crash at every \
                 boot; deliver the migrator to another partition"
            ),
            Self::NotConfirmed { artifact } => write!(
                f,
                "{artifact} is not padded and confirmed, so MCUboot would not start it for good; \
                 sign it with --pad --confirm, or set confirm = true, or allow a trial with \
                 test_image = true in [allow]"
            ),
            Self::NotSigned { artifact } => write!(
                f,
                "{artifact} has no signature that the bootloader would check, behind the hash of \
                 its key; sign it with the bootloader's key, and without --public-key-format full"
            ),
            Self::NoScratch => f.write_str(
                "swap using scratch needs a scratch area of at least one sector; name it in \
                 [mcuboot] scratch",
            ),
            Self::SlotsDiffer { primary, secondary, swap } => {
                write!(
                    f,
                    "the slots differ in size: primary {primary}, secondary {secondary}; MCUboot \
                     needs them equal"
                )?;
                match swap {
                    SwapKind::Scratch | SwapKind::Overwrite => Ok(()),
                    SwapKind::Move => f.write_str(", or the primary one sector larger"),
                    SwapKind::Offset => f.write_str(", or the secondary one sector larger"),
                }
            }
            Self::TooManySectors { what, region, sectors, max_sectors } => write!(
                f,
                "the {what} at {region} has {sectors} sectors, but the bootloader has room for \
                 {max_sectors} and boots nothing; build it with MCUBOOT_MAX_IMG_SECTORS={sectors} \
                 and set max_sectors in [mcuboot], or make the {what} smaller"
            ),
            Self::Downgrade { artifact, version, over, primary } => {
                write!(
                    f,
                    "{artifact} is version {version}, and the bootloader prevents downgrades: it \
                     reads what is in the primary slot at {} as version {over} and would erase \
                     {artifact}; ",
                    primary.start()
                )?;
                if *over >= ImageVersion::new(u8::MAX, u8::MAX, u16::MAX) {
                    f.write_str(
                        "the slot is erased, so that no version would do; deliver the migrator to \
                         that slot, or build the bootloader without downgrade prevention",
                    )
                } else {
                    write!(
                        f,
                        "sign it with --version {over} or above, or deliver the migrator to where \
                         it leaves the primary slot free"
                    )
                }
            }
            Self::BootloaderDiffers { key, declared, found } => write!(
                f,
                "{key} is {declared} in the migration and {found} in the bootloader's file; name \
                the right bootloader, or set {key} to the value that it was built with"
            ),
            Self::NotMcuboot { artifact, system } => write!(
                f,
                "{artifact} is {system}'s bootloader, but [mcuboot] describes an MCUboot; name \
                 MCUboot's file (both builds call it bootloader.bin), or leave [mcuboot] out"
            ),
            Self::BadMap { slot, max_align_bytes } => write!(
                f,
                "no MCUboot trailer with max_align {max_align_bytes} fits the slot {slot}; use 8, \
                 16 or 32 and a larger slot"
            ),
            Self::NoDestination { artifact } => write!(
                f,
                "{artifact} has no destination; give it dest and size, or describe the slots \
                 in [mcuboot]"
            ),
            Self::WrongContent { artifact, wanted } => {
                write!(f, "{artifact} is not {wanted}; name the right file")
            }
            Self::ArtifactCount { count } => {
                write!(f, "the migration names {count} artifacts; 1 to 8 are possible")
            }
            Self::TwoTables { first, second } => write!(
                f,
                "partition tables at {first} and {second} both list the running app; name the one \
                 that the devices' bootloader reads in `partition_table_offset`"
            ),
            Self::BadPartition { label, region } => write!(
                f,
                "the partition {label} at {region} ends beyond the end of flash; the device's \
                 table is damaged"
            ),
            Self::UnknownRunning { running } => write!(
                f,
                "there is no app partition at {running}, where the migrator says that it runs; \
                name the one that it runs from"
            ),
            Self::BootloaderMisplaced { artifact, dest, wanted } => write!(
                f,
                "{artifact} goes to {dest}, but this chip's ROM looks for a bootloader at \
                {wanted}; set dest to that address"
            ),
            Self::SharesTrailerSector { artifact, image_len_bytes, room_bytes } => write!(
                f,
                "{artifact} has {image_len_bytes:#x} bytes of image and ends in the sector in \
                 which MCUboot's trailer begins; a power cut at the wrong moment of a swap \
                 using scratch would leave nothing that boots; make the image at most \
                 {room_bytes:#x} bytes or the slot larger"
            ),
            Self::MapBehindFlash { artifact, header_bytes, map_end } => write!(
                f,
                "{artifact} is built for {header_bytes:#x} bytes of flash and reads nothing beyond \
                 them, but its map or the partition table ends at {map_end}; build it for the \
                 flash that it needs"
            ),
            Self::NoRelocation { needed_bytes, tried, is_swapped_in, most_bytes } => {
                write!(
                    f,
                    "the migrator has to move out of the way first, and none of {tried} other app \
                     partitions has room for its {needed_bytes} bytes, can be started by the old \
                     bootloader and is out of the target's way; "
                )?;
                if *most_bytes > 0 {
                    write!(f, "make it at most {most_bytes} bytes, or ")?;
                }
                // With these the application comes from the secondary slot.
                if !is_swapped_in {
                    f.write_str(
                        "build the target with swap using scratch or with overwrite, which take \
                         the application from the secondary slot, or ",
                    )?;
                }
                f.write_str(
                    "build it with a map whose primary slot leaves an app partition out, or is \
                     larger behind the application's image than the migrator",
                )
            }
            Self::NothingToStart { primary: None } => f.write_str(
                "when the migration is done there is nothing to start but the migrator: it does \
                 not bring both an application and its bootloader, and leaves no other app that \
                 otadata could select; name them, or spare the old firmware's partition",
            ),
            Self::NothingToStart { primary: Some(primary) } => write!(
                f,
                "the new bootloader would find no application: nothing goes to the primary slot \
                 {primary}, nor to where it would be swapped in from; name the application in [app]"
            ),
            Self::SecondApplication { first, second } => write!(
                f,
                "{first} and {second} are both applications, but MCUboot starts only one; make the \
                 other an [[artifact]]"
            ),
            Self::MigratorTooLarge { len_bytes, running } => write!(
                f,
                "the migrator has {len_bytes:#x} bytes, but there is room for only {:#x} in \
                {running}; deliver it to a larger partition",
                running.len_bytes()
            ),
            Self::Above16Mb { what, region } => write!(
                f,
                "{what} at {region} reaches beyond 0x1000000 (16 MB): flash addresses have 24 \
                 bits, so an erase there would hit the bootloader; move it below"
            ),
            Self::LoadHeader { artifact, fault } => {
                write!(f, "{artifact} would not start: {fault}; ")?;
                f.write_str(match fault {
                    fault if fault.is_of_another_chip() => "build it for this chip",
                    LoadFault::OverLoader { .. } => {
                        "build it with the memory map that goes with this bootloader"
                    }
                    LoadFault::Magic { .. } | LoadFault::Truncated { .. } => {
                        "sign what the system's build makes for MCUboot, once, and not an ESP-IDF \
                         image"
                    }
                    LoadFault::OverHeader { .. } | LoadFault::HeaderSize { .. } => {
                        "sign it with the header size that it was linked for (imgtool's \
                         --header-size; 0x20 for NuttX and Zephyr)"
                    }
                    _ => "build and sign it again",
                })
            }
            Self::FlashMode { artifact } => write!(
                f,
                "{artifact} uses a faster flash mode than the bootloader in place, which this \
                 board may not be wired for; build it with dio"
            ),
            Self::BadTrailer { artifact } => write!(
                f,
                "the end of {artifact} is not a trailer that MCUboot with this map accepts; sign \
                 it with --pad --confirm, the slot's size and the map's max_align, and without \
                 --erased-val (-R)"
            ),
            Self::Padding { artifact, offset } => write!(
                f,
                "{artifact} is not erased at {offset:#x}, between image and trailer; sign it \
                 without --erased-val (-R)"
            ),
            Self::PublicKey => f.write_str(
                "the migrator cannot use the public key of the target bootloader; name one of \
                 ECDSA P-256, Ed25519 or RSA in [mcuboot] public_key",
            ),
            Self::BadTable { artifact, fault } => write!(
                f,
                "{artifact} goes where the bootloader reads the partition table, and would not \
                 boot: {fault}; name a table in its binary form, for the flash size in the \
                 bootloader's header"
            ),
            Self::NoSlot { artifact, start, needed_bytes } => write!(
                f,
                "{artifact} has no app partition at {start} with room for the {needed_bytes} bytes \
                 of the application; set the application's dest to the address of one of its \
                 partitions"
            ),
            Self::StartsOther { artifact, start: Some(start) } => write!(
                f,
                "with {artifact} the bootloader would then start the app at {start}, which is not \
                the migration's; add otadata that selects the application's slot"
            ),
            Self::StartsOther { artifact, start: None } => write!(
                f,
                "with {artifact} the bootloader would find no app partition; add a table with one \
                for the application"
            ),
            Self::NoOtadata { artifact, start } => write!(
                f,
                "the partition table has no otadata that could name the partition of {artifact}, \
                 so that a bootloader that goes by the table starts the migrator at {start} again \
                 and again; bring a table with otadata, and otadata that names the application's \
                 slot, or say in [mcuboot] that the bootloader is MCUboot"
            ),
            Self::OtadataMoves { artifact, otadata } => write!(
                f,
                "{artifact} has otadata at {otadata}, or another number of slots than the old \
                 table, so that nobody knows which slot it names; bring otadata that names the \
                 application's slot, too"
            ),
            Self::RomRefuses { artifact } => write!(
                f,
                "{artifact} is a bootloader that the chip's ROM could not load or start; link it \
                 for this chip, with flash settings that there are"
            ),
            Self::NoLoader { chip } => {
                write!(f, "there is no loader for {chip} that could start a carrier; {REPLACE}")
            }
            Self::NotHosted => write!(
                f,
                "a carrier needs [mcuboot], and to be named in [bootloader]; name them, or \
                 {REPLACE}"
            ),
            Self::NothingSelects => write!(
                f,
                "the partition table has no otadata that could select the carrier; {REPLACE}"
            ),
            Self::OverHost { what, kept, shared } => write!(
                f,
                "{what} and {kept} share {shared}; {kept} remains for good; move {what}, or \
                 {REPLACE}"
            ),
            Self::NoHost { artifact, needed_bytes, scratch, .. } => {
                write!(
                    f,
                    "no app partition has room for {artifact} ({needed_bytes:#x} bytes): it must \
                     be an OTA slot in which the migrator does not run, and begin outside of both \
                     slots and of the scratch area; "
                )?;
                match scratch {
                    Some(start) => write!(f, "hosted fits with scratch at {start}; build it so"),
                    None => f.write_str("build it with a map that leaves such a partition out"),
                }?;
                write!(f, ", or {REPLACE}")
            }
            Self::Unfit { artifact, why } => unfit(f, artifact, why),
            Self::DamagedCarrier { artifact } => write!(
                f,
                "{artifact} is a carrier that would not start the target bootloader; make it again \
                 with `bootswap image carrier`"
            ),
            Self::NoRadio { artifact, chip } => write!(
                f,
                "{artifact} must be fetched, but {chip} has no Wi-Fi; name its file and pack \
                 with --embed"
            ),
            Self::Empty { artifact } => {
                write!(f, "{artifact} has no bytes; build or copy it again")
            }
            Self::TooComplex => {
                f.write_str("the plan has more steps than a device can hold; name fewer artifacts")
            }
        }
    }
}

/// Why a carrier does not fit a device, and what to change.
fn unfit(f: &mut fmt::Formatter<'_>, artifact: &str, why: &Misfit) -> fmt::Result {
    match *why {
        Misfit::Settings { old, target, chip } => write!(
            f,
            "{artifact} holds an MCUboot built for {}, but the header at the bootloader's address, \
             which stays and which MCUboot reads, says {}; build it for that, or {REPLACE}",
            target.on(chip),
            old.on(chip)
        ),
        Misfit::Otadata { named, found } => write!(
            f,
            "{artifact} would go back by an otadata at {named}, but the device has it at {found}; \
             make it with --otadata {found}"
        ),
        Misfit::SecureVersion { found, needed } => write!(
            f,
            "{artifact} has the secure version {found}, the migrator {needed}: an old bootloader \
             with anti-rollback may refuse it; make it with --secure-version {needed}"
        ),
        Misfit::Trial => write!(
            f,
            "{artifact} starts the target on trial, and goes back to a firmware that the swap has \
             moved; make it without --starts"
        ),
    }
}
