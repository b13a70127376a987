# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in of grubby does (vendor_tools.py): EL 7, entries of grub.cfg; EL 8 and later, files in /boot/loader/entries."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

BEGIN, END = "### BEGIN /etc/grub.d/10_linux ###\n", "### END /etc/grub.d/10_linux ###\n"


class Grubby:
    """For Tools, which has the host's files and its environment block."""

    def grubby(self, options, words):
        return self._grubby_menu(options) if self.el == 7 else self._grubby_files(options)

    def entries(self):
        """[{title, release, text}] of an EL 7 menu."""
        found = []
        for text in re.findall(r"(?ms)^menuentry .*?^\}\n", self._linux_part()[1]):
            title = re.match(r"menuentry '([^']*)'", text).group(1)
            release = re.search(r"(?m)^\s*linux\S*\s+\S*vmlinuz-(\S+)", text)
            found.append({"title": title, "release": release.group(1) if release else "", "text": text})
        return found

    def _linux_part(self):
        text = self.text(self.config)
        begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        return text[:begin], text[begin:end], text[end:]

    def _write_entries(self, entries):
        before, part, after = self._linux_part()
        before += part[: part.index("menuentry ")] if "menuentry " in part else part
        self.write(self.config, before + "".join(entry["text"] for entry in entries) + after)

    def _default_place(self, entries):
        """Number of the default, or None where what is saved is nothing that it can read."""
        saved = self.variables().get("saved_entry", "")
        if re.match("[0-9]+$", saved):
            return int(saved)
        titles = [entry["title"] for entry in entries]
        return titles.index(saved) if saved in titles else None

    def _grubby_menu(self, options):
        entries = self.entries()
        place = self._default_place(entries)
        if "default-kernel" in options or "default-title" in options or "default-index" in options:
            if place is None or place >= len(entries):
                return 0, "", ""
            entry = entries[place]
            said = {"default-kernel": "/boot/vmlinuz-" + entry["release"], "default-title": entry["title"]}
            return 0, [said.get(name, str(place)) for name in options][0] + "\n", ""
        default = entries[place or 0]
        release = os.path.basename(options.get("add-kernel") or options.get("remove-kernel") or "")[len("vmlinuz-") :]
        if "add-kernel" in options:
            text = default["text"].replace(default["release"], release)
            # The id stays that of the entry which was copied.
            kept = re.search(r"\$menuentry_id_option '[^']*'", default["text"]).group(0)
            text = re.sub(r"\$menuentry_id_option '[^']*'", lambda match: kept, text)
            text = re.sub(r"menuentry '[^']*'", lambda match: "menuentry '%s'" % options["title"], text)
            text = re.sub(r"(?m)^\s*initrd16 .*\n", "", text)
            entries.insert(0, {"title": options["title"], "release": release, "text": text})
            if "make-default" in options:
                default = entries[0]
        if "remove-kernel" in options:
            entries = [entry for entry in entries if entry["release"] != release]
            default = default if default in entries else entries[0]
        if "update-kernel" in options:
            self._update_menu(entries, options)
        if "set-default" in options:
            named = os.path.basename(options["set-default"])[len("vmlinuz-") :]
            default = [entry for entry in entries if entry["release"] == named][0]
        self._write_entries(entries)
        self.editenv({}, [self.block, "set", "saved_entry=" + default["title"]])
        return 0, "", ""

    @staticmethod
    def _update_menu(entries, options):
        for entry in entries:
            if options["update-kernel"] not in ("ALL", "/boot/vmlinuz-" + entry["release"]):
                continue
            if options.get("args"):
                entry["text"] = re.sub(
                    r"(?m)^(\s*linux16 .*)$", lambda match: match.group(1) + " " + options["args"], entry["text"]
                )
            if options.get("initrd") and "initrd16" not in entry["text"]:
                entry["text"] = entry["text"][:-2] + "\tinitrd16 /%s\n}\n" % os.path.basename(options["initrd"])

    # -- grubby of EL 8 and later

    def files(self):
        """Names of entries, in the order of rpm's versions, as good as these tests need it."""
        folder = self.root + "/boot/loader/entries"
        names = [name[:-5] for name in os.listdir(folder) if name.endswith(".conf")] if os.path.isdir(folder) else []

        def key(name):
            return [
                (0 if part == "~" else 2 if part.isdigit() else 1, int(part) if part.isdigit() else 0, part)
                for part in re.findall("[0-9]+|[A-Za-z]+|~", name)
            ]

        return sorted(names, key=key, reverse=True)

    def file(self, name):
        return "/boot/loader/entries/%s.conf" % name

    def _grubby_files(self, options):
        names = self.files()
        # What an entry's paths lack: where /boot is no file system of its own, they are whole.
        above = "" if self.boot else "/boot"
        saved = self.variables().get("saved_entry", "")
        default = saved if saved in names else names[int(saved) if saved.isdigit() and int(saved) < len(names) else 0]
        if "default-kernel" in options:
            image = re.search(r"(?m)^linux (\S+)", self.text(self.file(default))).group(1)
            return 0, "%s%s\n" % (above, image), ""
        if "set-default" in options:
            path = options["set-default"][len(above) :]
            found = [
                name for name in names if re.search(r"(?m)^linux %s$" % re.escape(path), self.text(self.file(name)))
            ]
            self.editenv({}, [self.block, "set", "saved_entry=" + found[0]])
        if "update-kernel" in options:
            for name in names:
                text = self.text(self.file(name))
                self.write(
                    self.file(name),
                    re.sub(r"(?m)^(options .*)$", lambda match: "%s %s" % (match.group(1), options["args"]), text),
                )
            if self.el == 9:
                last = re.search(r"(?m)^options (.*)$", self.text(self.file(names[-1]))).group(1)
                self.write("/etc/kernel/cmdline", last + "\n")
        return 0, "", ""
