# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A read-only look at a host: the raw material of `ansible_facts.toa` (table "Facts" of docs/contracts.md).

Files are read, no command is run. What cannot be read is null or empty, with everything else intact; a section that fails on
something nobody thought of is named in `unread`. `os` and `kernel` leave here as raw text (`os_files`, `uname`), because telling
distributions and releases apart is the controller's work.

`args["root"]` is the directory that holds the file system to look at: "/" on a host, a made-up tree in tests.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import sys

from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import look as look_at_boot
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import release_of_image
from ansible_collections.realip.toa.plugins.module_utils.bpf.maps import in_force
from ansible_collections.realip.toa.plugins.module_utils.bpf.syscalls import (
    GETPEERNAME_HOOKS,
    HOOKS,
    OUR_PREFIX,
    BpfError,
    programs_on,
)
from ansible_collections.realip.toa.plugins.module_utils.building.headers import look as look_at_build
from ansible_collections.realip.toa.plugins.module_utils.common.distributions import family_of
from ansible_collections.realip.toa.plugins.module_utils.common.kernels import EBPF_KERNEL, HELPER_MODULES
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    COMMAND_PATH,
    list_dir,
    read_bytes,
    read_line,
    read_text,
    to_text,
)
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, load
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import (
    STATS_FILES,
    is_graphics_ttm,
    loaded_modules,
    parameters,
    parse_counters,
    stats,
    toa_files,
    under,
)
from ansible_collections.realip.toa.plugins.module_utils.monitoring.drift import drift_of, proof_of
from ansible_collections.realip.toa.plugins.module_utils.monitoring.files import FOLDER, SEEN, seen_drift
from ansible_collections.realip.toa.plugins.module_utils.option_filter.state import filter_of
from ansible_collections.realip.toa.plugins.module_utils.host.marks import EBPF, FILTER_SCRIPT, OPTION_FILTER
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import find_places
from ansible_collections.realip.toa.plugins.module_utils.startup.init import UNIT_DIRS, init_system, unit_enabled

OS_FILES = (
    "/etc/os-release",
    "/usr/lib/os-release",
    "/etc/redhat-release",
    "/etc/centos-release",
    "/etc/debian_version",
    "/etc/lsb-release",
    "/etc/alinux-release",
    "/etc/system-release",
)
OS_FILE_LIMIT = 4096  # bytes

_NO_EBPF = {"possible": False, "reason": "", "cgroup2": None, "attached": [], "foreign": []}
_MOST_CGROUPS = 64

# The kernel's own namespaces have fixed inode numbers since 3.8 (include/linux/proc_ns.h).
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"
_INITIAL_CGROUP_NAMESPACE = "cgroup:[4026531835]"
_CONTAINER_CGROUPS = (
    ("/docker", "docker"),
    ("kubepods", "kubernetes"),
    ("libpod", "podman"),
    ("/lxc", "lxc"),
    ("containerd", "containerd"),
    ("machine.slice/machine-", "systemd-nspawn"),
)

# Units that systemd makes out of scripts of System V.
_GENERATED_UNITS = "/run/systemd/generator.late"

_KERNEL_IMAGES = ("vmlinuz-", "vmlinux-", "Image-", "kernel-")
_EFI_GUID = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
_HOLD = b"\nStatus: hold "
_KERNEL_PACKAGE = (
    r"(linux-(image|headers|modules|generic|virtual|kvm|aws|azure|gcp|cloud|amd64|arm64|lowlatency)|kernel)\b"
)
_VERSIONLOCKS = ("/etc/yum/pluginconf.d/versionlock.list", "/etc/dnf/plugins/versionlock.list")
_RPM_DATABASES = (
    "/var/lib/rpm/Packages",
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages.db",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/Packages.db",
    "/usr/lib/sysimage/rpm/Packages",
)


def main(args):
    return Host(args.get("root") or "/", args.get("uname") or os.uname()).facts()


class Host:
    """One look. Sections that several others need are read once and kept."""

    def __init__(self, root="/", uname=None):
        self.root = root
        self.uname = uname or os.uname()
        self.release = self.uname[2]
        self.unread = []
        self.files = {}
        self.init = self._guarded("init", lambda: init_system(root), "other")
        self.os_files = self._guarded("os_files", self._read_os_files, {})
        self.loaded = self._guarded("loaded", self._loaded, {})
        self.mounts = self._guarded("mounts", self._mounts, [])
        self.kernels = self._guarded("kernels", self._kernels, [])
        self.modules = self._guarded("modules", self._modules, [])
        self.state = self._guarded("state", lambda: load(self._path(STATE_FILE)), {})
        self.places = self._guarded("persistence", lambda: find_places(self.root, self.release, self.init), [])

    def facts(self):
        facts = self._sections()
        facts["drift"] = self._guarded("drift", lambda: self._drift(facts), [])
        return facts

    def _sections(self):
        ebpf = self._guarded("ebpf", self._ebpf, dict(_NO_EBPF, reason="could not be found out"))
        return {
            "changed": False,
            "os_files": self.os_files,
            "uname": {
                "sysname": self.uname[0],
                "release": self.release,
                "version": self.uname[3],
                "machine": self.uname[4],
            },
            "package_manager": self._guarded("package_manager", self._package_manager, "none"),
            "python": {"executable": sys.executable or "", "version": list(sys.version_info[:3])},
            "init": self.init,
            "boot": self._guarded("boot", lambda: look_at_boot(self.root), {}),
            "kernels": self.kernels,
            "modules": self.modules,
            "counters": self._guarded("counters", lambda: self._counters(ebpf), {}),
            "ebpf": ebpf,
            "persistence": self.places,
            "service": self._guarded("service", self._service, None),
            "security": self._guarded(
                "security", self._security, {"secure_boot": None, "lockdown": "", "sig_enforce": None}
            ),
            "build": self._guarded("build", lambda: look_at_build(self.release, self.root), {}),
            "container": self._guarded("container", self._container, ""),
            "conflicts": self._guarded("conflicts", lambda: self._conflicts(ebpf), []),
            "firewall": {
                "backend": self._guarded("firewall", self._firewall, "none"),
                "option_filter": self._guarded("option_filter", self._option_filter, None),
            },
            "held": self._guarded("held", self._held, []),
            "state": self.state,
            "unread": self.unread,
        }

    def _guarded(self, name, section, fallback):
        """One odd file must not cost the operator the rest of the facts."""
        try:
            return section()
        except Exception as problem:
            self.unread.append({"section": name, "problem": ("%s: %s" % (type(problem).__name__, problem))[:200]})
            return fallback

    def _path(self, path):
        return under(self.root, path)

    def _text(self, path, limit=65536):
        return read_text(self._path(path), limit) or ""

    def _exists(self, path):
        return os.path.exists(self._path(path))

    # -- what it is ---------------------------------------------------------------------------------------------------------

    def _read_os_files(self):
        found = {}
        for path in OS_FILES:
            text = read_text(self._path(path), OS_FILE_LIMIT)
            if text is not None:
                found[path] = text
        return found

    def _package_manager(self):
        """rpm, deb or none: the family whose database is there. Where both are (the other one's tool is installed), os-release decides."""
        deb = self._size("/var/lib/dpkg/status") > 0
        rpm = [path for path in _RPM_DATABASES if self._size(path) > 0]
        if not (deb and rpm):
            return "deb" if deb else "rpm" if rpm else "none"
        ids = re.findall(
            r"[a-z-]+",
            " ".join(re.findall(r"^ID(?:_LIKE)?=(.*)$", self.os_files.get("/etc/os-release", ""), re.M)).lower(),
        )
        known = family_of(ids)
        if known:
            return known
        return "rpm" if "/etc/redhat-release" in self.os_files or "/etc/system-release" in self.os_files else "deb"

    def _size(self, path):
        try:
            return os.path.getsize(self._path(path))
        except OSError:
            return 0

    def _container(self):
        """Name of the container technology that this host is itself inside of, or "".

        A host that has the kernel's first process namespace is no container unless something that only a container's own init is
        told says so: an image's leftovers (/.dockerenv on a machine made out of an image) are no sign.
        """
        if os.path.isdir(self._path("/proc/vz")) and not os.path.isdir(self._path("/proc/bc")):
            return "openvz"
        named = read_line(self._path("/run/systemd/container")) or self._init_variable("container")
        if named:
            return re.sub(r"[^A-Za-z0-9._-]", "", named)[:40]
        if self._in_first_namespaces():
            return ""
        groups = self._text("/proc/1/cgroup") + self._text("/proc/self/cgroup")
        for sign, name in _CONTAINER_CGROUPS:
            if sign in groups:
                return name
        if self._exists("/.dockerenv"):
            return "docker"
        if self._exists("/run/.containerenv"):
            return "podman"
        return "other" if self._namespace("pid") not in ("", _INITIAL_PID_NAMESPACE) else ""

    def _init_variable(self, name):
        for pair in self._text("/proc/1/environ").split("\0"):
            if pair.startswith(name + "="):
                return pair[len(name) + 1 :]
        return ""

    def _in_first_namespaces(self):
        """Seen from the first process namespace, kthreadd is process 2. `--pid=host` shares that one, but not the cgroup namespace."""
        pid = self._namespace("pid")
        first = pid == _INITIAL_PID_NAMESPACE if pid else "(kthreadd)" in self._text("/proc/2/stat")
        return first and self._namespace("cgroup") in ("", _INITIAL_CGROUP_NAMESPACE)

    def _namespace(self, kind):
        try:
            return os.readlink(self._path("/proc/self/ns/" + kind))
        except OSError:
            return ""

    def _mounts(self):
        """(device, mount point, file system type, options) of /proc/mounts."""
        return [
            tuple(line.split(" ")[:4])
            for line in self._text("/proc/mounts", 1 << 20).split("\n")
            if line.count(" ") >= 3
        ]

    # -- kernels and modules --------------------------------------------------------------------------------------------------

    def _kernels(self):
        kernels = []
        for name in list_dir(self._path("/boot")):
            release = release_of_image(name) if name.startswith(_KERNEL_IMAGES) else ""
            if release and os.path.isdir(self._path("/lib/modules/" + release)):
                kernels.append(
                    {
                        "release": release,
                        "image": "/boot/" + name,
                        "toa_modules": sorted(self._toa_files(release)),
                        "package": self._package_of(release),
                    }
                )
        return kernels

    def _toa_files(self, release):
        if release not in self.files:
            self.files[release] = toa_files(release, self.root)
        return self.files[release]

    def _package_of(self, release):
        """Name of the .deb that brought a kernel, or None: rpm's database would need rpm to be run."""
        for prefix in ("linux-image-", "linux-image-unsigned-"):
            for suffix in (".list", ":amd64.list", ":arm64.list"):
                if self._exists("/var/lib/dpkg/info/%s%s%s" % (prefix, release, suffix)):
                    return prefix + release
        return None

    def _loaded(self):
        loaded = loaded_modules(self.root)
        if "ttm" in loaded and is_graphics_ttm(self.root):
            del loaded["ttm"]
        return loaded

    def _modules(self):
        files = self._toa_files(self.release)
        modules = []
        for name in sorted(set(files) | set(self.loaded)):
            entry = self.loaded.get(name, {})
            builtin = files.get(name) == "builtin"
            loaded = builtin or name in self.loaded
            told = stats(name, self.root) if loaded else None
            modules.append(
                {
                    "name": name,
                    "file": files.get(name, ""),
                    "loaded": loaded,
                    "live": loaded and (told is not None or STATS_FILES[name] is None),
                    "parameters": parameters(name, self.root) if loaded else {},
                    "stats": "/proc/net/" + STATS_FILES[name] if told is not None else "",
                    "refcount": entry.get("refcount"),
                    "state": entry.get("state", ""),
                }
            )
        return modules

    def _counters(self, ebpf):
        totals = {}
        for path in sorted(set(module["stats"] for module in self.modules if module["stats"])):
            name = [module["name"] for module in self.modules if module["stats"] == path][0]
            for counter, value in parse_counters(stats(name, self.root)).items():
                totals[counter] = totals.get(counter, 0) + value
        totals.update(("ebpf_" + counter, value) for counter, value in ebpf.pop("counters", {}).items())
        return totals

    # -- eBPF -----------------------------------------------------------------------------------------------------------------

    def _ebpf(self):
        facts = dict(_NO_EBPF, cgroup2=self._cgroup2(), bpftool=self._command("bpftool"), attached=[], foreign=[])
        numbers = re.match(r"(\d+)\.(\d+)", self.release)
        if numbers is None or (int(numbers.group(1)), int(numbers.group(2))) < EBPF_KERNEL:
            facts["reason"] = "kernel %s is older than %d.%d" % ((self.release,) + EBPF_KERNEL)
        elif facts["cgroup2"] is None:
            facts["reason"] = "cgroup v2 is not mounted"
        elif not [mount for mount in self.mounts if mount[2] == "bpf"] and not os.path.isdir(self._path("/sys/fs/bpf")):
            facts["reason"] = "there is no place for the BPF file system (/sys/fs/bpf)"
        else:
            facts["reason"] = self._programs(facts)
        facts["possible"] = not facts["reason"]
        return facts

    def _cgroup2(self):
        """The mount of the cgroup v2 hierarchy: systemd's own where there is one, else the first."""
        points = [mount[1] for mount in self.mounts if mount[2] == "cgroup2"]
        for usual in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            if usual in points:
                return usual
        return points[0] if points else None

    def _programs(self, facts):
        """Sort what sits on the hooks into ours and others'; returns why the kernel could not be asked, or ""."""
        if self.root != "/":
            return ""
        top = facts["cgroup2"]
        try:
            programs = programs_on(top, sorted(HOOKS))
        except (BpfError, OSError) as problem:
            return "the kernel cannot be asked for eBPF programs: %s" % problem
        for name in self._child_cgroups(top):
            try:
                programs.extend(programs_on(under(top, "/" + name), GETPEERNAME_HOOKS))
            except (BpfError, OSError):
                continue  # A cgroup that went away while we looked.
        for program in programs:
            if program["name"].startswith(OUR_PREFIX):
                facts["attached"].append(program)
            elif program["hook"] in GETPEERNAME_HOOKS:
                facts["foreign"].append(program)
        if facts["attached"]:
            facts.update(self._guarded("ebpf_maps", lambda: self._in_force(top), {}))
        return ""

    def _in_force(self, top):
        """What our programs do, on the cgroup that they were attached to."""
        recorded = self.state.get(EBPF)
        cgroup = recorded.get("cgroup") if isinstance(recorded, dict) else None
        return in_force(
            [program for program in programs_on(cgroup or top, sorted(HOOKS)) if program["name"].startswith(OUR_PREFIX)]
        )

    def _command(self, name):
        """Path of a command, or ""."""
        return (
            [folder + "/" + name for folder in COMMAND_PATH.split(":") if self._exists(folder + "/" + name)] + [""]
        )[0]

    def _child_cgroups(self, top):
        """First level of the tree, where somebody would attach for a part of a host; files of a cgroup are `controller.file`."""
        names = [name for name in list_dir(top) if "." not in name or name.endswith((".slice", ".scope", ".service"))]
        return [name for name in names if os.path.isdir(under(top, "/" + name))][:_MOST_CGROUPS]

    def _conflicts(self, ebpf):
        conflicts = []
        loaded = [name for name in sorted(self.loaded) if name not in HELPER_MODULES]
        if len(loaded) > 1:
            conflicts.append({"code": "two_toa_modules", "detail": "%s are loaded at once" % " and ".join(loaded)})
        if ebpf["foreign"]:
            programs = [
                "%s: %s (id %d)" % (one["hook"], one["name"] or "without a name", one["id"]) for one in ebpf["foreign"]
            ]
            conflicts.append({"code": "conflict_ebpf_getpeername", "detail": ", ".join(sorted(set(programs)))})
        for sign in ("/run/cilium", "/var/run/cilium", "/sys/fs/bpf/cilium"):
            if self._exists(sign):
                conflicts.append({"code": "cilium_present", "detail": sign})
                break
        return conflicts

    # -- the rest -------------------------------------------------------------------------------------------------------------

    def _service(self):
        """The vtoa unit, or None. `active` is None where systemd does not show it in /run (before version 235), or could not:
        a unit that runs once without RemainAfterExit= is inactive when it has done its work."""
        found = [
            folder + "/vtoa.service"
            for folder in UNIT_DIRS + (_GENERATED_UNITS,)
            if self._exists(folder + "/vtoa.service")
        ]
        if not found:
            return None
        units = self._path("/run/systemd/units")
        text = self._text(found[0])
        once = re.search(r"(?m)^Type[ \t]*=[ \t]*oneshot", text) and not re.search(
            r"(?mi)^RemainAfterExit[ \t]*=[ \t]*(1|yes|true|on)[ \t]*$", text
        )
        active = os.path.lexists(units + "/invocation:vtoa.service") if os.path.isdir(units) and not once else None
        return {
            "name": "vtoa",
            "enabled": unit_enabled(self.root, "vtoa.service") or self._script_enabled("vtoa"),
            "active": active,
        }

    def _script_enabled(self, name):
        """Whether a start link of System V leads to a script of this name."""
        links = list_dir(self._path("/etc/rc.d/rc3.d")) + list_dir(self._path("/etc/rc3.d"))
        return bool([link for link in links if re.match(r"S\d\d%s$" % re.escape(name), link)])

    def _security(self):
        return {
            "secure_boot": self._secure_boot(),
            "lockdown": self._lockdown(),
            "sig_enforce": read_line(self._path("/sys/module/module/parameters/sig_enforce")) in ("Y", "1"),
        }

    def _secure_boot(self):
        """The firmware's variable is four bytes of attributes and one of value; older kernels give the value alone."""
        for path, size in (("efivars/SecureBoot-" + _EFI_GUID, 5), ("vars/SecureBoot-%s/data" % _EFI_GUID, 1)):
            value = read_text(self._path("/sys/firmware/efi/" + path), 16)
            if value is not None and len(value) >= size:
                return value[size - 1] == "\x01"
        return False

    def _lockdown(self):
        match = re.search(r"\[(\w+)\]", self._text("/sys/kernel/security/lockdown", 256))
        return match.group(1) if match else ""

    def _firewall(self):
        """What holds this host's rules, else what could: tables of the old kind in the kernel, then nft, then iptables."""
        if self._text("/proc/net/ip_tables_names").strip():
            return "iptables"
        for command, backend in (("nft", "nft"), ("iptables", "iptables")):
            for folder in ("/usr/sbin/", "/sbin/"):
                if self._exists(folder + command):
                    return backend
        return "none"

    def _option_filter(self):
        """The option filter that we have put here, or None."""
        return filter_of(self.state.get(OPTION_FILTER), self.places, FILTER_SCRIPT if self.root == "/" else "")

    def _drift(self, facts):
        """How the host has moved away from what was proved; costs nothing where nothing was."""
        if not proof_of(self.state):
            return []
        booted = re.search(r"(?m)^btime ([0-9]{1,12})$", self._text("/proc/stat", 1 << 20))
        images = [kernel["image"] for kernel in facts["kernels"] if kernel["release"] == self.release]
        installed = [os.stat(self._path(image)).st_mtime for image in images if self._exists(image)]
        seen = seen_drift(self._path("%s/%s" % (FOLDER, SEEN)))
        return drift_of(facts, int(booted.group(1)) if booted else None, installed[0] if installed else None, seen)

    def _held(self):
        return self._held_debs() + self._locked_rpms()

    def _held_debs(self):
        """Kernel packages with the selection `hold`. dpkg's status is searched, not parsed: it is a megabyte, and holds are rare."""
        held = []
        status = read_bytes(self._path("/var/lib/dpkg/status"), 64 << 20) or b""
        place = status.find(_HOLD)
        while place >= 0:
            paragraph = to_text(status[status.rfind(b"\n\n", 0, place) + 1 : place])
            name = re.search(r"^Package: (\S+)", paragraph, re.M)
            if name and re.match(_KERNEL_PACKAGE, name.group(1)):
                held.append(name.group(1))
            place = status.find(_HOLD, place + 1)
        return held

    def _locked_rpms(self):
        """What versionlock and `exclude=` of yum and dnf say of kernels, as it is written there."""
        held = []
        for path in _VERSIONLOCKS:
            held.extend(
                line.strip()[:200] for line in self._text(path).split("\n") if re.match(r"([0-9]+:)?kernel\b", line)
            )
        for path in ("/etc/yum.conf", "/etc/dnf/dnf.conf"):
            for value in re.findall(r"^exclude(?:pkgs)?[ \t]*=[ \t]*(.*)$", self._text(path), re.M):
                held.extend(word[:200] for word in value.replace(",", " ").split() if word.startswith("kernel"))
        return held
