# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a boot loader would boot: pure parsers for grub.cfg, the environment block, BLS entries and menu.lst.

No I/O here: text in, plain dicts out, and nothing raises on odd or hostile text. A GRUB 2 configuration is a script, so it is run
by a small interpreter of the part of the language that generated configurations use: the same rules GRUB itself follows then say
what is the default, whether an armed one-shot entry would be taken, and what the environment block would hold afterwards.

An entry is a dict: `title`, `id`, `spec` (what grub-reboot and grub-set-default take: ids, or titles, joined by ">"),
`image` (path of the kernel as the loader sees it), `release` (`uname -r` of that image, or ""), `options` (kernel command line),
`entries` (list of a submenu, or None for a bootable entry).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

ENV_HEADER = "# GRUB Environment Block\n"
ENV_SIZE = 1024

_NESTING_LIMIT = 40
_CALL_LIMIT = 8
_TOKEN = re.compile(r"""[ \t\r]+|\#[^\n]*|\\\n|(\n|;)|((?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s;'"\\])+)""", re.S)
_PIECE = re.compile(r"""\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"|\$\{?([A-Za-z_0-9]+|[?*#@])\}?|([^\\'"$]+|\$)""", re.S)
_QUOTED_PIECE = re.compile(r"""\\([\\"$\n])|\$\{?([A-Za-z_0-9]+|[?*#@])\}?|([^\\$]+|[\\$])""", re.S)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z_0-9]*=")
_SHELL_ASSIGNMENT = r"(?m)^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z_0-9]*)=(.*)$"
_IMAGE_NAME = re.compile(r"(?:vmlinu[xz]|bzImage|zImage|Image|kernel|linux)-(?:genkernel-)?(\d.*)$")
_ALPHANUMERIC = r"[0-9]+|[A-Za-z]+|~|\^"

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
_OPTIONS_WITH_VALUE = ("--class", "--users", "--hotkey", "--source", "--id")


# -- the environment block ------------------------------------------------------------------------------------------------


def parse_grubenv(text):
    """grubenv -> dict of its variables, or None where the text is not an environment block (GRUB would refuse it too).

    A backslash protects the character after it; `#` fills what is left (GRUB: lib/envblk.c).
    """
    if text is None or not text.startswith(ENV_HEADER):
        return None
    values = {}
    for line in re.findall(r"(?:\\.|[^\\\n])+", text[len(ENV_HEADER) :], re.S):
        if line.startswith("#") or "=" not in line:
            continue
        name, value = line.split("=", 1)
        values[name] = re.sub(r"\\([\s\S])", r"\1", value)
    return values


def parse_assignments(text):
    """/etc/default/grub and files like it -> dict. Shell quoting is undone, nothing is expanded; the last one wins."""
    values = {}
    for name, raw in re.findall(_SHELL_ASSIGNMENT, text or ""):
        values[name] = _first_shell_word(raw)
    return values


def _first_shell_word(raw):
    match = re.match(r"""(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s;#'"\\]|(?<=\S)\#)*""", raw.strip())
    parts = []
    for piece in _PIECE.finditer(match.group(0)):
        escaped, single, double, variable, plain = piece.groups()
        if double is not None:
            parts.append(re.sub(r'\\([\\"$`])', r"\1", double))
        elif variable is not None:
            parts.append(piece.group(0))
        else:
            parts.append(escaped or single or plain or "")
    return "".join(parts)


# -- releases and versions ------------------------------------------------------------------------------------------------


def release_of_image(path):
    """`uname -r` that a kernel image's name stands for: "/vmlinuz-4.4.87.toa" -> "4.4.87.toa"; "" where it has none."""
    match = _IMAGE_NAME.search((path or "").rsplit("/", 1)[-1])
    return match.group(1) if match else ""


def compare_versions(left, right):
    """rpm's order of two version strings: -1, 0 or 1."""
    ours, theirs = re.findall(_ALPHANUMERIC, left), re.findall(_ALPHANUMERIC, right)
    for one, two in zip(ours, theirs):
        if one == two:
            continue
        if "~" in (one, two):
            return -1 if one == "~" else 1
        if "^" in (one, two):
            return -1 if one == "^" else 1
        if one.isdigit() != two.isdigit():
            return 1 if one.isdigit() else -1
        if one.isdigit():
            if int(one) == int(two):
                continue
            return 1 if int(one) > int(two) else -1
        return 1 if one > two else -1
    if len(ours) == len(theirs):
        return 0
    longer, sign = (ours, 1) if len(ours) > len(theirs) else (theirs, -1)
    return -sign if longer[min(len(ours), len(theirs))] == "~" else sign


# -- BLS ------------------------------------------------------------------------------------------------------------------


def parse_bls_entry(text, name):
    """One /boot/loader/entries/NAME -> entry; its id is the file's name without ".conf", as GRUB's blscfg has it."""
    fields = {}
    for line in (text or "").split("\n"):
        words = line.strip().split(None, 1)
        if len(words) == 2 and not words[0].startswith("#"):
            fields.setdefault(words[0], words[1])
    identity = name[: -len(".conf")] if name.endswith(".conf") else name
    image = fields.get("linux", "")
    release = release_of_image(image) or fields.get("version", "")
    return _entry(fields.get("title", identity), identity, image, fields.get("options", ""), release)


def sort_bls(entries):
    """Entries in the order in which blscfg shows them: newest version first, by NAME-VERSION-RELEASE of the id."""
    ordered = []
    for entry in entries:
        place = 0
        while place < len(ordered) and _compare_bls(entry, ordered[place]) <= 0:
            place += 1
        ordered.insert(place, entry)
    return ordered


def _compare_bls(left, right):
    ours, theirs = _split_bls_id(left["id"]), _split_bls_id(right["id"])
    for one, two in zip(ours, theirs):
        order = compare_versions(one, two)
        if order:
            return order
    return 0


def _split_bls_id(identity):
    parts = identity.rsplit("-", 2)
    return [""] * (3 - len(parts)) + parts


# -- GRUB 2 ---------------------------------------------------------------------------------------------------------------


def run_grub_cfg(text, env=None, bls=()):
    """What GRUB 2 would do with a configuration.

    `env` is the parsed environment block (None where there is none), `bls` the BLS entries, already sorted.
    Returns a dict: `entries` (the menu), `default` (value of the variable `default` at the end), `uses_bls`, `uses_legacy` (it reads
    a menu.lst), `env` (the environment block as the script would leave it) and `saved` (names of variables it would write there).
    """
    return _run(_Parser(text or "").parse(), env, bls)


def _run(nodes, env, bls, with_menu=True):
    script = _Interpreter(env, bls, with_menu)
    script.run(nodes, script.menu)
    return {
        "entries": script.menu,
        "default": script.variables.get("default", ""),
        "uses_bls": script.uses_bls,
        "uses_legacy": script.uses_legacy,
        "env": script.block,
        "saved": script.saved,
    }


def boot_order(text, env=None, bls=()):
    """Which entries GRUB 2 would boot, by running its configuration for this boot and, where a one-shot is armed, for the one after.

    Returns a dict: `entries`, `uses_bls`, `uses_legacy`, `default` (entry booted when nothing is armed, or None), `next` (armed entry,
    or None), `honours_next` (the configuration takes `next_entry` and clears it again, so that grub-reboot works).
    """
    nodes = _Parser(text or "").parse()
    now = _run(nodes, env, bls)
    armed = bool(env) and bool(env.get("next_entry") or env.get("prev_saved_entry"))
    settled = _run(nodes, now["env"], bls) if armed else now
    # A spec no menu has: whether it comes out as `default` does not depend on what the menu holds.
    probe = _run(nodes, dict(env or {}, next_entry="realip-toa-probe"), (), False)
    return {
        "entries": now["entries"],
        "uses_bls": now["uses_bls"],
        "uses_legacy": now["uses_legacy"],
        "default": pick_entry(settled["entries"], settled["default"]),
        "next": pick_entry(now["entries"], now["default"]) if armed else None,
        "honours_next": probe["default"] == "realip-toa-probe" and not probe["env"].get("next_entry"),
    }


def pick_entry(entries, spec):
    """The entry GRUB would boot for a value of `default`: what it names or, where it names nothing, the first one.

    A submenu that is named without an entry of its own boots its first entry. None only where there is nothing to boot.
    """
    depth = 0
    components = split_spec(spec)
    while entries and depth < _NESTING_LIMIT:
        wanted = components[depth] if depth < len(components) else ""
        entry = _match(entries, wanted) or entries[0]
        if entry["entries"] is None:
            return entry
        entries = entry["entries"]
        depth += 1
    return None


def find_entry(entries, spec):
    """The entry (or submenu) that a spec names exactly, or None: what grub-reboot should be refused for."""
    entry = None
    for component in split_spec(spec):
        if entries is None:
            return None
        entry = _match(entries, component)
        if entry is None:
            return None
        entries = entry["entries"]
    return entry


def split_spec(spec):
    """ "Advanced>1" -> ["Advanced", "1"]; ">>" stands for a ">" inside a title (GRUB: normal/menu.c)."""
    return [part.replace("\0", ">") for part in (spec or "").replace(">>", "\0").split(">")]


def bootable(entries):
    """All bootable entries of a menu, submenus opened, in menu order."""
    found = []
    for entry in entries:
        if entry["entries"] is None:
            found.append(entry)
        else:
            found.extend(bootable(entry["entries"]))
    return found


def entry_of_release(entries, release):
    """The entry to name when this very kernel is to be booted, or None.

    Distributions give the newest kernel a first entry whose id stays when another kernel takes its place, so an entry that has
    the release in its id or title is preferred; recovery entries and those with another init are never taken.
    """
    fitting = [entry for entry in bootable(entries) if entry["release"] == release and not _is_special(entry)]
    for entry in fitting:
        if release in entry["id"] or (not entry["id"] and release in entry["title"]):
            return entry
    return fitting[0] if fitting else None


def _is_special(entry):
    words = entry["options"].split()
    return (
        "-recovery-" in entry["id"]
        or "-init-" in entry["id"]
        or "-rescue" in entry["id"]
        or "single" in words
        or "recovery" in words
        or "rescue" in words
    )


def _match(entries, wanted):
    if re.match(r"[0-9]+$", wanted):
        place = int(wanted)
        return entries[place] if place < len(entries) else None
    for entry in entries:
        if wanted and wanted in (entry["title"], entry["id"]):
            return entry
    return None


def _entry(title, identity, image, options, release, entries=None):
    return {
        "title": title,
        "id": identity,
        "spec": (identity or title).replace(">", ">>"),
        "image": image,
        "options": options,
        "release": release,
        "entries": entries,
    }


class _Parser:
    """GRUB script -> list of nodes: ("command", words), ("if", branches), ("block", words, nodes), ("loop", nodes).

    Words keep their quotes; they are expanded when they are run.
    """

    def __init__(self, text):
        self.tokens = [match.group(2) or "\n" for match in _TOKEN.finditer(text) if match.group(1) or match.group(2)]
        self.place = 0

    def parse(self):
        nodes = []
        while self.place < len(self.tokens):
            nodes.extend(self.block((), 0))
            self.place += 1  # A stray "}" or "fi": GRUB would refuse the file; what is left is still worth reading.
        return nodes

    def block(self, ends, depth):
        nodes = []
        while self.place < len(self.tokens):
            token = self.tokens[self.place]
            if token in ends or (not ends and token in ("}", "fi", "done")):
                return nodes
            if token == "\n" or depth > _NESTING_LIMIT:
                self.place += 1
            elif token == "if":
                nodes.append(("if", self.branches(depth)))
            elif token in ("while", "until", "for"):
                self.place += 1
                self.block(("do",), depth + 1)
                self.place += 1
                nodes.append(("loop", self.block(("done",), depth + 1)))
                self.place += 1
            else:
                nodes.append(self.command(depth))
        return nodes

    def branches(self, depth):
        found = []
        while self.place < len(self.tokens) and self.tokens[self.place] in ("if", "elif"):
            self.place += 1
            condition = self.block(("then", "fi"), depth + 1)
            self.place += 1
            found.append((condition, self.block(("elif", "else", "fi"), depth + 1)))
        if self.place < len(self.tokens) and self.tokens[self.place] == "else":
            self.place += 1
            found.append((None, self.block(("fi",), depth + 1)))
        self.place += 1
        return found

    def command(self, depth):
        words = []
        while self.place < len(self.tokens) and self.tokens[self.place] != "\n":
            token = self.tokens[self.place]
            if token == "}":
                break
            self.place += 1
            if token == "{":
                nodes = self.block(("}",), depth + 1)
                self.place += 1
                return ("block", words, nodes)
            words.append(token)
        # "}" as the very first word cannot get here: block() returns on it or steps over it.
        if not words:
            self.place += 1
        return ("command", words)


class _Interpreter:
    """Runs the nodes; knows variables, the environment block, functions, menus, and tests on them."""

    def __init__(self, env, bls, with_menu=True):
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
            return _compare(words[0], words[1], words[2])
        if len(words) == 2:
            if words[0] == "-z":
                return words[1] == ""
            if words[0] == "-n":
                return words[1] != ""
            return words[0] in ("-s", "-f", "-e") and words[1].endswith("/grubenv") and self.has_block
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
        elif name in self.functions and self.calls < _CALL_LIMIT:
            self.calls += 1
            self.run(self.functions[name], menu)
            self.calls -= 1

    def assign(self, word):
        name, value = word.split("=", 1)
        self.variables[name] = value

    def load(self, words):
        names = _names(words)
        for name in names or list(self.block):
            if name in self.block:
                self.variables[name] = self.block[name]

    def save(self, words):
        for name in _names(words):
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
            title, identity = _title_and_id(words[1:])
            entry = _entry(title, identity, "", "", "", [])
            menu.append(entry)
            kept = dict(self.variables)
            self.run(nodes, entry["entries"])
            self.variables = kept
            _prefix_specs(entry["entries"], entry["spec"])

    def bootable_entry(self, words, nodes):
        title, identity = _title_and_id(words)
        image, options = self.kernel_line(nodes)
        return _entry(title, identity, image, options, release_of_image(image))

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


def _compare(left, operator, right):
    if operator in ("=", "=="):
        return left == right
    if operator == "!=":
        return left != right
    numbers = []
    for side in (left, right):
        match = re.match(r"-?[0-9]+$", side)
        if match is None:
            return False
        numbers.append(int(side))
    return {
        "-eq": numbers[0] == numbers[1],
        "-ne": numbers[0] != numbers[1],
        "-lt": numbers[0] < numbers[1],
        "-le": numbers[0] <= numbers[1],
        "-gt": numbers[0] > numbers[1],
        "-ge": numbers[0] >= numbers[1],
    }.get(operator, False)


def _names(words):
    """Names of variables in the arguments of load_env and save_env: what is left without the options and the file."""
    names, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-f", "--file"):
            skip = True
        elif not word.startswith("-"):
            names.append(word)
    return names


def _title_and_id(words):
    title, identity, place = None, "", 0
    while place < len(words):
        word = words[place]
        if word in _OPTIONS_WITH_VALUE:
            place += 1
            if word == "--id" and place < len(words):
                identity = words[place]
        elif word.startswith("--id="):
            identity = word[len("--id=") :]
        elif title is None and not word.startswith("--"):
            title = word
        place += 1
    return title or "", identity


def _prefix_specs(entries, prefix):
    for entry in entries:
        entry["spec"] = prefix + ">" + entry["spec"]
        if entry["entries"]:
            _prefix_specs(entry["entries"], prefix)


# -- GRUB legacy ----------------------------------------------------------------------------------------------------------


def parse_menu_lst(text):
    """menu.lst or grub.conf -> `entries` (in order; `spec` is the number, from 0), `default` (number or "saved"), `fallback`, `timeout`.

    Entries that load no kernel (chainloader) keep their place, because they count; a title with nothing below it does not.
    """
    menu = {"entries": [], "default": "0", "fallback": "", "timeout": ""}
    entry = None
    for line in (text or "").split("\n"):
        name, value = legacy_command(line)
        if name == "title":
            entry = _entry(value, "", "", "", "")
        elif name and entry is not None:
            _legacy_line(menu["entries"], entry, name, value)
        elif name in ("default", "fallback", "timeout"):
            menu[name] = value
    return menu


def legacy_command(line):
    """(name, argument) of a line of a legacy menu; two empty strings where it is blank or a comment. `name=argument` is the same."""
    match = re.match(r"[ \t]*([^\s#=][^\s=]*)[ \t]*=?[ \t]*(.*)", line)
    return (match.group(1).lower(), match.group(2).strip()) if match else ("", "")


def _legacy_line(entries, entry, name, value):
    """One command below a title."""
    if not entries or entries[-1] is not entry:
        entry["spec"] = str(len(entries))
        entries.append(entry)
    if name in ("kernel", "module") and not entry["release"]:
        words = [word for word in value.split() if not word.startswith("--")]
        if words and (name == "kernel" or release_of_image(words[0])):
            entry.update(image=words[0], options=" ".join(words[1:]), release=release_of_image(words[0]))


def parse_legacy_default(text):
    """/boot/grub/default, which `default saved` reads -> number of the entry, or None.

    Debian's `savedefault --once` writes "N:ONCE" there, and its GRUB boots ONCE for as long as that is there.
    """
    match = re.match(r"\s*(?:[0-9]+:)?([0-9]+)", text or "")
    return int(match.group(1)) if match else None


def pick_legacy(menu, saved=None):
    """The entry GRUB legacy boots: `default`, or the saved number; where there are not so many, `fallback`. None in an empty menu."""
    entries = menu["entries"]
    for wanted in (
        saved if menu["default"] == "saved" else parse_legacy_default(menu["default"]),
        parse_legacy_default(menu["fallback"]),
    ):
        if (wanted or 0) < len(entries):
            return entries[wanted or 0]
    return entries[0] if entries else None
