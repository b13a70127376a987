# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs/package.py needs of rpm, yum and dnf: the same as packaging/dpkg.py offers of dpkg.

A kernel is one of the few packages that rpm has installed several times under one name, so a package is known here by all of it:
name-version-release.arch. `rpm -i` installs beside what is there, where `rpm -U` would take the running kernel away. The vendors'
documents add --force, which overwrites what belongs to other packages; here `rpm -i --test` says beforehand what --force would have hidden.

`root` is "/" on a real host; tests give a directory of their own (rpm --root, dnf --installroot).
Facts are from rpm(8), yum(8), dnf(8) and their sources; they hold for rpm 4.8 (Enterprise Linux 6) and later.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, list_dir, run
from ansible_collections.realip.toa.plugins.module_utils.host.writing import remove_file
from ansible_collections.realip.toa.plugins.module_utils.packaging.database_lock import TOOL_TIMEOUT, RpmLocks
from ansible_collections.realip.toa.plugins.module_utils.packaging.rpm_hold import Holds, words_for
from ansible_collections.realip.toa.plugins.module_utils.packaging.rpm_words import (
    DIAGNOSES,
    FAILED_SCRIPT,
    complaints,
    refusal,
)

# The signature of a package, wherever one of its several kinds has it.
SIGNATURE = "%{RSAHEADER:pgpsig}\t%{DSAHEADER:pgpsig}\t%{SIGPGP:pgpsig}\t%{SIGGPG:pgpsig}\n"
QUERY = "%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n"
FILES = "[%{FILENAMES}\t%{FILESIZES}\t%{FILEMODES:octal}\t%{FILEFLAGS}\n]"
# Bit of FILEFLAGS: the package owns it, but does not bring it (an initramfs, say).
GHOST = 1 << 6

# An unpacked file that has not got its name yet.
UNNAMED = re.compile(r";[0-9a-f]{8,}$")


class Rpm:
    """The package manager of Red Hat's family and its many children."""

    FORMAT = "rpm"
    NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+~^-]*\Z")
    DIAGNOSES = DIAGNOSES

    def __init__(self, root="/"):
        self.root = root
        # The operator's consent. rpm wants it where anything newer of that name is installed, whether that is running or not.
        self.accept_downgrade = False
        # {identity: [path of what was not there before its installation]}
        self.brought = {}
        # What a repository has brought beside what it was asked for.
        self.along = []

    # -- looking -------------------------------------------------------------------------------------------------------

    def identity(self, name, filename):
        """What names one of the several packages called `name`: its file's name without the ending."""
        return filename[: -len(".rpm")] if filename.endswith(".rpm") else name

    def inventory(self):
        """{identity: {name, version, arch, held}} of everything that is installed."""
        found = {}
        is_held = Holds(self.root).held()
        for line in self._asked(["-qa", "--qf", QUERY]).splitlines():
            name, version, arch = (line.split("\t") + ["", ""])[:3]
            found[self.key(name, version, arch)] = {
                "name": name,
                "version": version,
                "arch": arch,
                "held": is_held(name),
            }
        return found

    def key(self, name, version, arch):
        return "%s-%s.%s" % (name, version, arch)

    def installed_version(self, entry):
        """The version of an inventory entry, None without one. rpm enters a package when all of its files are there."""
        return entry["version"] if entry else None

    def broken(self, _inventory):
        """Of what was interrupted, rpm knows nothing: it is not in its database."""
        return []

    def files_of(self, name):
        """Absolute paths that an installed package owns."""
        _rc, out, _err = self._rpm(["-ql", name])
        return [line for line in out.splitlines() if line.startswith("/")]

    def native_arch(self):
        return os.uname()[4]

    def version_in_name(self, filename):
        """VERSION-RELEASE that a file name promises (NAME-VERSION-RELEASE.ARCH.rpm), or ""."""
        parts = re.match(r"^.+?-([^-]+-[^-]+)\.[^.-]+\.rpm$", filename)
        return parts.group(1) if parts else ""

    def same_version(self, version, promised):
        return not promised or version == promised

    def describe(self, path):
        """{name: identity, version, arch, conflicts, files: [(path below /, bytes)]} of an .rpm; TargetError where it is none.

        `conflicts` is empty: rpm refuses what conflicts, and never removes it.
        """
        self._refuse_forged(path)
        rc, out, err = self._rpm(["-qp", "--qf", QUERY + FILES, path])
        lines = [line.split("\t") for line in out.splitlines()]
        if rc != 0 or not lines or len(lines[0]) != 3:
            raise _corrupt(path, complaints(err) or "it has no name, version and architecture")
        rc, out, err = self._rpm(["-K", "--nosignature", path])
        if rc != 0:
            raise _corrupt(path, complaints(out + err))
        name, version, arch = lines[0]
        files = [(line[0].lstrip("/"), _size(line)) for line in lines[1:] if len(line) == 4 and line[0].startswith("/")]
        return {
            "name": self.key(name, version, arch),
            "version": version,
            "arch": arch,
            "conflicts": [],
            "files": files,
        }

    def signature(self, package):
        """Who has signed a file, or an installed package, and whether its key is known here; "none" for one that nobody has signed."""
        a_file = package.startswith("/")
        _rc, out, _err = self._rpm(["-qp" if a_file else "-qa", "--qf", SIGNATURE, package])
        found = [word.strip() for word in (out.split("\n") + [""])[0].split("\t") if word.strip() not in ("", "(none)")]
        if not found:
            return "none"
        known = (
            ""
            if not a_file
            else "; verified"
            if self._rpm(["-K", package])[0] == 0
            else "; its key is not installed here"
        )
        return found[0][:200] + known

    def _refuse_forged(self, path):
        """A signature that is there must not be wrong. One of an unknown key says nothing; the digest is what counts then."""
        rc, out, err = self._rpm(["-K", "-v", path])
        if rc != 0 and re.search(r"(?i)signature.*: BAD", out + err):
            raise TargetError(
                "bad_signature",
                "%s carries a signature that is not that of its content" % os.path.basename(path),
                "find out who has changed the file, and fetch it from its vendor",
            )

    def owners(self, path):
        """Identities of the packages that own an absolute path."""
        rc, out, _err = self._rpm(["-qf", "--qf", QUERY, path])
        return [self.key(*line.split("\t")) for line in out.splitlines() if rc == 0 and line.count("\t") == 2]

    def fits(self, arch):
        """Whether a package of this architecture can be installed here."""
        return arch in ("noarch", self.native_arch()) or bool(
            re.match("i[3-6]86$", arch) and re.match("i[3-6]86$", self.native_arch())
        )

    def rehearse(self, paths):
        """rpm's own test of an installation; TargetError with everything that --force and --nodeps would have run over."""
        if not paths:
            return
        rc, out, err = self._rpm(["-i", "--test"] + self._consents(paths) + list(paths))
        if rc != 0:
            raise refusal(out + "\n" + err, ", ".join(os.path.basename(path) for path in paths))

    # -- changing ------------------------------------------------------------------------------------------------------

    def install(self, wanted):
        """Install .rpm files beside what is there, in one run; returns (rc, what it said).

        A script that fails is only a warning for rpm, but a kernel whose script failed has no initramfs or no boot entry.
        """
        for path in wanted:
            package = self.describe(path)
            self.brought[package["name"]] = [
                name for name, _bytes in package["files"] if not os.path.lexists(os.path.join(self.root, name))
            ]
        rc, out, err = self._rpm(["-i"] + self._consents(wanted) + list(wanted), TOOL_TIMEOUT)
        said = out + "\n" + err
        failed = [name for name in FAILED_SCRIPT.findall(said) if [key for key in self.brought if key.startswith(name)]]
        return rc or (1 if failed else 0), complaints(said)

    def _consents(self, paths):
        """--oldpackage with the operator's word, --replacepkgs to put back files of a package that is installed already."""
        known = self.inventory()
        again = [path for path in paths if self.identity("", os.path.basename(path)) in known]
        return (["--oldpackage"] if self.accept_downgrade else []) + (["--replacepkgs"] if again else [])

    def remove(self, names):
        """Remove packages and our hold on them; returns (rc, what it said)."""
        known = self.inventory()
        rc, said = self._erase(names)
        left = [name for name in names if name in self.inventory()]
        self._let_go([known[name]["name"] for name in names if name in known and name not in left])
        return rc, said

    def _erase(self, names):
        """Remove packages; one that this very run has installed goes even if its script fails."""
        rc, out, err = self._take_away(names)
        left = [name for name in names if name in self.inventory()]
        if left and not [name for name in left if name not in self.brought]:
            rc, out, err = self._rpm(["-e", "--noscripts"] + left, TOOL_TIMEOUT)
        return rc, complaints(out + "\n" + err)

    def _take_away(self, names):
        return self._rpm(["-e"] + list(names), TOOL_TIMEOUT)

    def forget(self, names):
        """Remove what a failed installation has unpacked of packages that are not in the database."""
        for name in names:
            self._sweep(self.brought.get(name) or [])

    def _sweep(self, paths):
        for folder in set(os.path.dirname(path) for path in paths):
            for name in list_dir(os.path.join(self.root, folder)):
                if os.path.join(folder, UNNAMED.sub("", name)) in paths and not os.path.isdir(
                    os.path.join(self.root, folder, name)
                ):
                    remove_file(os.path.join(self.root, folder, name))
        for path in sorted(paths, reverse=True):
            try:
                os.rmdir(os.path.join(self.root, path))
            except OSError:
                pass

    def can_hold(self):
        """Whether there is anything that updates, and thus anything to hold against."""
        return bool(Holds(self.root).paths)

    def hold(self, names, held):
        """Keep packages through updates, or let go of them (packaging/rpm_hold.py)."""
        known = self.inventory()
        Holds(self.root).change([known[name]["name"] for name in names if name in known], held)

    def let_go(self, words):
        """Take back holds by the words in which they are recorded."""
        Holds(self.root).change(words, False)

    def hold_words(self, names):
        """How the facts tell that these are held: by the words in the configuration of yum or dnf."""
        known = self.inventory()
        return sorted(set(word for name in names if name in known for word in words_for(known[name]["name"])))

    def _let_go(self, names):
        Holds(self.root).change(names, False)

    def locked(self, time_limit):
        """Context that begins when no other package tool is at work; waits up to `time_limit` seconds for one that is."""
        database = self._asked(["--eval", "%{_dbpath}"]).strip()
        return RpmLocks(self.root, os.path.join(self.root, database.lstrip("/"), ".rpm.lock"), time_limit)

    # -- asking --------------------------------------------------------------------------------------------------------

    def _asked(self, arguments):
        """What rpm answers; TargetError where it cannot."""
        rc, out, err = self._rpm(arguments)
        if rc == 0:
            return out
        if re.search("DB_RUNRECOVERY|run database recovery", err):
            raise TargetError(
                "package_tool_interrupted",
                "rpm's database is damaged: %s" % complaints(err),
                "repair it on the host (rm -f /var/lib/rpm/__db.*, then rpm --rebuilddb), then run again",
            )
        raise TargetError(
            "package_tool_failed", "rpm %s: %s" % (arguments[0], complaints(err)), "see that rpm works on this host"
        )

    def _rpm(self, arguments, timeout=120):
        return run(["rpm"] + ([] if self.root == "/" else ["--root", self.root]) + arguments, timeout=timeout)


# -- what rpm says -----------------------------------------------------------------------------------------------------


def _size(line):
    """Bytes that a file of a package takes, of (path, size, mode in octal, flags)."""
    _path, size, mode, flags = line
    is_file = mode.isdigit() and int(mode, 8) & 0o170000 == 0o100000
    is_brought = flags.isdigit() and not int(flags) & GHOST
    return int(size) if is_file and is_brought and size.isdigit() else 0


def _corrupt(path, why):
    return TargetError(
        "package_corrupt",
        "%s is not a package that rpm can read: %s" % (os.path.basename(path), why),
        "fetch it again on the mirror, or name another file",
    )
