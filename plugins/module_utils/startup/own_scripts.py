# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has one of our scripts run at every boot: by a unit of systemd, or by a line in the rc.local that the host really runs."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import os

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import data_of, file_image, runnable
from ansible_collections.realip.toa.plugins.module_utils.programs.persistence import with_rc_line
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import boot_script, find_places


def boot_files(originals, init, name, command, units):
    """{path: image} of what it takes. `name`: how find_places() calls the script; `command`: the line of rc.local; `units`: {path: image} for systemd.

    TargetError `no_persistence` where the host runs no such thing.
    """
    if init == "systemd":
        return units
    path, why = boot_script("/", init)
    if not path:
        raise TargetError(
            "no_persistence",
            "nothing on this host would run `%s` at boot: %s" % (command, why),
            "let the operator's own boot script run `%s`, or give the host an rc.local" % command,
        )
    path = os.path.realpath(path)
    now = originals.now(path)
    if [place for place in places_of(name, init) if place["path"] == path]:
        return {path: now}
    image = file_image(with_rc_line(data_of(now), command), runnable(now["mode"] if now else 0o755))
    if now:
        image.update(uid=now["uid"], gid=now["gid"])
    return {path: image}


def places_of(name, init):
    """The findings of one of our scripts that really run at boot."""
    return [place for place in find_places("/", None, init) if place["module"] == name and place["effective"]]


def without_line(image, script):
    """rc.local as somebody has changed it since, without the line that runs our script."""
    if image is None or image["kind"] != "file":
        return image
    kept = b"\n".join(line for line in data_of(image).split(b"\n") if script.encode("ascii") not in line)
    return dict(image, data=base64.b64encode(kept).decode("ascii"))
