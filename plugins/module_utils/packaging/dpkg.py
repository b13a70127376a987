# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs/package.py needs of dpkg: what is installed, what is in a .deb, install, purge, hold, and the locks of the package database.

`root` is "/" on a real host; tests give a directory of their own, which dpkg then treats as the system (--root).
Facts are from dpkg(1), dpkg-query(1), dpkg-deb(1) and deb-version(7); they hold for dpkg 1.16 (Debian 7) and later.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import subprocess
import tarfile

from ansible_collections.realip.toa.plugins.module_utils.host.running import kernel
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    read_text,
    run,
    start,
    to_text,
)
from ansible_collections.realip.toa.plugins.module_utils.packaging.database_lock import TOOL_TIMEOUT, Locks, tail

QUERY = "${Package}\t${Status}\t${Version}\t${Architecture}\n"
# A maintainer script must neither ask nor draw; needrestart must not restart services because of a kernel.
QUIET = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBIAN_PRIORITY": "critical",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_SUSPEND": "1",
}
# Lists the kernels that apt must keep (Debian up to 10, Ubuntu up to 20.04). Only installing a kernel runs it, so that a removed
# one would stay in the list.
AUTOREMOVE_HOOK = "/etc/kernel/postinst.d/apt-auto-removal"
BROKEN = ("unpacked", "half-configured", "half-installed")


class Dpkg:
    """The package manager of Debian and its children."""

    FORMAT = "deb"
    NAME = re.compile(r"^[a-z0-9][a-z0-9.+-]+\Z")
    LOCKS = ("var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock")
    DIAGNOSES = ()

    def __init__(self, root="/"):
        self.root = root
        self.admin = os.path.join(root, "var/lib/dpkg")

    # -- looking -------------------------------------------------------------------------------------------------------

    def identity(self, name, _filename):
        """What names a package: dpkg has one of each name."""
        return name

    def inventory(self):
        """{name: {version, arch, status, held, reinstall}} of everything the database knows; `status` as dpkg has it."""
        rc, out, err = run(["dpkg-query", "--admindir=" + self.admin, "-W", "-f=" + QUERY])
        if rc not in (0, 1):
            raise TargetError("package_tool_failed", "dpkg-query: %s" % tail(err), "see that dpkg works on this host")
        found = {}
        for line in out.splitlines():
            name, status, version, arch = (line.split("\t") + ["", "", ""])[:4]
            want, flag, state = (status.split() + ["", "", ""])[:3]
            if state and state != "not-installed":
                found[name] = {
                    "version": version,
                    "arch": arch,
                    "status": state,
                    "held": want == "hold",
                    "reinstall": flag == "reinstreq",
                }
        return found

    def installed_version(self, entry):
        """The version of an inventory entry where it is properly installed, else None."""
        if (
            entry
            and not entry["reinstall"]
            and entry["status"] in ("installed", "triggers-awaited", "triggers-pending")
        ):
            return entry["version"]
        return None

    def broken(self, inventory):
        """Names of packages that a dpkg which was interrupted left half done."""
        return sorted(name for name, entry in inventory.items() if entry["reinstall"] or entry["status"] in BROKEN)

    def files_of(self, name):
        """Absolute paths that an installed package owns."""
        for suffix in ("", ":" + self.native_arch()):
            text = read_text(os.path.join(self.admin, "info", name + suffix + ".list"), 64 << 20)
            if text is not None:
                return [line for line in text.splitlines() if line.startswith("/")]
        return []

    def native_arch(self):
        rc, out, err = run(["dpkg", "--print-architecture"])
        if rc != 0:
            raise TargetError(
                "package_tool_failed", "dpkg --print-architecture: %s" % tail(err), "see that dpkg works on this host"
            )
        return out.strip()

    def version_in_name(self, filename):
        """The version that a file name promises (NAME_VERSION_ARCH.deb), or "". An epoch is never part of it."""
        parts = re.match(r"^[^_]+_([^_]+)_[^_]+\.deb$", filename)
        return parts.group(1) if parts else ""

    def same_version(self, version, promised):
        """Whether an installed version is the one that a file name promises."""
        return not promised or re.sub(r"^\d+:", "", version) == promised

    def describe(self, path):
        """{name, version, arch, conflicts: [names], files: [(path below /, bytes)]} of a .deb; TargetError where it is none."""
        rc, out, err = run(["dpkg-deb", "-f", path, "Package", "Version", "Architecture", "Conflicts"])
        values = dict(re.findall(r"(?m)^(\w+): *(.*)$", out))
        missing = [field for field in ("Package", "Version", "Architecture") if not values.get(field)]
        if rc != 0 or missing:
            raise _corrupt(path, tail(err) or "it has no %s" % ", ".join(missing))
        return {
            "name": values["Package"],
            "version": values["Version"],
            "arch": values["Architecture"],
            "conflicts": re.findall(r"(?:^|,)\s*([a-z0-9][a-z0-9.+-]+)", values.get("Conflicts", "")),
            "files": self._contents(path),
        }

    def signature(self, _path):
        """A .deb has none; apt's are those of a repository's index."""
        return "none"

    def owners(self, path):
        """Names of the packages that own an absolute path."""
        _rc, out, _err = run(["dpkg-query", "--admindir=" + self.admin, "-S", path])
        return re.findall(r"[a-z0-9][a-z0-9.+-]+", out.split(": ", 1)[0]) if ": " in out else []

    def fits(self, arch):
        """Whether a package of this architecture can be installed here."""
        return arch in ("all", self.native_arch())

    def rehearse(self, _paths):
        """dpkg has no test that finds more than describe() does."""

    def _contents(self, path):
        child = start(["dpkg-deb", "--fsys-tarfile", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        files = []
        problem = ""
        try:
            archive = tarfile.open(fileobj=child.stdout, mode="r|")
            for member in archive:
                files.append((re.sub(r"^\.?/+", "", to_text(member.name)), member.size if member.isfile() else 0))
        except (tarfile.TarError, IOError, EOFError) as trouble:
            problem = str(trouble)
        child.stdout.close()
        said = to_text(child.stderr.read())
        child.stderr.close()
        if child.wait() != 0 or problem:
            raise _corrupt(path, tail(said) or problem)
        return files

    # -- changing ------------------------------------------------------------------------------------------------------

    def install(self, paths):
        """Install .deb files in one dpkg run; returns (rc, what it said). Nothing is forced but the operator's own config files."""
        return self._dpkg(["--install", "--force-confold"] + list(paths))

    def remove(self, names):
        """Purge packages; returns (rc, what it said). One that was left half-installed is removable only when dpkg is told so."""
        inventory = self.inventory()
        force = (
            ["--force-remove-reinstreq"] if [name for name in names if inventory.get(name, {}).get("reinstall")] else []
        )
        rc, said = self._dpkg(["--purge"] + force + list(names))
        if rc == 0 and self.root == "/" and os.access(AUTOREMOVE_HOOK, os.X_OK):
            run([AUTOREMOVE_HOOK, kernel()], env=QUIET)
        return rc, said

    def can_hold(self):
        return True

    def hold(self, names, held):
        """Hold packages against updates, or let go of them: the same selection that apt-mark(8) writes."""
        rc, said = self._select(names, "hold" if held else "install")
        if rc != 0:
            raise TargetError(
                "package_tool_failed", "dpkg --set-selections: %s" % said, "see that dpkg works on this host"
            )

    def let_go(self, words):
        """Take back holds by the words in which they are recorded; of what is not there dpkg would keep a wish to install it."""
        known = self.inventory()
        names = [name for name in words if name in known]
        if names:
            self.hold(names, False)

    def hold_words(self, names):
        """How the facts tell that these are held."""
        return list(names)

    def forget(self, names):
        """Drop the wish to install: dpkg keeps it for a package whose preinst failed, although nothing of it is there."""
        self._select(names, "unknown")

    def _select(self, names, wish):
        return self._dpkg(["--set-selections"], "".join("%s %s\n" % (name, wish) for name in names))

    def _dpkg(self, arguments, stdin=None):
        # dpkg must not take the frontend lock itself: Locks below already holds it for us.
        environment = dict(QUIET, DPKG_FRONTEND_LOCKED="true")
        log = "--log=" + os.path.join(self.root, "var/log/dpkg.log")
        rc, out, err = run(
            ["dpkg", "--root=" + self.root, log] + arguments, timeout=TOOL_TIMEOUT, stdin=stdin, env=environment
        )
        return rc, tail(out + "\n" + err)

    def locked(self, time_limit):
        """Context in which no other package tool is at work; waits up to `time_limit` seconds for one that is."""
        return Locks([os.path.join(self.root, name) for name in self.LOCKS], time_limit)


def _corrupt(path, why):
    return TargetError(
        "package_corrupt",
        "%s is not a package that dpkg can read: %s" % (os.path.basename(path), why),
        "fetch it again on the mirror, or name another file",
    )
