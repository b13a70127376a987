# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TOA module built from source for the running kernel: by DKMS where that is to be had, by make alone otherwise, or taken ready from a twin.

A build happens in a folder of its own. The module that is in use stays where it is until its successor has been built, signed and looked at;
whatever fails before that leaves the host as it was. What was done is recorded in the section `source` of state.json.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import json
import os
import re
import shutil
import tempfile

from ansible_collections.realip.toa.plugins.module_utils.building.headers import has_headers
from ansible_collections.realip.toa.plugins.module_utils.building.tools import (
    Repository,
    require_compiler,
    require_headers,
    signing_hash,
    signing_tool,
)
from ansible_collections.realip.toa.plugins.module_utils.building.tree import (
    build_failed,
    clean,
    digest,
    subdirectory,
    unpack,
    variables_checked,
)
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    LOCK_FILE,
    STATE_DIR,
    HostLock,
    TargetError,
    list_dir,
    make_dirs,
    read_bytes,
    read_line,
    remove_empty,
    remove_file,
    run,
    which,
    write_atomic,
)
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, save_section, section
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import (
    STATS_FILES,
    TOA_MODULES,
    toa_files,
    under,
)

# Where modprobe looks first, whatever depmod.d says.
FOLDER = "updates"
# How DKMS knows what is ours, whatever the source calls itself.
PACKAGE = "realip-toa"
# Bytes at the end of a signed module (kernel/module_signing.c).
SIGNED = b"~Module signature appended~\n"
# No TOA module comes near this; a module with all its debugging information may.
MODULE_LIMIT = 16 << 20
# Kept free for a build, in KiB.
ROOM = 64 * 1024

DKMS_CONF = """
# Written by realip.toa.
PACKAGE_NAME="%(package)s"
PACKAGE_VERSION="%(version)s"
BUILT_MODULE_NAME[0]="%(module)s"
BUILT_MODULE_LOCATION[0]="%(location)s"
DEST_MODULE_NAME[0]="%(module)s"
DEST_MODULE_LOCATION[0]="/%(folder)s/dkms"
MAKE[0]="make -C $kernel_source_dir M=$dkms_tree/$module/$module_version/build/%(location)s %(words)s"
AUTOINSTALL="yes"
"""


class Host:
    """The host that a module is built for, and what it says of itself."""

    def __init__(self, args):
        self.root = args.get("root") or "/"
        self.running = args.get("running") or os.uname()[2]
        self.arch = os.uname()[4]
        self.state_file = under(self.root, STATE_FILE)
        self.args = args

    def path(self, path):
        return under(self.root, path)

    def lock(self):
        return HostLock(LOCK_FILE if self.root == "/" else self.path(LOCK_FILE))

    def record(self):
        return section("source", self.state_file)

    def save(self, record):
        save_section("source", record, self.state_file)

    def demands_signature(self):
        """Whether this kernel loads only signed modules: by a switch of its own, or because it is locked down (as Secure Boot has it)."""
        if read_line(self.path("/sys/module/module/parameters/sig_enforce")) in ("Y", "1"):
            return True
        return (
            re.search(r"\[(integrity|confidentiality)\]", read_line(self.path("/sys/kernel/security/lockdown")) or "")
            is not None
        )

    def depmod(self, release):
        words = ["depmod"] + (["-b", self.root] if self.root != "/" else []) + [release]
        rc, out, err = run(words)
        if rc != 0:
            raise TargetError(
                "depmod_failed",
                "depmod %s: %s" % (release, (err or out).strip()[-400:]),
                "see that depmod works on this host",
            )

    def dkms(self, *words):
        """Run dkms; returns (rc, output)."""
        places = []
        if self.root != "/":
            places = [
                "--dkmstree",
                self.path("/var/lib/dkms"),
                "--sourcetree",
                self.path("/usr/src"),
                "--installtree",
                self.path("/lib/modules"),
            ]
        rc, out, err = run(["dkms"] + list(words) + places, timeout=self.args.get("timeout") or 1800)
        return rc, out + err

    def key(self):
        """What a module built on one host must have in common with another host to fit there."""
        return {"release": self.running, "arch": self.arch, "version": os.uname()[3]}


class Wanted:
    """What was asked for, checked."""

    def __init__(self, args):
        self.module = (args.get("module") or "toa").replace("-", "_")
        if self.module not in STATS_FILES:
            raise TargetError(
                "bad_option", "module: %s is no TOA module" % self.module, "use one of %s" % ", ".join(TOA_MODULES)
            )
        self.source = args.get("source") or {}
        self.folder = (args.get("subdirectory") or "").strip("/")
        if ".." in self.folder.split("/"):
            raise TargetError(
                "bad_option", "subdirectory: %s leads out of the source" % self.folder, "name a directory of the source"
            )
        self.words = variables_checked(args.get("variables")) + ["modules"]
        self.own_dkms = bool(args.get("own_dkms"))
        self.method = args.get("method") or "auto"
        self.private_key = args.get("signing_key") or ""
        self.certificate = args.get("signing_certificate") or ""
        self.built = args.get("built") or ""

    def identity(self):
        """Names the source together with how it is built; equal identities make equal modules."""
        words = [self.source.get("sha256") or self.source.get("url") or "", self.folder, self.module] + self.words
        return digest(json.dumps(words))[:16]

    def signer(self):
        return digest(self.certificate)[:16] if self.private_key else ""


def status(host, _wanted):
    now = look(host)
    return dict(_result(now, now), key=host.key())


def present(host, wanted):
    before = look(host)
    if is_current(host, wanted):
        return dict(_result(before, before), key=host.key(), **_returned(host, wanted))
    if host.demands_signature() and not (wanted.private_key or wanted.built):
        raise TargetError(
            "secure_boot_unsigned",
            "the kernel %s takes only signed modules, and no key to sign with was given" % host.running,
            "give a key whose certificate this host trusts (toa_signing_key, toa_signing_certificate), or boot without module.sig_enforce",
        )
    if host.args.get("check"):
        # Headers of another kernel, or none to be had, are found out without changing anything.
        if not wanted.built and (has_headers(host.running, host.root) or not host.args.get("install_tools")):
            require_headers(host.running, host.root)
        after = dict(
            before, module=wanted.module, kernel=host.running, identity=wanted.identity(), source=_named(wanted.source)
        )
        return _result(before, after, changed=True)
    with host.lock():
        notes = _build(host, wanted)
    after = look(host)
    return dict(_result(before, after, changed=True), key=host.key(), notes=notes, **_returned(host, wanted))


def absent(host, _wanted):
    """Everything that the record says we brought: module files of every kernel, the DKMS entry, packages."""
    before = look(host)
    record = host.record()
    nothing = {
        "module": "",
        "kernel": host.running,
        "file": "",
        "method": "",
        "identity": "",
        "source": {},
        "packages": [],
    }
    if not record:
        return _result(before, before)
    if host.args.get("check"):
        return _result(before, nothing, changed=True)
    with host.lock():
        _forget_module(host, record)
        left = Repository().remove(record.get("packages") or [])
        host.save({"packages": left} if left else {})
    if left:
        raise TargetError(
            "packages_kept",
            "the package manager did not remove %s" % ", ".join(left),
            "remove them by hand; the module is gone already",
        )
    return _result(before, look(host), changed=True)


def look(host):
    """What `before` and `after` show: the module of the running kernel, and where it comes from."""
    record = host.record()
    place = module_file(host, record)
    return {
        "module": record.get("module", ""),
        "kernel": host.running,
        "file": place,
        "method": record.get("method", "") if place else "",
        "identity": record.get("identity", ""),
        "source": record.get("source") or {},
        "packages": record.get("packages") or [],
    }


def module_file(host, record):
    """Where the running kernel has the module that we built, "" where it has none."""
    name = record.get("module")
    found = toa_files(host.running, host.root).get(name, "") if name else ""
    if not found or not os.path.exists(host.path(found)):
        return ""
    if record.get("method") == "dkms":
        # DKMS of Debian keeps to what dkms.conf says (updates/dkms), that of Enterprise Linux does not (extra).
        return found if re.search("/(updates|extra|weak-updates)/", found) else ""
    entry = (record.get("files") or {}).get(host.running) or {}
    data = read_bytes(host.path(found), MODULE_LIMIT)
    return found if data is not None and digest(data) == entry.get("sha256") else ""


def is_current(host, wanted):
    record = host.record()
    same = record.get("identity") == wanted.identity() and record.get("signer", "") == wanted.signer()
    return bool(same and module_file(host, record) and wanted.method in ("auto", record.get("method")))


# -- building ----------------------------------------------------------------------------------------------------------


def _build(host, wanted):
    """Build or take the module and put it in place; returns notes for the operator."""
    notes = []
    base = host.path(STATE_DIR)
    make_dirs(base)
    work = tempfile.mkdtemp(prefix="build-", dir=base)
    try:
        if wanted.built:
            _put(
                host,
                wanted,
                _fitting(host, base64.b64decode(wanted.built), "the module that was built on another host"),
            )
            return notes
        _need_room(base)
        tree = unpack(wanted.source, work, host.args.get("timeout") or 600)
        folder = subdirectory(tree, wanted.folder)
        clean(tree)
        if host.args.get("install_tools"):
            _install_tools(host)
        headers = require_headers(host.running, host.root)
        require_compiler()
        if _use_dkms(host, wanted, notes):
            _with_dkms(host, wanted, tree)
            return notes
        _put(host, wanted, _with_make(host, wanted, folder, headers, work))
    finally:
        shutil.rmtree(work, True)
    return notes


def _need_room(folder):
    there = os.statvfs(folder)
    free = there.f_bavail * there.f_frsize // 1024
    if free < ROOM:
        raise TargetError(
            "disk_full",
            "%s has %d KiB free, and a build needs %d" % (folder, free, ROOM),
            "make room there, then run again",
        )


def _install_tools(host):
    """Headers, and a compiler where the headers have not brought one. What came is recorded before it is used, so that `absent` finds it."""
    repository = Repository()
    if not has_headers(host.running, host.root):
        name = repository.headers(host.running)
        said = _bring(host, repository, [name])
        if said:
            raise TargetError(
                "headers_unavailable",
                "the headers of the running kernel, %s, cannot be had: %s" % (name, said),
                "update to a kernel whose headers the distribution still offers and reboot, or put the package on a repository of this host",
                package=name,
            )
    missing = repository.compiler(host.running)
    said = _bring(host, repository, missing) if missing else ""
    if said:
        raise TargetError(
            "compiler_missing",
            "%s cannot be had: %s" % (", ".join(missing), said),
            "install it by hand, or set toa_build_once: true",
        )


def _bring(host, repository, packages):
    """Install packages and record what came; returns what the package manager said when it refused."""
    came, said = repository.install(packages)
    if came:
        record = host.record()
        record["packages"] = sorted(set(record.get("packages") or []) | set(came))
        host.save(record)
    return said


def _with_make(host, wanted, folder, headers, work):
    """The module, built by make alone, stripped and signed."""
    jobs = os.sysconf("SC_NPROCESSORS_ONLN")
    words = ["make", "-C", headers, "-j%d" % max(1, jobs), "M=" + folder] + wanted.words
    rc, out, err = run(words, timeout=host.args.get("timeout") or 1800)
    path = os.path.join(folder, wanted.module + ".ko")
    if rc != 0 or not os.path.exists(path):
        said = err + out
        if rc == 0:
            said = "it made %s, and no %s.ko" % (
                ", ".join(name for name in list_dir(folder) if name.endswith(".ko")) or "nothing",
                wanted.module,
            )
        raise build_failed(wanted.module, said, work, timed_out=rc == 124)
    if which("strip"):
        run(["strip", "-g", path])
    if wanted.private_key:
        _sign(host, wanted, path, headers)
    return _fitting(host, read_bytes(path, MODULE_LIMIT), "the module that was built")


def _fitting(host, data, what):
    """A module's bytes, if the running kernel would take them; TargetError otherwise."""
    match = re.search(b"vermagic=([^ \0]+)", data or b"")
    found = match.group(1).decode("ascii", "replace") if match else ""
    if found != host.running:
        raise TargetError(
            "module_wrong_kernel",
            "%s is for kernel %s, and %s is running" % (what, found or "none at all", host.running),
            "see what stands in /lib/modules/%s/build, or clear what toa_build_store holds" % host.running,
        )
    return data


def _sign(host, wanted, path, headers):
    """Sign with the operator's key, which is in memory only but for the moment in which it is used."""
    tool = signing_tool(headers)
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        for name, text in (("key", wanted.private_key), ("certificate", wanted.certificate)):
            write_atomic(os.path.join(folder, name), text, 0o600)
        rc, out, err = run(
            [tool, signing_hash(headers), os.path.join(folder, "key"), os.path.join(folder, "certificate"), path]
        )
    finally:
        shutil.rmtree(folder, True)
    if rc != 0 or not (read_bytes(path, MODULE_LIMIT) or b"").endswith(SIGNED):
        raise TargetError(
            "sign_failed",
            "the module cannot be signed: %s" % " ".join((err or out).split())[-400:],
            "give a private key without passphrase, and its certificate, both as PEM (toa_signing_key, toa_signing_certificate)",
        )


def _put(host, wanted, data):
    """A module's bytes in place of what was there, then what is no longer needed goes."""
    old = host.record()
    place = "/lib/modules/%s/%s/%s.ko" % (host.running, FOLDER, wanted.module)
    record = _record(wanted, "plain", old)
    record["files"] = dict(old.get("files") or {}) if old.get("method") == "plain" else {}
    record["files"][host.running] = {"path": place, "sha256": digest(data)}
    if old.get("method") == "dkms":
        _forget_dkms(host, old)
    host.save(record)
    make_dirs(os.path.dirname(host.path(place)))
    write_atomic(host.path(place), data, 0o644)
    host.depmod(host.running)


def _record(wanted, method, old):
    return {
        "module": wanted.module,
        "method": method,
        "identity": wanted.identity(),
        "source": _named(wanted.source),
        "signer": wanted.signer(),
        "packages": old.get("packages") or [],
    }


def _named(source):
    return dict((key, source.get(key) or "") for key in ("url", "sha256", "commit", "tree"))


# -- DKMS --------------------------------------------------------------------------------------------------------------


def _use_dkms(host, wanted, notes):
    """Whether DKMS builds. What it cannot do (sign with a key that is not left on the host) or what is not to be had becomes a note."""
    if wanted.method == "plain":
        return False
    if wanted.private_key:
        if wanted.method == "dkms":
            raise TargetError(
                "bad_option",
                "DKMS cannot sign with a key that is not left on the host",
                "use method: plain with a signing key",
            )
        notes.append(
            "built without DKMS, which would need the signing key left on the host: build again before each kernel update"
        )
        return False
    said = ""
    if not which("dkms"):
        said = _bring(host, Repository(), ["dkms"]) if host.args.get("install_tools") else "it is not installed"
    if not which("dkms"):
        if wanted.method == "dkms":
            raise TargetError("dkms_missing", "DKMS cannot be had: %s" % said, "install dkms, or use method: plain")
        notes.append(
            "built without DKMS, which cannot be had (%s): build again after each kernel update"
            % (said or "no package")
        )
        return False
    if host.args.get("install_tools"):
        _follow_updates(host, notes)
    return True


def _follow_updates(host, notes):
    """See that a kernel update brings its headers along: without them DKMS cannot build for it."""
    name, version = Repository().following_headers(host.running)
    if not name or name in Repository().installed():
        return
    said = _bring(host, Repository(), ["%s=%s" % (name, version)])
    if said:
        notes.append(
            "%s in version %s cannot be had (%s): DKMS builds for the next kernel only where its headers come with it"
            % (name, version, said)
        )


def _with_dkms(host, wanted, tree):
    """Build with the next version in DKMS beside the present one, then let it take its place."""
    version = wanted.identity()
    old = host.record()
    folder = host.path("/usr/src/%s-%s" % (PACKAGE, version))
    again = old.get("version") == version
    if again:
        _forget_dkms(host, old)
    make_dirs(os.path.dirname(folder))
    shutil.rmtree(folder, True)
    _write_conf(wanted, tree, version)
    shutil.copytree(tree, folder, symlinks=True)
    try:
        for step in (("add",), ("build", "-k", host.running)):
            rc, out = host.dkms(step[0], "-m", PACKAGE, "-v", version, *step[1:])
            if rc != 0 and not (step[0] == "add" and "already" in out):
                raise build_failed(
                    wanted.module,
                    _make_log(host, version) or out,
                    _dkms_folder(host, version) + "/build",
                    timed_out=rc == 124,
                )
    except TargetError:
        _forget_dkms(host, {"version": version})
        raise
    if old.get("module"):
        _forget_module(host, old)
    record = _record(wanted, "dkms", old)
    record["version"] = version
    host.save(record)
    rc, out = host.dkms("install", "-m", PACKAGE, "-v", version, "-k", host.running, "--force")
    if host.root != "/":
        host.depmod(host.running)
    if rc != 0 or not module_file(host, record):
        _forget_dkms(host, record)
        host.save({"packages": record["packages"]} if record["packages"] else {})
        raise TargetError(
            "build_failed",
            "DKMS built the module and did not install it: %s" % " ".join(out.split())[-400:],
            "see `dkms status` on the host",
        )


def _write_conf(wanted, tree, version):
    """dkms.conf is a script, in which the last word counts: a source's own one keeps what ours does not say."""
    path = os.path.join(tree, "dkms.conf")
    given = (read_bytes(path) or b"").decode("utf-8", "replace") if wanted.own_dkms else ""
    words = {
        "package": PACKAGE,
        "version": version,
        "module": wanted.module,
        "location": wanted.folder + "/" if wanted.folder else "",
        "folder": FOLDER,
        "words": " ".join("'%s'" % word if re.search(r"[^\w=./:+-]", word) else word for word in wanted.words),
    }
    ours = DKMS_CONF % words
    if given:
        ours = re.sub(r"(?m)^MAKE\[0\].*\n", "", ours) if re.search(r"(?m)^\s*MAKE", given) else ours
    write_atomic(path, given + ours)


def _dkms_folder(host, version):
    return host.path("/var/lib/dkms/%s/%s" % (PACKAGE, version))


def _make_log(host, version):
    """What make said: DKMS itself only names the file, in one of two places by its age."""
    base = _dkms_folder(host, version)
    for place in ("build/make.log", "%s/%s/log/make.log" % (host.running, host.arch)):
        text = (read_bytes(os.path.join(base, place), 1 << 20) or b"").decode("utf-8", "replace")
        if text:
            return text
    return ""


def _forget_dkms(host, record):
    version = record.get("version")
    if not version or not re.match(r"^[0-9a-f]+$", version):
        return
    if which("dkms"):
        host.dkms("remove", "-m", PACKAGE, "-v", version, "--all")
    shutil.rmtree(_dkms_folder(host, version), True)
    remove_empty(host.path("/var/lib/dkms/" + PACKAGE))
    shutil.rmtree(host.path("/usr/src/%s-%s" % (PACKAGE, version)), True)


def _forget_module(host, record):
    """Take the module away from every kernel that has it of us."""
    _forget_dkms(host, record)
    for release, entry in sorted((record.get("files") or {}).items()):
        place = host.path("/lib/modules/%s/%s/%s.ko" % (release, FOLDER, record["module"]))
        if entry.get("path") and remove_file(place):
            remove_empty(os.path.dirname(place))
            host.depmod(release)


# -- results -----------------------------------------------------------------------------------------------------------


def _returned(host, wanted):
    """The module itself, for twins, where that was asked for."""
    if not host.args.get("return_module"):
        return {}
    place = module_file(host, host.record())
    data = read_bytes(host.path(place), MODULE_LIMIT) if place else None
    return {"built": base64.b64encode(data).decode("ascii"), "built_sha256": digest(data)} if data else {}


def _result(before, after, changed=None):
    return {"changed": before != after if changed is None else changed, "before": before, "after": after}
