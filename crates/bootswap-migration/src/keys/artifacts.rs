//! The keys of artifacts: `[app]`, `[[artifact]]` and `[bootloader]`, and `[commit]`.

use super::key::{Applies, Begin, Key, List, NONE};
use super::kind::ValueKind;

pub(super) const BOOTLOADER: [Key; 7] = [
    Key::new(
        "bootloader.file",
        "File",
        ValueKind::File,
        NONE,
        "The target bootloader, an ESP image such as MCUboot's Espressif port builds; with \
        commit.how = \"hosted\" a carrier. Relative to this file. It is checked here, and devices \
        accept only this file.",
    )
    .begin(Begin::Fitted("")),
    Key::new(
        "bootloader.url",
        "URL",
        ValueKind::Url,
        "embedded",
        "Where devices fetch it from, over HTTP. Without it, the file is embedded in the \
        migrator's own image and no network is needed.",
    )
    .applies(Applies::WithWifi)
    .begin(Begin::Fitted("")),
    Key::new(
        "bootloader.size",
        "Region size",
        ValueKind::Length,
        "up to the table",
        "Bytes of flash for the bootloader. Where the region starts follows from the chip. The \
        commit changes nothing after it.",
    )
    .begin(Begin::Value("0xf000", "its region; the offset follows from the chip")),
    Key::new(
        "bootloader.dest",
        "Destination",
        ValueKind::Address,
        "from the chip",
        "Address of the bootloader, if it is not the chip's own; then the size is required. For \
        merged images that begin elsewhere; or, for a carrier, the app partition to use.",
    ),
    Key::new(
        "bootloader.name",
        "Name",
        ValueKind::Text,
        "bootloader",
        "Its name in plans and logs. At most 20 bytes if it is embedded.",
    ),
    Key::new(
        "bootloader.confirm",
        "Confirm",
        ValueKind::Truth,
        "false",
        "Has no effect on a bootloader: only an application in an MCUboot slot is confirmed.",
    )
    .applies(Applies::Never),
    Key::new(
        "commit.how",
        "Commit",
        ValueKind::CommitWay,
        "replace",
        "replace: the target bootloader is written over the old one. hosted: the old one stays and \
        starts a carrier (`bootswap image carrier`) that [bootloader] names; no loss of power then \
        leaves a device that does not boot.",
    )
    .begin(Begin::Comment("\"replace\"", "replace | hosted")),
];

pub(super) const APPLICATION: [Key; 6] = [
    Key::new(
        "app.file",
        "File",
        ValueKind::File,
        NONE,
        "The target application, an MCUboot image made by imgtool or `bootswap image sign`. \
        Relative to this file. It is checked here, and devices accept only this file.",
    )
    .begin(Begin::Fitted("")),
    Key::new(
        "app.url",
        "URL",
        ValueKind::Url,
        "embedded",
        "Where devices fetch it from, over HTTP. Without it, the file is embedded in the \
        migrator's own image and no network is needed.",
    )
    .applies(Applies::WithWifi)
    .begin(Begin::Fitted("")),
    Key::new(
        "app.confirm",
        "Confirm",
        ValueKind::Truth,
        "false",
        "Whether the migrator completes the trailer of an image that was signed without `--pad \
        --confirm`, so that MCUboot keeps the application.",
    )
    .applies(Applies::WithMcuboot)
    .begin(Begin::Comment("true", "for an image that was signed without --pad --confirm")),
    Key::new(
        "app.name",
        "Name",
        ValueKind::Text,
        "app",
        "Its name in plans and logs. At most 20 bytes if it is embedded.",
    ),
    Key::new(
        "app.dest",
        "Destination",
        ValueKind::Address,
        "a slot of the map",
        "Address that the file is written to unchanged, instead of a slot of the MCUboot map. For \
        bootloaders other than MCUboot. Then the size is required.",
    ),
    Key::new(
        "app.size",
        "Region size",
        ValueKind::Length,
        NONE,
        "Bytes of flash for the application, from the destination on. Only together with a \
        destination.",
    ),
];

pub(super) const ARTIFACTS: List = List {
    path: "artifact",
    entry: "artifact",
    applies: Applies::Always,
    help: "Any other file, for any address: a partition table, a file system. It is fetched after \
    the application and before the bootloader.",
    keys: &[
        Key::new(
            "artifact[].name",
            "Name",
            ValueKind::Text,
            "the file's",
            "Its name in plans and logs, different for each artifact. At most 20 bytes if \
            it is embedded.",
        ),
        Key::new(
            "artifact[].file",
            "File",
            ValueKind::File,
            NONE,
            "The file, relative to this one. Devices accept only this file.",
        ),
        Key::new(
            "artifact[].url",
            "URL",
            ValueKind::Url,
            "embedded",
            "Where devices fetch it from, over HTTP. Without it, the file is embedded in the \
            migrator's own image.",
        )
        .applies(Applies::WithWifi),
        Key::new(
            "artifact[].dest",
            "Destination",
            ValueKind::Address,
            "",
            "Address that the file is written to.",
        ),
        Key::new(
            "artifact[].size",
            "Region size",
            ValueKind::Length,
            "",
            "Bytes of flash for the file, from the destination on.",
        ),
        Key::new(
            "artifact[].confirm",
            "Confirm",
            ValueKind::Truth,
            "false",
            "Has no effect on such a file: only an application in an MCUboot slot is confirmed.",
        )
        .applies(Applies::Never),
    ],
};
