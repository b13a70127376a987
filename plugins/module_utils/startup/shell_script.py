# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell scripts, read as a shell would as far as that decides whether a line that loads a TOA module runs. Nothing is executed."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.host.marks import OUR_SCRIPTS
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import (
    STATS_FILES,
    TOA_MODULES,
    module_of_file,
)

# Patterns are text here, compiled where they are first used (re keeps them): most hosts have no script that names TOA.
_TOKEN = (
    r"""(?s)(?P<skip>[ \t]+|\\\n|(?<![^ \t\n;&|()])\#[^\n]*)|(?P<operator>\n|;;?|&&?|\|\|?|[()])|"""
    r"""(?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|`[^`]*`|\$\([^()\n]*\)|[^ \t\n;&|()'"`\\])+)"""
)
_QUOTED = r"""(?s)\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"|([^\\'"]+)"""
_HEREDOC = r"(?s)<<(-?)(?!<)(.*)$"
_ASSIGNMENT = r"[A-Za-z_][A-Za-z_0-9]*\+?="
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


def script_loads(text):
    """Commands of a shell script that load a TOA module.

    A list of dicts: `module`, `file` (what insmod is given, or ""), `line_number`, `by_service` (a service is
    started, which loads it), `reason` (why it would not run or not work, or "").
    """
    if not names_a_module(text):
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
                    "by_service": not found[1] and not _uses_modprobe(command["words"]),
                    "reason": ended or failed or why,
                }
            )
        if command["top"] and not ended:
            ended = _ends(command)
        if why and reader.stops_on_error and command["top"] and not failed:
            failed = "the script has -e and stops at line %d, which fails" % command["line_number"]
    return loads


def _uses_modprobe(words):
    return bool([word for word in words if _plain(word).rsplit("/", 1)[-1] == "modprobe"])


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
    whole = unquote(words[0]).split()
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
        if simple != unquote(word) and (
            named(simple) or simple.rsplit("/", 1)[-1] in ("modprobe", "insmod", "systemctl", "service")
        ):
            return found, "typographic quotes are part of the word for a shell: %s" % unquote(word)
    return found, ""


def _plain(word):
    """A word without quotes, typographic ones included, which is how its writer meant it."""
    return unquote(word).rstrip("\r").strip(_DROP_QUOTES)


def unquote(word):
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
            if named(word):
                return named(word), ""
            if not several:
                return None
        place += 1
    return None


def named(word):
    """The TOA module that a word names, or ""."""
    name = word.replace("-", "_")
    return name if name in STATS_FILES else ""


def names_a_module(text):
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
            self.heredocs.append([heredoc.group(1) == "-", unquote(heredoc.group(2))])
        elif self.heredocs and not self.heredocs[-1][1]:
            self.heredocs[-1][1] = unquote(token)
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
