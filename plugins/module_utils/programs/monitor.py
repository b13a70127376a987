# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves the monitor on a host: a program (programs/metrics.py), a timer of systemd or a file of cron.d that runs it, and nothing when it goes."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import errno
import json
import os
import re
import time
import zlib

from ansible_collections.realip.toa.plugins.module_utils.host.running import in_image, kernel
from ansible_collections.realip.toa.plugins.module_utils.host.foreign_folder import ForeignFolder
from ansible_collections.realip.toa.plugins.module_utils.host.interpreter import OPTIONS, for_root
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    read_line,
    read_text,
    run,
)
from ansible_collections.realip.toa.plugins.module_utils.host.writing import remove_file
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import file_image, link_image
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import Managed, Step
from ansible_collections.realip.toa.plugins.module_utils.host.marks import MARKER
from ansible_collections.realip.toa.plugins.module_utils.host.state import save_section, section
from ansible_collections.realip.toa.plugins.module_utils.monitoring.drift import SECTION as PROOF
from ansible_collections.realip.toa.plugins.module_utils.monitoring.drift import utc
from ansible_collections.realip.toa.plugins.module_utils.monitoring.files import (
    FOLDER,
    METRICS,
    PROGRAM,
    SECTION,
    SEEN,
    SETTINGS,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.confinement import confined
from ansible_collections.realip.toa.plugins.module_utils.startup.init import init_system

UNITS = "/etc/systemd/system"
SERVICE, TIMER = "realip-toa-monitor.service", "realip-toa-monitor.timer"
TIMER_LINK = "%s/timers.target.wants/%s" % (UNITS, TIMER)
CRON = "/etc/cron.d/realip-toa-monitor"
# Where the node exporter looks: as Debian packages it, and as most people set it up. The second is made where neither is there.
TEXTFILE_DIRS = ("/var/lib/prometheus/node-exporter", "/var/lib/node_exporter/textfile_collector")

_SERVICE_TEXT = """%(marker)s: metrics for Prometheus; managed, do not edit
[Unit]
Description=Write metrics about the real client address

[Service]
Type=oneshot
Nice=10
TimeoutStartSec=120
ExecStartPre=+/bin/mkdir -p -m 700 /run/realip-toa
ExecStart=%(python)s %(program)s
%(confined)s
"""
_TIMER_TEXT = """%(marker)s: metrics for Prometheus; managed, do not edit
[Unit]
Description=Write metrics about the real client address

[Timer]
OnBootSec=1min
OnUnitActiveSec=%(minutes)dmin

[Install]
WantedBy=timers.target
"""
_CRON_TEXT = """%(marker)s: metrics for Prometheus; managed, do not edit
%(when)s * * * * root %(python)s %(program)s >/dev/null 2>&1
"""
# What can be written into a unit as it is.
_PLAIN = re.compile(r"/[A-Za-z0-9_./+@:=,-]*\Z")
# Folders that a unit with ProtectHome= or PrivateTmp= does not see.
_HOMES, _TEMPORARY = ("/home", "/root", "/run/user"), ("/tmp", "/var/tmp")  # nosec B108 # nothing is made there


def main(args):
    """args: state, proved, program (base64 of it, compressed), textfile_dir, minutes, probe, probe_args, check; see plugins/modules/toa_monitor.py."""
    monitor = Monitor(args)
    return {"present": _present, "absent": _absent, "status": _status, "recorded": _recorded}[args["state"]](
        monitor, args
    )


class Monitor(Managed):
    """The monitor on this host, as it is."""

    SECTION = SECTION
    OWN = tuple(
        ["%s/%s" % (FOLDER, name) for name in (PROGRAM, SETTINGS)]
        + ["%s/%s" % (UNITS, name) for name in (SERVICE, TIMER)]
        + [TIMER_LINK, CRON]
    )
    WATCHES = (TIMER,)

    def __init__(self, args):
        Managed.__init__(self, init_system())
        self.recover(args["check"] or args["state"] not in ("present", "absent"))

    def now(self):
        """{installed, textfile, minutes, probe, run_by}."""
        files = [name for name in self.originals.files if self.originals.now(name) is not None]
        if not files:
            return {"installed": False, "textfile": "", "minutes": 0, "probe": False, "run_by": ""}
        return self.state([name for name in files if name.endswith(TIMER) or name == CRON])

    def state(self, run_by, **more):
        record = dict(self.facts, **more)
        facts = {
            "installed": bool(run_by),
            "textfile": record.get("textfile") or "",
            "minutes": record.get("minutes") or 0,
            "probe": bool(record.get("probe")),
        }
        return dict(facts, run_by=sorted(run_by)[0] if run_by else "")

    def rest(self, facts, keeps):
        """What the program itself has written."""
        if facts.get("textfile") != keeps.get("textfile"):
            _forget_metrics(facts.get("textfile") or "")
        if not keeps:
            remove_file("%s/%s" % (FOLDER, SEEN))


def _status(monitor, args):
    now = monitor.now()
    return {"changed": False, "before": now, "after": now}


def _recorded(monitor, args):
    """Remember what was just proved, and when: what drift is measured from. A note of ours, and no change of the host."""
    if not args["check"]:
        boot_id = read_line("/proc/sys/kernel/random/boot_id") or ""
        proof = dict(args["proved"], kernel=kernel(), boot_id=boot_id, time=utc(time.time()), prepared=in_image())
        known = section(PROOF)
        # An image that is prepared again was prepared when it was.
        if not (in_image() and dict(known, time="") == dict(proof, time="")):
            with monitor.lock():
                save_section(PROOF, proof)
    return _status(monitor, args)


def _present(monitor, args):
    folder = textfile_dir(args)
    files = wanted_files(monitor, args, folder)
    facts = {"textfile": "%s/%s" % (folder, METRICS), "minutes": args["minutes"], "probe": bool(args.get("probe"))}
    before = monitor.now()
    after = monitor.state([name for name in files if name.endswith(TIMER) or name == CRON], **facts)
    changed = bool(monitor.differing(files) or before != after)
    if changed and not args["check"]:
        with monitor.lock():
            _change(monitor, files, facts)
    return monitor.answer({"changed": changed, "before": before, "after": after})


def _change(monitor, files, facts):
    """Written, run once to see that it works, and then the timer may have it."""
    folder = os.path.dirname(facts["textfile"])
    units = [(unit, (FOLDER, "python", folder)) for unit in (SERVICE, TIMER)]

    def leave_old():
        if monitor.facts.get("textfile") not in (None, facts["textfile"]):
            _forget_metrics(monitor.facts["textfile"])

    monitor.establish([Step(files, folders=(folder,), run=_run_once, units=units, check=leave_old)], facts)


def _run_once():
    if in_image():
        return  # on another kernel
    code, out, err = run(python_words() + ["%s/%s" % (FOLDER, PROGRAM)], timeout=120)
    if code != 0:
        words = [line for line in (err or out).split("\n") if line.strip()] or ["exit status %d" % code]
        raise TargetError(
            "monitor_failed",
            "the monitor does not run on this host: %s" % words[-1][:500],
            "report it with the host's kernel and Python",
        )


def _absent(monitor, args):
    """The record of what was proved goes too: without it there is nothing to drift from."""
    before = monitor.now()
    after = {"installed": False, "textfile": "", "minutes": 0, "probe": False, "run_by": ""}
    changed = bool(monitor.originals.files or monitor.left() or section(PROOF))
    if changed and not args["check"]:
        with monitor.lock():
            if monitor.originals.files or monitor.left():
                monitor.take_away()
            save_section(PROOF, {})
    return monitor.answer({"changed": changed, "before": before, "after": after})


def _forget_metrics(textfile):
    """What the program has written for the node exporter."""
    if not textfile:
        return
    try:
        with ForeignFolder(os.path.dirname(textfile)) as folder:
            folder.remove(os.path.basename(textfile))
    except (IOError, OSError) as problem:
        if problem.errno not in (errno.ENOENT, errno.EISDIR):
            raise


# -- what is wanted ----------------------------------------------------------------------------------------------------


def textfile_dir(args):
    """The folder of the metrics: the one that was named, or else the first that is there."""
    given = args.get("textfile_dir") or ""
    if given and not given.startswith("/"):
        raise TargetError(
            "bad_option",
            "textfile_dir is %r; expected an absolute path" % given,
            "name the folder given to --collector.textfile.directory",
        )
    if not _PLAIN.match(given or "/"):
        raise TargetError(
            "bad_option",
            "textfile_dir is %r; expected a path of letters, digits and _./+@:=,-" % given,
            "name a folder that can be written into a unit as it is",
        )
    return given.rstrip("/") or ([folder for folder in TEXTFILE_DIRS if os.path.isdir(folder)] + [TEXTFILE_DIRS[-1]])[0]


def wanted_files(monitor, args, folder):
    """{path: image} of everything that is put on the host but the metrics."""
    words = {"marker": MARKER, "python": " ".join(python_words()), "program": "%s/%s" % (FOLDER, PROGRAM)}
    words.update(minutes=args["minutes"], when=cron_minutes(args["minutes"]), confined=confined_to(folder))
    settings = {"textfile_dir": folder, "probe": bool(args.get("probe")), "probe_args": args.get("probe_args") or {}}
    files = {
        words["program"]: file_image(zlib.decompress(base64.b64decode(args["program"])), 0o755),
        "%s/%s" % (FOLDER, SETTINGS): file_image(
            (json.dumps(settings, indent=1, sort_keys=True) + "\n").encode("ascii"), 0o644
        ),
    }
    if monitor.init == "systemd":
        files["%s/%s" % (UNITS, SERVICE)] = file_image((_SERVICE_TEXT % words).encode("ascii"), 0o644)
        files["%s/%s" % (UNITS, TIMER)] = file_image((_TIMER_TEXT % words).encode("ascii"), 0o644)
        files[TIMER_LINK] = link_image("%s/%s" % (UNITS, TIMER))
    elif os.path.isdir(os.path.dirname(CRON)):
        files[CRON] = file_image((_CRON_TEXT % words).encode("ascii"), 0o644)
    else:
        raise TargetError(
            "no_timer",
            "nothing on this host runs programs by the clock: it has neither systemd nor /etc/cron.d",
            "install cron, or leave the monitor out",
        )
    return files


def python_words():
    """The words before the program's path by which a timer or cron runs it."""
    return [for_root()] + list(OPTIONS)


def confined_to(folder):
    """What the unit may not do. It looks at the whole host, makes network namespaces, and writes to two folders."""
    capabilities = ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN"]
    if owner_of(folder) != 0:
        capabilities.append("CAP_DAC_OVERRIDE")
    more = ["ProtectKernelTunables=yes", "RestrictNamespaces=net", "DevicePolicy=closed", "DeviceAllow=/dev/net/tun rw"]
    if not has_selinux():
        more.append("NoNewPrivileges=yes")
    if _is_below(folder, _HOMES):
        more.append("ProtectHome=read-only")
    if not _is_below(folder, _TEMPORARY):
        more.append("PrivateTmp=yes")
    # iptables asks for its lock even to list its rules.
    writes = (FOLDER, folder, "/proc/sys/net", "/run/xtables.lock", "/run/realip-toa")
    return confined(capabilities, ("AF_INET", "AF_INET6", "AF_NETLINK"), writes, more=more)


def has_selinux():
    """Does SELinux say what a unit may do here; in an image, will it?"""
    if not in_image():
        return os.path.exists("/sys/fs/selinux/enforce")
    return bool(re.search(r"(?m)^SELINUX=(enforcing|permissive)", read_text("/etc/selinux/config", 65536) or ""))


def owner_of(folder):
    try:
        return os.stat(folder).st_uid
    except OSError:
        return 0  # root is about to make it


def _is_below(path, folders):
    return bool([folder for folder in folders if path == folder or path.startswith(folder + "/")])


def cron_minutes(minutes):
    """Every so many minutes, as the first field of a crontab has it."""
    return "*" if minutes == 1 else "*/%d" % minutes
