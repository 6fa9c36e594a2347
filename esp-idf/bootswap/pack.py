# Writes migration.toml from the menu's values, and packs the migrator with it.
#
# CMakeLists.txt runs it in every build. The values come from sdkconfig.json, where they are exact:
# sdkconfig.cmake would lose dollars and semicolons. No password is printed or passed as an argument.
from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys


class Mistake(Exception):
    """Something that the owner has to change, and where."""


def main() -> int:
    arguments = parse_arguments()
    # A migrator of an earlier build must not be taken for this one's if this one fails.
    if os.path.lexists(arguments.out):
        os.remove(arguments.out)
    try:
        with open(arguments.sdkconfig, encoding="utf-8") as file:
            menu = Menu(json.load(file), arguments.project)
        program = find_program(menu)
        if menu.is_set("MIGRATION_FILE"):
            migration = menu.path("MIGRATION_FILE_PATH")
            if migration is None:
                raise Mistake("'File of the migration' is empty: name a migration.toml")
        else:
            migration = arguments.migration
            write(migration, migration_toml(menu, arguments))
    except (Mistake, OSError, UnicodeDecodeError) as error:
        print(f"bootswap: {error}\n  menuconfig: bootswap", file=sys.stderr)
        return 2
    pack = [program, "pack", migration, "--chip", arguments.chip, "--out", arguments.out]
    firmware = menu.path("FIRMWARE")
    if firmware is not None:
        pack += ["--firmware", firmware]
    if menu.is_set("EMBED"):
        pack.append("--embed")
    return subprocess.run(pack, check=False).returncode


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("chip", "sdkconfig", "project", "partitions", "migration", "out"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


class Menu:
    """The values of the component's menu. A value that the menu hides is not set."""

    def __init__(self, values: dict, project: str) -> None:
        self.values = values
        self.project = project

    def get(self, name: str):
        value = self.values.get(f"BOOTSWAP_{name}")
        return None if value == "" else value

    def is_set(self, name: str) -> bool:
        return bool(self.get(name))

    def path(self, name: str) -> str | None:
        """A path, which is relative to the project."""
        value = self.get(name)
        return None if value is None else os.path.join(self.project, os.path.expanduser(value))

    def chosen(self, name: str, values: list[str]) -> str:
        """Which item of a choice is set, in lower case."""
        return next(value for value in values if self.is_set(f"{name}_{value.upper()}"))


def find_program(menu: Menu) -> str:
    named = menu.get("PROGRAM")
    if named is None:
        raise Mistake("'Program' is empty: name the program bootswap")
    # A bare name is looked for on the PATH only, anything else is a file of the project.
    is_file = os.path.dirname(named) != "" or named.startswith("~")
    program = shutil.which(menu.path("PROGRAM") if is_file else named)
    if program is None:
        where = "" if is_file else " on the PATH"
        raise Mistake(f"there is no program {named}{where}: put it there, or change 'Program'")
    return program


def migration_toml(menu: Menu, arguments: argparse.Namespace) -> str:
    embed = menu.is_set("EMBED")
    lines = ["# Written by every build, from the menu `bootswap` of `idf.py menuconfig`.\n"]

    def put(key: str, value) -> None:
        if value is not None:
            lines.append(f"{key} = {toml(value)}\n")

    def table(header: str) -> None:
        lines.append(f"\n{header}\n")

    put("chip", arguments.chip)
    put("flash_size", menu.values.get("ESPTOOLPY_FLASHSIZE"))
    put("partitions", arguments.partitions)
    put("partition_table_offset", menu.values.get("PARTITION_TABLE_OFFSET"))

    has_mcuboot = menu.is_set("MCUBOOT")
    if has_mcuboot:
        swap = menu.chosen("SWAP", ["scratch", "move", "offset", "overwrite"])
        table("[mcuboot]")
        for slot in ("primary", "secondary"):
            put(f"{slot}.offset", menu.get(f"{slot.upper()}_ADDRESS"))
            put(f"{slot}.size", menu.get("SLOT_SIZE"))
        if swap == "scratch":
            put("scratch.offset", menu.get("SCRATCH_ADDRESS"))
            put("scratch.size", menu.get("SCRATCH_SIZE"))
        put("swap", swap)
        put("public_key", menu.path("PUBLIC_KEY"))

    for key, what in (("app", "Target application"), ("bootloader", "Target bootloader")):
        url, file = menu.get(f"{key.upper()}_URL"), menu.path(f"{key.upper()}_FILE")
        if embed and file is None:
            raise Mistake(f"'File' of '{what}' is empty: a file to embed has to be named")
        if not embed and url is None:
            raise Mistake(
                f"'Address' of '{what}' is empty: set it, or switch on 'Embed the files in the migrator'"
            )
        table(f"[{key}]")
        put("file", file)
        put("url", None if embed else url)
        if key == "bootloader":
            put("size", menu.get("BOOTLOADER_SIZE"))
        elif has_mcuboot:
            put("confirm", menu.is_set("APP_CONFIRM"))
        else:
            put("dest", menu.get("APP_ADDRESS"))
            put("size", menu.get("APP_SIZE"))

    staging = menu.chosen("STAGING", ["chosen", "partition", "memory"])
    if staging == "partition":
        table("[staging]")
        put("label", menu.values.get("BOOTSWAP_STAGING_LABEL", ""))
    elif staging == "memory":
        table("[staging]")
        put("memory", True)

    table("[allow]")
    put("test_image", menu.is_set("TEST_IMAGE"))
    put("overwrite", (menu.get("OVERWRITE") or "").split())

    if not embed:
        table("[network]")
        put("old_credentials", menu.is_set("OLD_CREDENTIALS"))
        put("hostname", menu.get("HOSTNAME"))
        for header, name in (("[network.rescue]", "RESCUE"), ("[[network.wifi]]", "WIFI")):
            if menu.get(f"{name}_SSID") is not None:
                table(header)
                put("ssid", menu.get(f"{name}_SSID"))
                put("password", menu.get(f"{name}_PASSWORD"))

    table("[migrator]")
    put("version", menu.get("VERSION"))
    put("project", menu.get("PROJECT"))
    table("[log]")
    put("level", menu.chosen("LOG", ["off", "error", "warn", "info", "debug", "trace"]))

    further = menu.path("FURTHER_KEYS")
    if further is not None:
        lines.append(f"\n# From {toml(further)}:\n")
        with open(further, encoding="utf-8") as file:
            lines.append(file.read())
    return "".join(lines)


def toml(value) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, list):
        return f"[{', '.join(toml(item) for item in value)}]"
    # The escapes of JSON are those of TOML, which has one for DEL besides.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def write(path: str, text: str) -> None:
    """Writes a file that only its owner can read: it may have passwords in it."""
    if os.path.lexists(path):
        os.remove(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
