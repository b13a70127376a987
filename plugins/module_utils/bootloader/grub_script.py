# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What GRUB 2 would boot: its configuration is a script, so it is run, by the rules that GRUB itself follows. Pure.

No I/O here: text in, plain dicts out, and nothing raises on odd or hostile text. The same rules then say what is the default, whether an
armed one-shot entry would be taken, and what the environment block would hold afterwards.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_parser import Parser
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_words import (
    compare,
    names_of_variables,
    title_and_id,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import menu_entry, pick_entry, release_of_image

_CALL_LIMIT = 8
_MOST_FILES = 50
_PIECE = re.compile(r"""\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"|\$\{?([A-Za-z_0-9]+|[?*#@])\}?|([^\\'"$]+|\$)""", re.S)
_QUOTED_PIECE = re.compile(r"""\\([\\"$\n])|\$\{?([A-Za-z_0-9]+|[?*#@])\}?|([^\\$]+|[\\$])""", re.S)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z_0-9]*=")
# What GRUB 2 sets before it reads grub.cfg (normal/main.c); generated configurations ask for these.
_FEATURES = (
    "chainloader_bpb",
    "ntldr",
    "platform_search_hint",
    "default_font_path",
    "all_video_module",
    "menuentry_id",
    "menuentry_options",
    "200_final",
    "nativedisk_cmd",
    "timeout_style",
)
_LINUX_COMMANDS = ("linux", "linux16", "linuxefi", "module", "module2", "multiboot_kernel")


def run_grub_cfg(text, env=None, bls=(), read=None):
    """What GRUB 2 would do with a configuration.

    `env` is the parsed environment block (None where there is none), `bls` the BLS entries, already sorted; `read` gives the text of
    another file, by its path as GRUB has it, or None.
    Returns a dict: `entries` (the menu), `default` (value of the variable `default` at the end), `uses_bls`, `uses_legacy` (it reads
    a menu.lst), `env` (the environment block as the script would leave it), `saved` (names of variables it would write there) and
    `configfile` (path of the configuration that it hands over to, or "").
    """
    return _run(Parser(text or "").parse(), env, bls, read)


def _run(nodes, env, bls, read=None, with_menu=True):
    script = _Interpreter(env, bls, read, with_menu)
    script.run(nodes, script.menu)
    return {
        "entries": script.menu,
        "default": script.variables.get("default", ""),
        "uses_bls": script.uses_bls,
        "uses_legacy": script.uses_legacy,
        "env": script.block,
        "saved": script.saved,
        "configfile": script.configfile,
        "fallback": script.variables.get("fallback", ""),
    }


def boot_order(text, env=None, bls=(), read=None):
    """Which entries GRUB 2 would boot, by running its configuration for this boot and, where a one-shot is armed, for the one after.

    Returns a dict: `entries`, `uses_bls`, `uses_legacy`, `default` (entry booted when nothing is armed, or None), `next` (armed entry,
    or None), `honours_next` (the configuration takes `next_entry` and clears it again, so that grub-reboot works).
    """
    nodes = Parser(text or "").parse()
    now = _run(nodes, env, bls, read)
    armed = bool(env) and bool(env.get("next_entry") or env.get("prev_saved_entry"))
    settled = _run(nodes, now["env"], bls, read) if armed else now
    # A spec no menu has: whether it comes out as `default` does not depend on what the menu holds.
    probe = _run(nodes, _ready(env), (), read, False)
    return {
        "entries": now["entries"],
        "uses_bls": now["uses_bls"],
        "uses_legacy": now["uses_legacy"],
        "default": pick_entry(settled["entries"], settled["default"]),
        "next": pick_entry(now["entries"], now["default"]) if armed else None,
        "honours_next": probe["default"] == "realip-toa-probe" and not probe["env"].get("next_entry"),
    }


class _Interpreter:
    """Runs the nodes; knows variables, the environment block, functions, menus, and tests on them."""

    def __init__(self, env, bls, read=None, with_menu=True):
        self.read = read
        self.configfile = ""
        self.depth = 0
        self.files_left = _MOST_FILES
        self.with_menu = with_menu
        self.variables = dict(("feature_" + name, "y") for name in _FEATURES)
        self.variables.update(grub_platform="pc", prefix="/grub", config_directory="/grub")
        self.has_block = env is not None
        self.block = dict(env or {})
        self.saved = []
        self.bls = bls
        self.menu = []
        self.uses_bls = False
        self.uses_legacy = False
        self.functions = {}
        self.calls = 0

    def run(self, nodes, menu):
        for node in nodes:
            if self.configfile:
                return  # Another configuration has taken over.
            if node[0] == "command":
                self.command(node[1], menu)
            elif node[0] == "if":
                self.branch(node[1], menu)
            elif node[0] == "block":
                self.named_block(node[1], node[2], menu)

    def branch(self, branches, menu):
        for condition, nodes in branches:
            if condition is None or self.holds(condition):
                self.run(nodes, menu)
                return

    def holds(self, nodes):
        truth = False
        for node in nodes:
            if node[0] == "command":
                words = self.expand(node[1])
                if words[:1] == ["["]:
                    truth = self.test(words[1:-1])
                elif words[:1] == ["test"]:
                    truth = self.test(words[1:])
                else:
                    truth = words[:1] == ["true"]
        return truth

    def test(self, words):
        if "-o" in words:
            place = words.index("-o")
            return self.test(words[:place]) or self.test(words[place + 1 :])
        if "-a" in words:
            place = words.index("-a")
            return self.test(words[:place]) and self.test(words[place + 1 :])
        if words[:1] == ["!"]:
            return not self.test(words[1:])
        if len(words) == 3:
            return compare(words[0], words[1], words[2])
        if len(words) == 2:
            if words[0] == "-z":
                return words[1] == ""
            if words[0] == "-n":
                return words[1] != ""
            if words[0] in ("-s", "-f", "-e"):
                return self.has_block if words[1].endswith("/grubenv") else self.text_of(words[1]) is not None
            return False
        return len(words) == 1 and words[0] != ""

    def command(self, raw, menu):
        words = self.expand(raw)
        if not words:
            return
        name = words[0]
        if name == "set" and len(words) > 1 and "=" in words[1]:
            self.assign(words[1])
        elif _ASSIGNMENT.match(name) and len(words) == 1:
            self.assign(name)
        elif name == "unset" and len(words) > 1:
            self.variables.pop(words[1], None)
        elif name == "load_env":
            self.load(words[1:])
        elif name == "save_env":
            self.save(words[1:])
        elif name == "blscfg":
            self.uses_bls = True
            menu.extend(self.bls)
        elif name == "legacy_configfile":
            self.uses_legacy = True
        elif name in ("source", ".", "configfile") and len(words) > 1:
            self.other_file(name, words[1], menu)
        elif name in self.functions and self.calls < _CALL_LIMIT:
            self.calls += 1
            self.run(self.functions[name], menu)
            self.calls -= 1

    def text_of(self, path):
        return self.read(path) if self.read and self.depth < _CALL_LIMIT else None

    def other_file(self, name, path, menu):
        """`source` runs a file as if it stood here; `configfile` begins anew with it: its menu is the one that is shown."""
        text = self.text_of(path) if self.files_left else None
        if text is None:
            return
        self.depth += 1
        self.files_left -= 1
        if name == "configfile":
            del menu[:]
            self.variables["config_directory"] = path.rsplit("/", 1)[0]
        self.run(Parser(text).parse(), menu)
        self.depth -= 1
        if name == "configfile":
            self.configfile = self.configfile or path

    def assign(self, word):
        name, value = word.split("=", 1)
        self.variables[name] = value

    def load(self, words):
        names = names_of_variables(words)
        for name in names or list(self.block):
            if name in self.block:
                self.variables[name] = self.block[name]

    def save(self, words):
        for name in names_of_variables(words):
            self.saved.append(name)
            if name in self.variables:  # set to nothing is not unset: GRUB writes "name="
                self.block[name] = self.variables[name]
            else:
                self.block.pop(name, None)

    def named_block(self, raw, nodes, menu):
        words = self.expand(raw)
        if words[:1] == ["function"] and len(words) > 1:
            self.functions[words[1]] = nodes
        elif not self.with_menu:
            return
        elif words[:1] == ["menuentry"]:
            menu.append(self.bootable_entry(words[1:], nodes))
        elif words[:1] == ["submenu"]:
            title, identity = title_and_id(words[1:])
            entry = menu_entry(title, identity, "", "", "", [])
            menu.append(entry)
            kept = dict(self.variables)
            self.run(nodes, entry["entries"])
            self.variables, self.configfile = kept, ""  # What a submenu hands over to is shown when somebody opens it.
            _prefix_specs(entry["entries"], entry["spec"])

    def bootable_entry(self, words, nodes):
        title, identity = title_and_id(words)
        image, options = self.kernel_line(nodes)
        return menu_entry(title, identity, image, options, release_of_image(image))

    def kernel_line(self, nodes):
        """Image and command line of the first kernel that a body loads, whichever branch it is in."""
        for node in nodes:
            if node[0] == "command":
                words = self.expand(node[1])
                if len(words) > 1 and words[0] in _LINUX_COMMANDS and not words[1].startswith("-"):
                    return words[1], " ".join(words[2:])
            else:
                inner = (
                    [node[2]]
                    if node[0] == "block"
                    else [node[1]]
                    if node[0] == "loop"
                    else [body for unused, body in node[1]]
                )
                for body in inner:
                    image, options = self.kernel_line(body)
                    if image:
                        return image, options
        return "", ""

    def expand(self, raw):
        """Words with variables put in and quotes taken off. An unquoted word that comes to nothing disappears, as in a shell."""
        words = []
        for word in raw:
            if "$" not in word and "\\" not in word and "'" not in word and '"' not in word:
                words.append(word)
                continue
            text = self.expand_word(word)
            if text or "'" in word or '"' in word:
                words.append(text)
        return words

    def expand_word(self, word):
        parts = []
        for piece in _PIECE.finditer(word):
            escaped, single, double, variable, plain = piece.groups()
            if double is not None:
                for inner in _QUOTED_PIECE.finditer(double):
                    parts.append(
                        self.variables.get(inner.group(2), "")
                        if inner.group(2)
                        else (inner.group(1) or inner.group(3) or "")
                    )
            elif variable is not None:
                parts.append(self.variables.get(variable, ""))
            else:
                parts.append(escaped or single or plain or "")
        return "".join(parts)


def _ready(env):
    """The environment block with a probe armed, as arming would leave it: without the rests of a boot without initramfs (Ubuntu)."""
    rests = ("initrdfail", "prev_entry")
    block = dict((name, value) for name, value in (env or {}).items() if name not in rests)
    return dict(block, next_entry="realip-toa-probe")


def _prefix_specs(entries, prefix):
    for entry in entries:
        entry["spec"] = prefix + ">" + entry["spec"]
        if entry["entries"]:
            _prefix_specs(entry["entries"], prefix)
