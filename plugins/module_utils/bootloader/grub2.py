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
* `armed(release, words)`, `trial_is_current(release, words)`, `write_trial(release, words)`, `has_trial()`, `remove_trial()`,
  `set_next(release)`, `has_next()`, `clear_next()`, `notes(release)`;
* `restore(original)`, `restored_default(original)`, `restored_setting(original)`;
* `watchdog_settings(release)`: how the trial watchdog takes back what is armed (settings_text()).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import GrubFiles, environment
from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import (
    block_problem,
    one_shot_problem,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.environment import parse_assignments
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_config import Grub2Config
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_menu import Grub2Menu
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_menu import DEFAULT_FILE
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_text import (
    copied_entry,
    ADDED,
    BEGIN,
    DEFAULT_LINE,
    END,
    SAVES_DEFAULT,
    with_config_default,
    with_saved_default,
    without_trial,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import boot_order
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import run_grub_cfg
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import entry_of_release
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import back_title, trial_title
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import without_trial_words
from ansible_collections.realip.toa.plugins.module_utils.bootloader.update_default import KERNEL_SETTINGS
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError


# Without its environment block GRUB would take the first entry, which may be the kernel that nobody has tried yet.
_WAY_BACK = """set fallback="%s"
if [ -z "${saved_entry}" -a -z "${boot_once}" ]; then
  set default="%s"
fi
"""


class Grub2(Grub2Config):
    """GRUB 2 with a generated grub.cfg that lists its entries, as Debian, Ubuntu and EL 7 have it."""

    name = "grub2"
    old = None

    # -- what is so --------------------------------------------------------------------------------------------------------

    def files(self):
        return (
            [self._default_file(), self.config, self.block, self.custom]
            + [KERNEL_SETTINGS]
            + self.places_with_trial_words()
        )

    @staticmethod
    def words():
        return []

    def boot_files_problem(self, release, running):
        """What the release lacks to be able to boot, or "". `running` is a kernel that is known to boot here."""
        machine = self.machine
        if not machine.is_dir("/lib/modules/" + release):
            return "/lib/modules/%s is missing" % release
        entry = self._entry(release)
        if entry is None:
            return "%s has no menu entry for it" % self.config
        return machine.image_problem(
            self._host_file(entry["image"]), self._initramfs(entry), self._initramfs(self._entry(running))
        )

    def one_shot(self, release=None):
        """(possible, reason why not): whether an entry can be armed for one boot only."""
        env = environment(self.machine, self.block, ask=True)
        block_says = block_problem(self.machine.root or "/", self.config, self.block, env)
        problem = one_shot_problem(self.config, self._order(), block_says)
        if problem:
            return False, problem
        if release and not self.takes_trial() and SAVES_DEFAULT.search(self._body(self._entry(release)) or ""):
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
        lines = DEFAULT_LINE.findall(self.machine.read_latin(name))
        return {
            "file": name,
            "missing": not self.machine.exists(name),
            "line": lines[-1] if lines else None,
            "saved_entry": self._env().get("saved_entry"),
            "next_entry": self._env().get("next_entry"),
            "update_default": self.update_default_of_before(),
            "block_missing": not self.machine.exists(self.block),
        }

    def pins(self):
        return self.setting() == "saved" and not self.follows_installs()

    @staticmethod
    def pinned_setting(release):
        return "saved"

    def pinned(self, release):
        return (
            self.pins()
            and self._honours_saved(release)
            and self._env().get("saved_entry") == self._spec(release)
            and self.default() == release
        )

    def pin(self, release):
        """GRUB_DEFAULT=saved, and the saved entry names the release by what stays when menus are generated anew."""
        if self.setting() != "saved":
            self.machine.write_latin(
                self._default_file(), with_saved_default(self.machine.read_latin(self._default_file()))
            )
        self.stop_following()
        self._edit_env("set", "saved_entry=" + self._spec(release))
        self.settle_config()

    def restore(self, original):
        self._restore_setting(original)
        self.follow_again(original.get("update_default"))
        if original.get("saved_entry"):
            self._edit_env("set", "saved_entry=" + original["saved_entry"])
        elif self._env().get("saved_entry") is not None:
            self._edit_env("unset", "saved_entry")
        if self._env().get("next_entry") == "" and original.get("next_entry") is None:
            self._edit_env("unset", "next_entry")  # GRUB empties what it has taken, and leaves the name.
        if original.get("block_missing") and self._env() == {}:
            self.machine.remove(self.block)
        self.settle_config()

    def restored_default(self, original):
        """Release that would be the default after `restore`."""
        env = dict(self._env())
        env.pop("saved_entry", None)
        env.pop("next_entry", None)
        if original.get("saved_entry"):
            env["saved_entry"] = original["saved_entry"]
        text = with_config_default(self._text(), self.restored_setting(original))
        custom = without_trial(self.machine.read_latin(self.custom))
        bls = [entry for entry in self._bls_entries() if entry["id"] not in (self.TRIAL_ID, self.BACK_ID)]
        return self._release(boot_order(text, env, bls, self._files_with(custom))["default"])

    def restored_setting(self, original):
        """The setting after `restore`: the one of before, unless somebody has set another one since."""
        if self.setting() != "saved":
            return self.setting()
        return parse_assignments(original.get("line") or "").get("GRUB_DEFAULT") or "0"

    # -- the one-shot boot -----------------------------------------------------------------------------------------------------

    def armed(self, release, words):
        """The trial entry is what `write_trial` would write, and it is armed."""
        env = self._env()
        return (
            env.get("next_entry") == self._next_spec(release)
            and not env.get("initrdfail")
            and self.trial_is_current(release, words)
        )

    def trial_is_current(self, release, words):
        return self.machine.read_latin(self.custom) == self._custom_with_trial(release, words)

    def write_trial(self, release, words):
        """Our own copy of the release's entry, with the trial's words, in custom.cfg; what else is in that file stays."""
        text = self._custom_with_trial(release, words)
        self._check_script(text)
        self._write_custom(text)

    def remove_trial(self):
        self._write_custom(without_trial(self.machine.read_latin(self.custom)))

    def set_next(self, release):
        for name in ("initrdfail", "prev_entry"):
            # Left over from a boot that Ubuntu tried without an initramfs: GRUB would take `prev_entry` instead of ours.
            if self._env().get(name) is not None:
                self._edit_env("unset", name)
        self._edit_env("set", "next_entry=" + self._next_spec(release))

    def clear_next(self):
        for name in ("next_entry", "prev_saved_entry"):
            if self._env().get(name) is not None:
                self._edit_env("unset", name)

    def remove_trial_words(self, name):
        """In the environment block by its own editor: its length and its padding have to stay as GRUB wants them."""
        if name != self.block:
            Grub2Menu.remove_trial_words(self, name)
            return
        for variable, value in sorted(self._env().items()):
            if without_trial_words(value) != value:
                self._edit_env("set", "%s=%s" % (variable, without_trial_words(value)))

    def has_next(self):
        return bool(self._env().get("next_entry"))

    def has_trial(self):
        return BEGIN in self.machine.read_latin(self.custom)

    def notes(self, release):
        """What the operator should know about a trial boot of this release."""
        if self.takes_trial():
            return []
        return [
            "%s does not read custom.cfg (41_custom is missing), so the trial boots the kernel's own entry, which is told nothing of it: "
            "a panic, a shell of the initramfs or a kernel that GRUB cannot load needs a watchdog or the console"
            % self.config
        ]

    # -- writing ---------------------------------------------------------------------------------------------------------------

    def _next_spec(self, release):
        return self.TRIAL_ID if self.takes_trial() else self._spec(release)

    def _custom_with_trial(self, release, words):
        rest = without_trial(self.machine.read_latin(self.custom))
        if not self.takes_trial():
            return rest
        entries = self._copy(release, trial_title(release), self.TRIAL_ID, words)
        if entries is None:
            raise TargetError(
                "loader_not_supported",
                "the entry of kernel %s in %s is not one that can be copied" % (release, self.config),
                "generate the menu again (update-grub or grub2-mkconfig), then run again",
            )
        entries += self._copy(self.old, back_title(self.old), self.BACK_ID) or ""
        return self._with_section(rest, entries, ())

    def _copy(self, release, title, identity, words=""):
        """The release's entry under another title and id, or None where it is not one that can be copied."""
        body = self._body(self._entry(release)) if release else None
        copied = copied_entry(body, title, identity, words) if body else ""
        made = run_grub_cfg("menuentry_id_option=--id\n" + copied)["entries"]
        if (
            len(made) != 1
            or (made[0]["id"], made[0]["release"]) != (identity, release)
            or not made[0]["options"].endswith(words)
        ):
            return None
        return copied.encode("utf-8").decode("latin-1")

    def _with_section(self, rest, entries, bls):
        """custom.cfg with our section: entries, and what GRUB boots when it cannot load the one that it was to boot, or has lost its memory."""
        rest += "\n" if rest and not rest.endswith("\n") else ""
        numbers = self._numbers_of_old(rest + BEGIN + entries + END, bls)
        way_back = _WAY_BACK % (" ".join(numbers), self.BACK_ID) if numbers else ""
        return rest + BEGIN + entries + way_back + END

    def _numbers_of_old(self, custom, bls):
        """Numbers of the top level of the menu that boot the old kernel, our own way back first. GRUB 2.06 knows no other names here."""
        menu = run_grub_cfg(self._text(), self._env(), bls, self._files_with(custom))["entries"]
        own = [str(place) for place, entry in enumerate(menu) if entry["id"] == self.BACK_ID]
        other = [
            str(place)
            for place, entry in enumerate(menu)
            if entry is entry_of_release([entry], self.old) and str(place) not in own
        ]
        return own + other

    def _files_with(self, custom):
        """Other files as GRUB reads them, with another custom.cfg."""
        files = GrubFiles(self.machine.root or "/", self.config)
        return lambda path: custom if path.endswith("/custom.cfg") else files(path)

    def _write_custom(self, text):
        if text:
            self.machine.write_latin(self.custom, text)
        else:
            self.machine.remove(self.custom)

    def _restore_setting(self, original):
        name = original.get("file") or DEFAULT_FILE
        text = self.machine.read_latin(name)
        if parse_assignments(text).get("GRUB_DEFAULT") != "saved":
            return  # Somebody has changed it since; that is theirs.
        if original.get("missing"):
            self.machine.remove(name)
            return
        line = original.get("line")
        if line is None and text.endswith("\n" + ADDED):
            self.machine.write_latin(name, text[: -len("\n" + ADDED)])
            return
        last = list(DEFAULT_LINE.finditer(text))[-1]
        self.machine.write_latin(name, text[: last.start()] + (line or "") + text[last.end() :])
