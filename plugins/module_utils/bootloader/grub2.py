# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arming, pinning and restoring with GRUB 2.

What a boot loader's backend gives to programs/boot.py (`Grub2` here; others look the same from outside):

* `name`; `detect(machine)`, a class method: the backend, or None where the host has another boot loader;
* `files()`: the files it may change, and `words()`: parts of files (file, offset, length) that it may change in place, so that a
  step that fails can put all of them back;
* `setting()`, `default()`, `next()`, `trial()`: what is so now. Releases as `uname -r` has them, or None;
* `has(release)`, `boot_files_problem(release, running)`, `one_shot(release)`;
* `original()`: what `restore` needs, taken before anything is changed;
* `pinned(release)`, `pin(release)`: the release is the persistent default, whatever is installed later; `pins()`: some release is;
  `pinned_setting(release)`: what `setting()` is then;
* `old`: the release to go back to, given to it before something is armed;
* `armed(release, panic)`, `trial_is_current(release, panic)`, `write_trial(release, panic)`, `has_trial()`, `remove_trial()`,
  `set_next(release)`, `has_next()`, `clear_next()`, `notes(release)`;
* `restore(original)`, `restored_default(original)`, `restored_setting(original)`;
* `watchdog_settings(release)`: how the trial watchdog takes back what is armed (settings_text()).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import (
    block_problem,
    custom_config,
    environment_block,
    grub2_config,
    grub2_text,
    one_shot_problem,
    sources_custom,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import (
    boot_order,
    bootable,
    entry_of_release,
    find_entry,
    parse_assignments,
    parse_grubenv,
    run_grub_cfg,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial_watchdog import TRIAL_MARK
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, list_dir

BEGIN = "### BEGIN realip.toa trial boot ###\n"
END = "### END realip.toa trial boot ###\n"

DEFAULT_FILE = "/etc/default/grub"
DROP_INS = "/etc/default/grub.d"
_DEFAULT_LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?GRUB_DEFAULT=.*\n?", re.M)
_HEADER = re.compile(r"[ \t]*menuentry[ \t]")
_KERNEL_LINE = re.compile(r"^[ \t]*(?:linux|linux16|linuxefi)[ \t]")
_INITRD_LINE = re.compile(r"^[ \t]*(?:initrd|initrd16|initrdefi)[ \t]+(.*)$", re.M)
_SAVES_DEFAULT = re.compile(r"^[ \t]*savedefault[ \t]*\n", re.M)
_CONFIG_DEFAULT_SAVED = re.compile(r'^([ \t]*set default=)"\$\{saved_entry\}"', re.M)
_MENU_ID = re.compile(
    r"""[ \t](?:\$menuentry_id_option|\$\{menuentry_id_option\}|--id)[ \t=]+('[^']*'|"[^"]*"|[^ \t{]+)"""
)


class Grub2:
    """GRUB 2 with a generated grub.cfg that lists its entries, as Debian, Ubuntu and EL 7 have it."""

    name = "grub2"
    old = None
    USES_BLS = False
    TRIAL_ID = "realip-toa-trial"

    def __init__(self, machine, config, block):
        self.machine = machine
        self.config = config
        self.block = block
        self.custom = custom_config(config)
        self._orders = {}
        self._menus = {}

    @classmethod
    def detect(cls, machine):
        config = grub2_config(machine.root or "/")
        if config is None:
            return None
        backend = cls(machine, config, environment_block(machine.root or "/", config))
        order = backend._order()
        return backend if order["uses_bls"] == cls.USES_BLS and not order["uses_legacy"] else None

    # -- what is so --------------------------------------------------------------------------------------------------------

    def files(self):
        return [self._default_file(), self.config, self.block, self.custom]

    @staticmethod
    def words():
        return []

    def setting(self):
        """GRUB_DEFAULT as grub-mkconfig would see it; "0" where nothing sets it."""
        return parse_assignments(self.machine.read(self._default_file())).get("GRUB_DEFAULT") or "0"

    def default(self):
        return self._release(self._order()["default"])

    def next(self):
        return self._release(self._order()["next"])

    def trial(self):
        return self._release(find_entry(self._order()["entries"], self.TRIAL_ID))

    def has(self, release):
        return self._entry(release) is not None

    def boot_files_problem(self, release, running):
        """What the release lacks to be able to boot, or "". `running` is a kernel that is known to boot here."""
        machine = self.machine
        if not machine.is_dir("/lib/modules/" + release):
            return "/lib/modules/%s is missing" % release
        entry = self._entry(release)
        if entry is None:
            return "%s has no menu entry for it" % self.config
        image = "/boot/" + os.path.basename(entry["image"])
        return machine.image_problem(image, self._initramfs(entry), self._initramfs(self._entry(running)))

    def one_shot(self, release=None):
        """(possible, reason why not): whether an entry can be armed for one boot only."""
        block_says = block_problem(
            self.machine.root or "/", self.config, self.block, parse_grubenv(self.machine.read(self.block))
        )
        problem = one_shot_problem(self.config, self._order(), block_says)
        if problem:
            return False, problem
        if release and not self._takes_trial() and _SAVES_DEFAULT.search(self._body(self._entry(release)) or ""):
            # Inside a submenu boot_once is not seen, so GRUB would save the armed entry as the default.
            return (
                False,
                "GRUB_SAVEDEFAULT makes every booted entry the default, and %s does not read custom.cfg" % self.config,
            )
        return True, ""

    def watchdog_settings(self, release):
        return {"editenv": self._editenv(), "grubenv": self.block}

    # -- the persistent default ----------------------------------------------------------------------------------------------

    def original(self):
        """GRUB_DEFAULT's own line, byte for byte, and the saved entry, as they were before us."""
        name = self._default_file()
        lines = _DEFAULT_LINE.findall(self.machine.read_latin(name))
        return {
            "file": name,
            "missing": not self.machine.exists(name),
            "line": lines[-1] if lines else None,
            "saved_entry": self._env().get("saved_entry"),
            "next_entry": self._env().get("next_entry"),
            "block_missing": not self.machine.exists(self.block),
        }

    def pins(self):
        return self.setting() == "saved"

    @staticmethod
    def pinned_setting(release):
        return "saved"

    def pinned(self, release):
        return (
            self.setting() == "saved"
            and self._honours_saved(release)
            and self._env().get("saved_entry") == self._spec(release)
            and self.default() == release
        )

    def pin(self, release):
        """GRUB_DEFAULT=saved, and the saved entry names the release by its id, which stays when menus are generated anew."""
        if self.setting() != "saved":
            self.machine.write_latin(
                self._default_file(), _with_saved_default(self.machine.read_latin(self._default_file()))
            )
        self._edit_env("set", "saved_entry=" + self._spec(release))
        if not self._honours_saved(release):
            self._generate()

    def restore(self, original):
        self._restore_setting(original)
        if original.get("saved_entry"):
            self._edit_env("set", "saved_entry=" + original["saved_entry"])
        elif self._env().get("saved_entry") is not None:
            self._edit_env("unset", "saved_entry")
        if self._env().get("next_entry") == "" and original.get("next_entry") is None:
            self._edit_env("unset", "next_entry")  # GRUB empties what it has taken, and leaves the name.
        if original.get("block_missing") and self._env() == {}:
            self.machine.remove(self.block)
        if self._config_default() != self._expected_default():
            self._generate()

    def restored_default(self, original):
        """Release that would be the default after `restore`."""
        env = dict(self._env())
        env.pop("saved_entry", None)
        env.pop("next_entry", None)
        if original.get("saved_entry"):
            env["saved_entry"] = original["saved_entry"]
        text = _with_config_default(self._text(), self.restored_setting(original))
        return self._release(self._order_of(text, env)["default"])

    def restored_setting(self, original):
        """The setting after `restore`: the one of before, unless somebody has set another one since."""
        if self.setting() != "saved":
            return self.setting()
        return parse_assignments(original.get("line") or "").get("GRUB_DEFAULT") or "0"

    # -- the one-shot boot -----------------------------------------------------------------------------------------------------

    def armed(self, release, panic):
        """The trial entry is what `write_trial` would write, and it is armed."""
        return self._env().get("next_entry") == self._next_spec(release) and self.trial_is_current(release, panic)

    def trial_is_current(self, release, panic):
        return self.machine.read_latin(self.custom) == self._custom_with_trial(release, panic)

    def write_trial(self, release, panic):
        """Our own copy of the release's entry, with `panic=`, in custom.cfg; what else is in that file stays."""
        text = self._custom_with_trial(release, panic)
        self._check_script(text)
        self._write_custom(text)

    def remove_trial(self):
        self._write_custom(_without_trial(self.machine.read_latin(self.custom)))

    def set_next(self, release):
        self._edit_env("set", "next_entry=" + self._next_spec(release))

    def clear_next(self):
        for name in ("next_entry", "prev_saved_entry"):
            if self._env().get(name) is not None:
                self._edit_env("unset", name)

    def has_next(self):
        return bool(self._env().get("next_entry"))

    def has_trial(self):
        return BEGIN in self.machine.read_latin(self.custom)

    def notes(self, release):
        """What the operator should know about a trial boot of this release."""
        if self._takes_trial():
            return []
        return [
            "%s does not read custom.cfg (41_custom is missing), so the trial boots the kernel's own entry, without panic=: "
            "a panic needs a watchdog or the console" % self.config
        ]

    # -- reading ---------------------------------------------------------------------------------------------------------------

    def _text(self):
        """grub.cfg as GRUB reads it, with custom.cfg where it takes that in."""
        return grub2_text(self.machine.root or "/", self.config)

    def _env(self):
        return parse_grubenv(self.machine.read(self.block)) or {}

    def _order(self):
        return self._order_of(self._text(), self._env() if self.machine.size(self.block) else None)

    def _order_of(self, text, env):
        """boot_order(), worked out once for the same files."""
        key = (text, env if env is None else tuple(sorted(env.items())))
        if key not in self._orders:
            self._orders[key] = boot_order(text, env, self._bls_entries())
        return self._orders[key]

    @staticmethod
    def _bls_entries():
        return ()

    def _takes_trial(self):
        """The menu can have an entry of our own."""
        return sources_custom(self.machine.read(self.config) or "")

    @staticmethod
    def _release(entry):
        return (entry["release"] or None) if entry else None

    def _entries(self):
        text = self.machine.read(self.config) or ""
        if text not in self._menus:
            self._menus[text] = run_grub_cfg(text)["entries"]
        return self._menus[text]

    def _entry(self, release):
        return entry_of_release(self._entries(), release)

    def _spec(self, release):
        """What to write as saved_entry or next_entry: the path of ids, or of titles where an id names another entry.

        grubby on EL 7 copies an entry together with its id, so there ids are not always unique.
        """
        entries = self._entries()
        wanted = entry_of_release(entries, release)
        for spec in [wanted["spec"]] + _title_paths(entries, wanted) if wanted else []:
            if find_entry(entries, spec) is wanted:
                return spec
        raise TargetError(
            "no_boot_entry",
            "%s has no entry that names kernel %s alone" % (self.config, release),
            "install the kernel, or generate the menu again (update-grub or grub2-mkconfig), then run again",
        )

    def _honours_saved(self, release):
        """The menu as it is boots the saved entry by default."""
        env = dict(self._env(), saved_entry=self._spec(release))
        return (
            self._release(self._order_of(self._text(), env)["default"]) == release
            and self._config_default() == "${saved_entry}"
        )

    def _config_default(self):
        """Value that grub.cfg gives to `default` when nothing is armed, unexpanded."""
        found = [
            value
            for value in re.findall(
                r'^[ \t]*set default="?([^"\n]*)"?[ \t]*$', self.machine.read(self.config) or "", re.M
            )
            if "next_entry" not in value
        ]
        return found[0] if found else None

    def _expected_default(self):
        return "${saved_entry}" if self.setting() == "saved" else self.setting()

    def _default_file(self):
        """The file whose GRUB_DEFAULT counts: Debian reads /etc/default/grub.d after /etc/default/grub."""
        names = [DROP_INS + "/" + name for name in list_dir(self.machine.path(DROP_INS)) if name.endswith(".cfg")]
        for name in reversed(names):
            if _DEFAULT_LINE.search(self.machine.read(name) or ""):
                return name
        return DEFAULT_FILE

    def _initramfs(self, entry):
        """Files below /boot that an entry loads as initramfs."""
        match = _INITRD_LINE.search(self._body(entry) or "")
        return ["/boot/" + os.path.basename(word) for word in match.group(1).split()] if match else []

    def _body(self, entry):
        """An entry's own text in grub.cfg, from "menuentry" to its closing brace, or None."""
        if entry is None:
            return None
        for block in _menuentry_blocks(self.machine.read(self.config) or ""):
            alone = bootable(run_grub_cfg("menuentry_id_option=--id\n" + block)["entries"])
            if len(alone) == 1 and all(alone[0][key] == entry[key] for key in ("title", "id", "image")):
                return block
        return None

    # -- writing ---------------------------------------------------------------------------------------------------------------

    def _next_spec(self, release):
        return self.TRIAL_ID if self._takes_trial() else self._spec(release)

    def _custom_with_trial(self, release, panic):
        rest = _without_trial(self.machine.read_latin(self.custom))
        if not self._takes_trial():
            return rest
        body = self._body(self._entry(release))
        trial = _trial_entry(body, release, panic, self.TRIAL_ID) if body else ""
        made = run_grub_cfg("menuentry_id_option=--id\n" + trial)["entries"]
        if (
            len(made) != 1
            or made[0]["id"] != self.TRIAL_ID
            or made[0]["release"] != release
            or TRIAL_MARK not in made[0]["options"].split()
        ):
            raise TargetError(
                "loader_not_supported",
                "the entry of kernel %s in %s is not one that can be copied" % (release, self.config),
                "generate the menu again (update-grub or grub2-mkconfig), then run again",
            )
        trial = trial.encode("utf-8").decode("latin-1")
        return rest + ("\n" if rest and not rest.endswith("\n") else "") + BEGIN + trial + END

    def _write_custom(self, text):
        if text:
            self.machine.write_latin(self.custom, text)
        else:
            self.machine.remove(self.custom)

    def _check_script(self, text):
        """GRUB's own syntax check, where the host has it: an error in custom.cfg would only be seen at boot."""
        checker = self.machine.command("grub-script-check", "grub2-script-check")
        if checker is None:
            return
        rc, out, err = self.machine.run([checker], timeout=30, stdin=text.encode("latin-1"))
        if rc != 0:
            raise TargetError(
                "loader_not_supported",
                "GRUB refuses %s with the trial entry in it: %s" % (self.custom, (err or out).strip()[-300:]),
                "repair what was in that file before, then run again",
            )

    def _editenv(self):
        editor = self.machine.command("grub-editenv", "grub2-editenv")
        if editor is None:
            raise TargetError(
                "loader_not_supported",
                "neither grub-editenv nor grub2-editenv is on this host",
                "install the package that has it (grub2-common on Debian and Ubuntu, grub2-tools-minimal on EL)",
            )
        return editor

    def _edit_env(self, verb, word):
        self.machine.must_run(
            [self._editenv(), self.machine.path(self.block), verb, word],
            "env_not_writable",
            "writing GRUB's environment block %s" % self.block,
            timeout=30,
        )

    def _generate(self):
        update = self.machine.command("update-grub")
        make = self.machine.command("grub-mkconfig", "grub2-mkconfig")
        if self.config == "/boot/grub/grub.cfg" and update:
            argv = [update]
        elif make:
            argv = [make, "-o", self.machine.path(self.config)]
        else:
            raise TargetError(
                "loader_not_supported",
                "neither update-grub nor grub-mkconfig nor grub2-mkconfig is on this host",
                "install the package that has it, then run again",
            )
        # In the host's own language: titles are translated, and a default may be named by its title.
        self.machine.must_run(
            argv,
            "grub_mkconfig_failed",
            "generating %s" % self.config,
            timeout=300,
            env={"LANG": self._language(), "LC_ALL": ""},
        )

    def _language(self):
        for name in ("/etc/default/locale", "/etc/locale.conf"):
            found = parse_assignments(self.machine.read(name)).get("LANG")
            if found:
                return found
        return ""

    def _restore_setting(self, original):
        name = original.get("file") or DEFAULT_FILE
        text = self.machine.read_latin(name)
        if parse_assignments(text).get("GRUB_DEFAULT") != "saved":
            return  # Somebody has changed it since; that is theirs.
        if original.get("missing"):
            self.machine.remove(name)
            return
        line = original.get("line")
        if line is None and text.endswith("\n" + _ADDED):
            self.machine.write_latin(name, text[: -len("\n" + _ADDED)])
            return
        last = list(_DEFAULT_LINE.finditer(text))[-1]
        self.machine.write_latin(name, text[: last.start()] + (line or "") + text[last.end() :])


# Where GRUB_DEFAULT was not set at all; the empty line before it is ours too, so that it comes off byte for byte.
_ADDED = "GRUB_DEFAULT=saved\n"


def _with_saved_default(text):
    found = list(_DEFAULT_LINE.finditer(text))
    if not found:
        return text + "\n" + _ADDED
    last = found[-1]
    return text[: last.start()] + _ADDED + text[last.end() :]


def _with_config_default(text, setting):
    """grub.cfg as it would be with another GRUB_DEFAULT: the assignment that is not about next_entry."""
    value = "${saved_entry}" if setting == "saved" else setting
    return _CONFIG_DEFAULT_SAVED.sub(lambda match: '%s"%s"' % (match.group(1), value), text)


def _without_trial(text):
    start = text.find(BEGIN)
    if start < 0:
        return text
    end = text.find(END, start)
    return text[:start] + (text[end + len(END) :] if end >= 0 else "")


def trial_title(release):
    return "Trial boot of %s (realip.toa)" % release


def with_trial_options(line, panic):
    """A kernel line with what a trial boot is told; the kernel takes the last `panic=` that it is given."""
    return "%s panic=%d %s" % (line.rstrip(), panic, TRIAL_MARK)


def _trial_entry(body, release, panic, identity):
    """An entry's text -> the same under our id, with `panic=` and our mark on its kernel line, at the top level of the menu."""
    lines = body.split("\n")
    lines[0] = _trial_header(lines[0], release, identity)
    for place, line in enumerate(lines):
        if _KERNEL_LINE.match(line):
            lines[place] = with_trial_options(line, panic)
    return _SAVES_DEFAULT.sub("", "\n".join(lines).rstrip("\n") + "\n")


def _trial_header(header, release, identity):
    """Title and id are replaced; classes, users and --unrestricted stay, or a menu with a password would ask for it at boot."""
    header = _MENU_ID.sub("", header.strip())
    options = re.sub(r"""^menuentry[ \t]+('(?:[^']|'\\'')*'|"(?:\\.|[^"\\])*"|[^ \t]+)""", "", header, count=1)
    return "menuentry '%s'%s" % (
        trial_title(release),
        re.sub(r"[ \t]*\{$", " $menuentry_id_option '%s' {" % identity, options),
    )


def _menuentry_blocks(text):
    """Texts of all menuentries of a generated configuration: header and closing brace are lines of their own there."""
    blocks, block, depth = [], None, 0
    for line in text.split("\n"):
        if block is None and _HEADER.match(line) and line.rstrip().endswith("{"):
            block, depth = [], 0
        if block is None:
            continue
        block.append(line)
        stripped = line.strip()
        depth += 1 if stripped.endswith("{") else -1 if stripped == "}" else 0
        if depth == 0:
            blocks.append("\n".join(block) + "\n")
            block = None
    return blocks


def _title_paths(entries, wanted, prefix=""):
    """Specs by titles of an entry, outermost submenu first."""
    found = []
    for entry in entries:
        spec = prefix + entry["title"].replace(">", ">>")
        if entry is wanted:
            found.append(spec)
        elif entry["entries"]:
            found.extend(_title_paths(entry["entries"], wanted, spec + ">"))
    return found
