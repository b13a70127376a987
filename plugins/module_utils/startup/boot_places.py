# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every place that is meant to load a TOA module at boot, and whether that place really runs on this host.

Vendors' recipes write such lines into places that some distributions never run, after an `exit 0`, inside typographic quotes,
or with the path of the kernel of that day. A place counts only with the reason why it works; what would not run says why.
Nothing is executed; files are read, and shell scripts are read as a shell would, as far as that decides whether a line runs.

A finding is a dict: `path, kind (modules_load, etc_modules, rc_local, sysconfig_modules, systemd, initramfs), module, line (first 200
characters), line_number (from 1), effective, reason (empty where it is effective), ours`.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir, read_text
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import (
    STATS_FILES,
    TOA_MODULES,
    module_of_file,
    under,
)

# Written beside whatever we put into a file, so that it can be told from what the operator or a vendor put there.
MARKER = "# realip.toa"

# Our own scripts: the module that findings of them have, the path, and the word with which they take back what they do at boot.
EBPF, OPTION_FILTER = "ebpf", "option_filter"
EBPF_LOADER = "/var/lib/realip-toa/ebpf/loader.sh"
FILTER_SCRIPT = "/var/lib/realip-toa/option-filter/filter.sh"
OUR_SCRIPTS = {EBPF: (EBPF_LOADER, "detach"), OPTION_FILTER: (FILTER_SCRIPT, "stop")}

MODULES_LOAD_DIRS = (
    "/etc/modules-load.d",
    "/run/modules-load.d",
    "/usr/local/lib/modules-load.d",
    "/usr/lib/modules-load.d",
    "/lib/modules-load.d",
)
UNIT_DIRS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
RC_LOCAL_FILES = ("/etc/rc.local", "/etc/rc.d/rc.local", "/etc/init.d/boot.local", "/etc/init.d/after.local")

# initscripts' unit for /etc/sysconfig/modules under its names of EL7, early EL7 and Fedora, EL8.
LOADMODULES_UNITS = ("rhel-loadmodules.service", "fedora-loadmodules.service", "loadmodules.service")

# Scripts that read modules-load.d and /etc/modules where systemd does not (Debian's kmod and module-init-tools).
KMOD_SCRIPTS = (
    "/etc/init.d/kmod",
    "/etc/init/kmod.conf",
    "/etc/init.d/module-init-tools",
    "/etc/init/module-init-tools.conf",
)

_SCRIPT_LIMIT = 256 << 10
_MOST_FINDINGS = 64  # in one file
# Patterns are text here, compiled where they are first used (re keeps them): most hosts have no script that names TOA.
_TOKEN = (
    r"""(?s)(?P<skip>[ \t]+|\\\n|(?<![^ \t\n;&|()])\#[^\n]*)|(?P<operator>\n|;;?|&&?|\|\|?|[()])|"""
    r"""(?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|`[^`]*`|\$\([^()\n]*\)|[^ \t\n;&|()'"`\\])+)"""
)
_QUOTED = r"""(?s)\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"|([^\\'"]+)"""
_HEREDOC = r"(?s)<<(-?)(?!<)(.*)$"
_ASSIGNMENT = r"[A-Za-z_][A-Za-z_0-9]*\+?="
_UNAME = r"`\s*uname\s+-r\s*`|\$\(\s*uname\s+-r\s*\)"
_RELEASE_IN_PATH = r"/lib/modules/([^/]+)/"
_EXEC_START = r"(?m)^[ \t]*ExecStart(?:Pre|Post)?[ \t]*=[ \t]*[-@:+!]*(.*)$"
_OPENERS = {"if": "fi", "case": "esac", "while": "done", "for": "done", "until": "done", "select": "done", "{": "}"}
_PREFIXES = (
    "then",
    "else",
    "elif",
    "do",
    "!",
    "time",
    "nohup",
    "sudo",
    "command",
    "builtin",
    "exec",
    "env",
    "nice",
    "setsid",
)
_VALUE_OPTIONS = ("-C", "--config", "-d", "--dirname", "-S", "--set-version")
_NOT_LOADING = (
    "-r",
    "--remove",
    "-n",
    "--dry-run",
    "--show",
    "-D",
    "--show-depends",
    "-c",
    "--showconfig",
    "-l",
    "--list",
    "-R",
    "--resolve-alias",
)
_ODD_SPACES = u"[\u00a0\u2000-\u200b\u202f\u3000\ufeff]+"  # fmt: skip
_DROP_QUOTES = u"\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02\uff07\ufffd"  # fmt: skip


def init_system(root="/"):
    """ "systemd", "upstart", "sysvinit" or "other": what started this host, not what is installed on it."""
    if os.path.isdir(under(root, "/run/systemd/system")):
        return "systemd"
    started = re.search(r"\(([^)]*)\)", read_text(under(root, "/proc/1/stat"), 256) or "")
    if started and started.group(1) != "init":
        return "other"
    if os.path.exists(under(root, "/sbin/initctl")) and any(
        name.endswith(".conf") for name in list_dir(under(root, "/etc/init"))
    ):
        return "upstart"
    runlevels = [
        sign for sign in ("/etc/inittab", "/etc/rc2.d", "/etc/rc.d/rc3.d") if os.path.exists(under(root, sign))
    ]
    return "sysvinit" if runlevels else "other"


def find_places(root="/", release=None, init=None):
    """All findings on a host. `release` is the kernel to judge paths by (default: the running one)."""
    release = release or os.uname()[2]
    init = init or init_system(root)
    places = []
    places.extend(_modules_load(root, init))
    places.extend(_etc_modules(root, init))
    places.extend(_rc_local(root, init, release))
    places.extend(_sysconfig_modules(root, init, release))
    places.extend(_systemd_units(root, init, release))
    places.extend(_initramfs(root, release))
    return places


# -- which places run -----------------------------------------------------------------------------------------------------


def modules_load_reason(root="/", init=None):
    """ "" where this host loads what modules-load.d lists, else the reason why not."""
    init = init or init_system(root)
    if init == "systemd":
        if _masked(root, "systemd-modules-load.service"):
            return "systemd-modules-load.service is masked"
        return ""
    for path in KMOD_SCRIPTS:
        if "modules-load.d" in (read_text(under(root, path), 65536) or ""):
            return ""
    return "nothing reads modules-load.d on this host (init is %s)" % init


def etc_modules_reason(root="/", init=None):
    """ "" where this host loads what /etc/modules lists, else the reason why not."""
    init = init or init_system(root)
    if init == "systemd":
        if not _etc_modules_links(root):
            return "nothing reads /etc/modules here: no modules-load.d file links to it"
        return modules_load_reason(root, init)
    for path in KMOD_SCRIPTS:
        if "/etc/modules" in (read_text(under(root, path), 65536) or ""):
            return ""
    return "nothing reads /etc/modules on this host (init is %s)" % init


def boot_script(root="/", init=None):
    """(path of the rc.local that this host runs at boot, ""), or (None, why it runs none).

    systemd's rc-local.service names it: /etc/rc.local on Debian and Ubuntu, /etc/rc.d/rc.local on Red Hat's family, so that
    the other path of the two is never run unless it is a link to the first.
    """
    init = init or init_system(root)
    if init == "systemd":
        if _masked(root, "rc-local.service"):
            return None, "rc-local.service is masked"
        text = _unit_text(root, "rc-local.service")
        match = re.search(_EXEC_START, text or "")
        if match is None:
            return None, "there is no rc-local.service on this host"
        return match.group(1).split()[0] if match.group(1).split() else None, ""
    if os.path.exists(under(root, "/etc/init.d/rc.local")):
        return "/etc/rc.local", ""
    for path in list_dir(under(root, "/etc/rc.d/rc3.d")) or list_dir(under(root, "/etc/rc3.d")):
        if path.startswith("S") and path.endswith("local"):
            return "/etc/rc.d/rc.local", ""
    if init in ("upstart", "sysvinit") and os.path.exists(under(root, "/etc/rc.d/rc.local")):
        return None, "no start link (S99local) of this host's runlevel leads to rc.local"
    return None, "nothing runs rc.local on this host (init is %s)" % init


def sysconfig_modules_reason(root="/", init=None):
    """ "" where this host runs /etc/sysconfig/modules/*.modules, else the reason why not."""
    init = init or init_system(root)
    if init != "systemd":
        if "sysconfig/modules" in (read_text(under(root, "/etc/rc.d/rc.sysinit"), 65536) or ""):
            return ""
        return "nothing runs /etc/sysconfig/modules on this host (init is %s)" % init
    for unit in LOADMODULES_UNITS:
        if _unit_text(root, unit) is not None:
            if _masked(root, unit):
                return "%s is masked" % unit
            return "" if unit_enabled(root, unit) else "%s is not enabled" % unit
    return "nothing runs /etc/sysconfig/modules here: this distribution has no loadmodules unit"


def unit_enabled(root, unit):
    """Whether systemd starts a unit at boot: some target wants or requires it, and it is not masked."""
    if _masked(root, unit):
        return False
    for folder in UNIT_DIRS:
        for name in list_dir(under(root, folder)):
            if name.endswith((".wants", ".requires")) and os.path.lexists(
                under(root, "%s/%s/%s" % (folder, name, unit))
            ):
                return True
    return False


def _unit_text(root, unit):
    for folder in UNIT_DIRS:
        path = under(root, folder + "/" + unit)
        if os.path.lexists(path):
            return read_text(path, 65536)
    return None


def _masked(root, unit):
    for folder in UNIT_DIRS[:2]:
        path = under(root, folder + "/" + unit)
        if os.path.islink(path) and os.readlink(path) == "/dev/null":
            return True
        if os.path.isfile(path) and os.path.getsize(path) == 0:
            return True
    return False


def _etc_modules_links(root):
    for folder in MODULES_LOAD_DIRS:
        for name in list_dir(under(root, folder)):
            if name.endswith(".conf") and _is_etc_modules(under(root, folder + "/" + name)):
                return True
    return False


def _is_etc_modules(path):
    return (
        os.path.islink(path)
        and os.path.normpath(os.path.join("/etc/modules-load.d", os.readlink(path))) == "/etc/modules"
    )


# -- lists of module names ------------------------------------------------------------------------------------------------


def _modules_load(root, init):
    places, seen, folders = [], {}, []
    reason = None
    for folder in MODULES_LOAD_DIRS:
        real = os.path.realpath(under(root, folder))
        if real in folders:
            continue
        folders.append(real)
        for name in list_dir(under(root, folder)):
            path = folder + "/" + name
            if _is_etc_modules(under(root, path)):
                continue
            text = read_text(under(root, path), _SCRIPT_LIMIT) or ""
            above = seen.get(name)
            seen.setdefault(name, path)
            if not _names_a_module(text):
                continue
            if reason is None:
                reason = modules_load_reason(root, init)
            why = reason
            if not name.endswith(".conf"):
                why = "only files named *.conf are read"
            elif above:
                why = "%s takes its place" % above
            places.extend(_list_findings(path, "modules_load", text, why, root, True, False))
    return places


def _etc_modules(root, init):
    text = read_text(under(root, "/etc/modules"), _SCRIPT_LIMIT) or ""
    if not _names_a_module(text):
        return []
    return _list_findings(
        "/etc/modules", "etc_modules", text, etc_modules_reason(root, init), root, False, init != "systemd"
    )


def _list_findings(path, kind, text, reason, root, whole_file, with_parameters):
    """Findings in a file that names one module per line."""
    places = []
    for number, line, ours in _marked_lines(text, whole_file):
        if len(places) >= _MOST_FINDINGS:
            break
        words = line.split()
        module = _named(words[0]) if words and words[0][0] not in "#;" else ""
        if not module and len(words) > 1 and words[0] in ("modprobe", "insmod") and _named(words[1]):
            places.append(
                _finding(
                    path, kind, _named(words[1]), line, number, "this file lists names of modules, not commands", ours
                )
            )
        elif module:
            why = reason
            if len(words) > 1 and not with_parameters:
                why = why or "the whole line is taken for the name of a module"
            places.append(_finding(path, kind, module, line, number, why or _blacklisted(root, module, kind), ours))
    return places


def _marked_lines(text, whole_file):
    """(number, line, whether it is ours): our marker stands in the file, or in a shared file on the line or right above it."""
    everywhere = whole_file and MARKER in text
    above = False
    for number, line in enumerate(text.split("\n")):
        yield number + 1, line, everywhere or MARKER in line or above
        above = MARKER in line and line.lstrip().startswith("#")


def _blacklisted(root, module, kind):
    """systemd-modules-load leaves out what modprobe.d blacklists, and nothing loads what has a false install rule."""
    for folder in ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"):
        for name in list_dir(under(root, folder)):
            text = read_text(under(root, folder + "/" + name), 65536) if name.endswith(".conf") else None
            if not text or not _names_a_module(text):
                continue
            for line in text.split("\n"):
                words = line.split()
                if len(words) < 2 or _named(words[1]) != module:
                    continue
                if words[0] == "blacklist" and kind == "modules_load":
                    return "%s/%s blacklists it" % (folder, name)
                if words[0] == "install" and len(words) > 2 and words[2].rsplit("/", 1)[-1] in ("false", "true", ":"):
                    return "%s/%s replaces loading it by %s" % (folder, name, words[2])
    return ""


# -- scripts --------------------------------------------------------------------------------------------------------------


def _rc_local(root, init, release):
    places, seen = [], []
    runs, why_none = None, None
    for path in RC_LOCAL_FILES:
        try:
            identity = os.stat(under(root, path))
        except OSError:
            continue
        text = read_text(under(root, path), _SCRIPT_LIMIT) or ""
        if not _names_a_module(text):
            continue
        if why_none is None:
            runs, why_none = boot_script(root, init)
        if (identity.st_dev, identity.st_ino) in seen:
            continue
        seen.append((identity.st_dev, identity.st_ino))
        is_run = runs is not None and _same_file(under(root, runs), identity)
        reason = (
            _place_reason(identity, text, init == "systemd")
            if is_run
            else why_none or "this host runs %s, not this file" % runs
        )
        places.extend(_script_findings(runs if is_run else path, "rc_local", text, reason, root, release, False))
    return places


def _same_file(path, identity):
    try:
        other = os.stat(path)
    except OSError:
        return False
    return (other.st_dev, other.st_ino) == (identity.st_dev, identity.st_ino)


def _place_reason(identity, text, by_exec):
    if not stat.S_ISREG(identity.st_mode):
        return "not a file"
    if not identity.st_mode & 0o111:
        return "not executable"
    if by_exec and not text.startswith("#!"):
        # A shell that runs another script forgives this; systemd calls execve() and gives up with ENOEXEC.
        return "the first line is no #! line, so systemd cannot run it"
    if text.startswith("#!") and text.split("\n", 1)[0].endswith("\r"):
        return "the #! line ends in a carriage return, so that its interpreter is not found"
    return ""


def _sysconfig_modules(root, init, release):
    places = []
    folder = "/etc/sysconfig/modules"
    for name in list_dir(under(root, folder)):
        path = folder + "/" + name
        text = read_text(under(root, path), _SCRIPT_LIMIT) or ""
        if not _names_a_module(text):
            continue
        reason = sysconfig_modules_reason(root, init)
        if not name.endswith(".modules"):
            reason = reason or "only files named *.modules are run"
        if not reason:
            reason = _place_reason(os.stat(under(root, path)), text, False)
        places.extend(_script_findings(path, "sysconfig_modules", text, reason, root, release, True))
    return places


def _script_findings(path, kind, text, reason, root, release, whole_file):
    lines = text.split("\n")
    marked = dict((number, ours) for number, unused, ours in _marked_lines(text, whole_file))
    places = []
    for load in script_loads(text)[:_MOST_FINDINGS]:
        number = load["line_number"]
        why = (
            reason
            or load["reason"]
            or _file_reason(load["file"], root, release)
            or _blacklisted(root, load["module"], kind)
        )
        places.append(_finding(path, kind, load["module"], lines[number - 1], number, why, marked.get(number, False)))
    return places


def _file_reason(path, root, release):
    """Why `insmod PATH` would fail at boot, or "" where it would not, or where only the shell could tell."""
    if not path:
        return ""
    dynamic = re.search(_UNAME, path) is not None
    path = re.sub(_UNAME, lambda unused: release, path)
    if "$" in path or "`" in path or "*" in path or "~" in path:
        return ""
    match = re.search(_RELEASE_IN_PATH, path)
    if match and match.group(1) != release and not dynamic:
        return "the path belongs to kernel %s, and %s is running" % (match.group(1), release)
    path = os.path.join("/", path)
    return "" if os.path.exists(under(root, path)) else "there is no %s" % path


def script_loads(text):
    """Commands of a shell script that load a TOA module.

    A list of dicts: `module`, `file` (what insmod is given, or ""), `line_number`, `reason` (why it would not run or not work, or "").
    """
    if not _names_a_module(text):
        return []
    reader = _Script(text)
    loads, ended, failed = [], "", ""
    for command in reader.commands:
        found, why = _load_in(command["words"])
        if found:
            if command["function"] and command["function"] not in reader.called:
                why = why or "inside function %s, which nothing calls" % command["function"]
            loads.append(
                {
                    "module": found[0],
                    "file": found[1],
                    "line_number": command["line_number"],
                    "reason": ended or failed or why,
                }
            )
        if command["top"] and not ended:
            ended = _ends(command)
        if why and reader.stops_on_error and command["top"] and not failed:
            failed = "the script has -e and stops at line %d, which fails" % command["line_number"]
    return loads


def _ends(command):
    """Why nothing after this command runs, or ""."""
    words = command["words"]
    if words[0] == "exit":
        return "comes after the exit in line %d" % command["line_number"]
    if words[0] == "exec" and len(words) > 1 and not re.match(r"[0-9]*[<>]", words[1]):
        return "comes after the exec in line %d" % command["line_number"]
    return ""


def _load_in(words):
    """((module, file), why it fails) of one simple command, or (None, "")."""
    plain = [_plain(word) for word in words]
    whole = _unquote(words[0]).split()
    meant = [piece for word in plain for piece in re.split(_ODD_SPACES, word) if piece]
    if meant != plain:
        found = _module_loaded(meant)
        return found, "a space in it is none for a shell (a non-breaking one, say)" if found else ""
    if len(words) == 1 and len(whole) > 1 and whole[0].rsplit("/", 1)[-1] in ("modprobe", "insmod"):
        found = _module_loaded(whole)
        return found, "the whole command is quoted, so that the shell looks for one of that long name" if found else ""
    found = _module_loaded(plain)
    if found is None:
        return None, ""
    if words[-1].endswith("\r"):
        return found, "the line ends in a carriage return, which a shell takes for part of the last word"
    for word, simple in zip(words, plain):
        if simple != _unquote(word) and (
            _named(simple) or simple.rsplit("/", 1)[-1] in ("modprobe", "insmod", "systemctl", "service")
        ):
            return found, "typographic quotes are part of the word for a shell: %s" % _unquote(word)
    return found, ""


def _plain(word):
    """A word without quotes, typographic ones included, which is how its writer meant it."""
    return _unquote(word).rstrip("\r").strip(_DROP_QUOTES)


def _unquote(word):
    parts = []
    for escaped, single, double, plain in re.findall(_QUOTED, word):
        parts.append(escaped or single or double or plain)
    return "".join(parts)


def _module_loaded(words):
    """(module, file) that a command loads, or None. A non-breaking space counts as part of a word, as it does for a shell."""
    while words and (words[0] in _PREFIXES or re.match(_ASSIGNMENT, words[0])):
        words = words[1:]
    if not words:
        return None
    name, rest = words[0].rsplit("/", 1)[-1], words[1:]
    for ours, (script, undo) in OUR_SCRIPTS.items():
        if script in words[:2] and words[-1] != undo:
            return ours, script
    if name == "modprobe":
        return _modprobe(rest)
    if name == "insmod":
        given = [word for word in rest if not word.startswith("-")]
        for word in given:
            if module_of_file(word) in STATS_FILES:
                return module_of_file(word), given[0]
    if name == "systemctl" and "start" in rest and ("vtoa" in rest or "vtoa.service" in rest):
        return "vtoa", ""
    if (name == "service" and rest[:2] == ["vtoa", "start"]) or (
        words[0].endswith("init.d/vtoa") and rest[:1] == ["start"]
    ):
        return "vtoa", ""
    return None


def _modprobe(words):
    several = "-a" in words or "--all" in words
    place = 0
    while place < len(words):
        word = words[place]
        if word in _NOT_LOADING or re.match(r"[0-9]*[<>]", word):
            return None
        if word in _VALUE_OPTIONS:
            place += 1
        elif not word.startswith("-"):
            if _named(word):
                return _named(word), ""
            if not several:
                return None
        place += 1
    return None


def _named(word):
    """The TOA module that a word names, or ""."""
    name = word.replace("-", "_")
    return name if name in STATS_FILES else ""


def _names_a_module(text):
    """A cheap look before the careful one."""
    for name in TOA_MODULES:
        if name in text or ("_" in name and name.replace("_", "-") in text):
            return True
    return False


class _Script:
    """A shell script, cut into simple commands.

    `commands`: dicts of `words` (quotes kept), `line_number`, `top` (run whenever the script gets there: not inside a compound
    command and not after && or ||) and `function` (name of the function it is in, or ""); `called`: first words of all of them;
    `stops_on_error`: the script runs with -e.
    """

    def __init__(self, text):
        first = text.split("\n", 1)[0]
        self.stops_on_error = first.startswith("#!") and re.search(r"\s-[a-z]*e", first) is not None
        self.commands = []
        self.called = set()
        self.stack = []
        self.heredocs = []
        self.words = []
        self.number = 1
        self.after_logic = False
        self.maybe_function = ""
        self._read(text)

    def _read(self, text):
        place, line = 0, 1
        token_at = re.compile(_TOKEN).match
        while place < len(text):
            match = token_at(text, place)
            if match is None:
                place += 1  # A quote that is never closed: a shell would refuse the rest; reading on tells more.
                continue
            token = match.group(0)
            place = match.end()
            if match.group("word") is not None:
                if not self.words:
                    self.number = line
                self._word(token)
            elif match.group("operator") is not None:
                self._operator(token)
                if token == "\n" and self.heredocs:
                    end = self._skip_heredocs(text, place)
                    line += text.count("\n", place, end)
                    place = end
            line += token.count("\n")
        self._operator("\n")

    def _word(self, token):
        heredoc = re.search(_HEREDOC, token)
        if heredoc and "'" not in token[: heredoc.start()] and '"' not in token[: heredoc.start()]:
            self.heredocs.append([heredoc.group(1) == "-", _unquote(heredoc.group(2))])
        elif self.heredocs and not self.heredocs[-1][1]:
            self.heredocs[-1][1] = _unquote(token)
        if not self.words:
            if token in _OPENERS:
                self.stack.append((_OPENERS[token], self.maybe_function if token == "{" else ""))
                self.maybe_function = ""
                if token not in ("if", "while", "until", "{"):
                    self.words.append(token)
                return
            if self.stack and token == self.stack[-1][0]:
                self.stack.pop()
                return
            if token in ("then", "else", "elif", "do"):
                return
        self.words.append(token)

    def _operator(self, token):
        if token == "(" and len(self.words) == 1:
            self.maybe_function = self.words[0]
            self.words = []
            self.stack.append((")", ""))
            return
        self._finish(token)
        if token == "(":
            self.stack.append((")", ""))
        elif token == ")" and self.stack and self.stack[-1][0] == ")":
            self.stack.pop()
        elif token != "\n" and token != ")":
            self.maybe_function = ""

    def _finish(self, token):
        if self.words and self.words[0] == "function" and len(self.words) > 1:
            self.maybe_function = self.words[1]
            if self.words[-1] == "{":
                self.stack.append(("}", self.maybe_function))
        elif self.words:
            function = [name for unused, name in self.stack if name]
            self.called.add(self.words[0])
            self.commands.append(
                {
                    "words": self.words,
                    "line_number": self.number,
                    "function": function[-1] if function else "",
                    "top": not self.stack and not self.after_logic and token not in ("|", "&"),
                }
            )
        self.words = []
        self.after_logic = token in ("&&", "||", "|")

    def _skip_heredocs(self, text, place):
        for strip_tabs, delimiter in self.heredocs:
            while place < len(text):
                end = text.find("\n", place)
                end = len(text) if end < 0 else end
                line = text[place:end]
                place = min(end + 1, len(text))
                if (line.lstrip("\t") if strip_tabs else line) == delimiter:
                    break
        self.heredocs = []
        return place


# -- systemd units and the initramfs --------------------------------------------------------------------------------------


def _systemd_units(root, init, release):
    places = []
    for folder in UNIT_DIRS:
        if folder == "/lib/systemd/system" and os.path.realpath(under(root, "/lib")) == os.path.realpath(
            under(root, "/usr/lib")
        ):
            continue
        for name in list_dir(under(root, folder)):
            if not name.endswith(".service") or not (
                folder == UNIT_DIRS[0] or name.startswith("realip-toa") or name == "vtoa.service"
            ):
                continue
            text = read_text(under(root, folder + "/" + name), _SCRIPT_LIMIT) or ""
            load = _unit_load(name, text, root, release)
            if load is None:
                continue
            module, number, why = load
            lines = text.split("\n")
            places.append(
                _finding(
                    folder + "/" + name,
                    "systemd",
                    module,
                    lines[number - 1],
                    number,
                    _unit_reason(root, init, name) or why,
                    MARKER in text,
                )
            )
    return places


def _unit_load(name, text, root, release):
    """(module, number of its line, why it fails) of a unit that loads TOA, or None."""
    for match in re.finditer(_EXEC_START, text):
        number = text.count("\n", 0, match.start(1)) + 1
        command = _unquote(match.group(1)) if "-c" in match.group(1) else match.group(1)
        if "-c" in command.split():
            command = command.split("-c", 1)[1]
        for load in script_loads(command):
            return load["module"], number, load["reason"] or _file_reason(load["file"], root, release)
        if name == "vtoa.service":
            return "vtoa", number, ""
    return None


def _unit_reason(root, init, unit):
    if init != "systemd":
        return "systemd did not start this host (init is %s)" % init
    if _masked(root, unit):
        return "the unit is masked"
    return "" if unit_enabled(root, unit) else "the unit is not enabled"


def _initramfs(root, release):
    places = []
    path = "/etc/initramfs-tools/modules"
    text = read_text(under(root, path), _SCRIPT_LIMIT) or ""
    if _names_a_module(text):
        reason = _initrd_reason(root, path, "/boot/initrd.img-" + release)
        places.extend(_list_findings(path, "initramfs", text, reason, root, False, True))
    folder = "/etc/dracut.conf.d"
    for name in list_dir(under(root, folder)) if os.path.isdir(under(root, folder)) else []:
        text = read_text(under(root, folder + "/" + name), _SCRIPT_LIMIT) or ""
        if name.endswith(".conf") and _names_a_module(text):
            places.extend(_dracut_findings(root, folder + "/" + name, text, release))
    return places


def _dracut_findings(root, path, text, release):
    places = []
    for number, line, ours in _marked_lines(text, True):
        match = re.match(r"\s*(add_drivers|force_drivers|drivers)\+?=(.*)$", line)
        for word in _unquote(match.group(2)).split() if match else []:
            if _named(word):
                if match.group(1) == "force_drivers":
                    why = _initrd_reason(root, path, "/boot/initramfs-%s.img" % release)
                else:
                    why = "%s puts it into the initramfs, and nothing loads it there" % match.group(1)
                places.append(_finding(path, "initramfs", _named(word), line, number, why, ours))
    return places


def _initrd_reason(root, path, image):
    """An initramfs that was made before the list was changed does not know of it."""
    try:
        changed = os.stat(under(root, path)).st_mtime
    except OSError:
        return "the list cannot be read"
    try:
        made = os.stat(under(root, image)).st_mtime
    except OSError:
        return "the running kernel has no initramfs of its own (%s)" % image
    return "" if made >= changed else "%s was made before this list was changed" % image


def _finding(path, kind, module, line, number, reason, ours):
    return {
        "path": path,
        "kind": kind,
        "module": module,
        "line": line.strip()[:200],
        "line_number": number,
        "effective": not reason,
        "reason": reason,
        "ours": bool(ours),
    }
