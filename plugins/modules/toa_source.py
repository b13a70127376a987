# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_source; the logic is in plugins/action/toa_source.py and plugins/module_utils/source_module.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: toa_source
short_description: Build a TOA module from source for the running kernel
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Builds the module of a vendor's source tree against the headers of exactly C(uname -r) and puts it where C(modprobe) finds it. It does not load it.
  - DKMS builds where it is to be had, so that a kernel update brings the module along before the reboot; C(make) alone does otherwise.
  - The module in use stays until its successor is built, signed and looked at. A build that fails shows the compiler's first error and leaves
    the host as it was. A second run builds nothing.
options:
  state:
    description: V(absent) takes away the module, for every kernel, and the packages that came for building it. V(status) only looks.
    type: str
    choices: [present, absent, status]
    default: present
  url:
    description:
      - The source. A C(http) or C(https) URL of a tar archive is fetched by the host.
      - A directory or an archive on the controller, and with O(commit) a git repository anywhere, is taken by the controller and sent.
    type: str
  sha256:
    description: >-
      SHA-256 of the archive. Of a directory it is that of its contents as this module packs them, which RV(after.source) names.
    type: str
  commit:
    description: Full name of a commit of the git repository O(url).
    type: str
  tree:
    description:
      - How the source is built. The key of a public tree (C(ucloud), C(dpvs), C(huawei), C(huawei-aad-centos7), C(alibaba-cdn), C(ip_vs_ca)), or a
        description with some of C(module) (name of the .ko), C(subdirectory) (where its Makefile is), C(variables) (of make), C(dkms) (the
        source has a dkms.conf to keep) and C(option_kinds) (what the module reads).
      - Without it, a Makefile with C(obj-m += toa.o) at the top of the source.
    type: raw
  method:
    description: V(auto) takes DKMS where it is installed or can be.
    type: str
    choices: [auto, dkms, plain]
    default: auto
  install_tools:
    description: Install headers, compiler and DKMS from the host's own repositories where they are missing.
    type: bool
    default: true
  build_once:
    description:
      - Of hosts with the same kernel, one builds, and the others take its module from O(store) on the controller. They need neither headers nor compiler.
      - The builder is trusted by all that take its work.
    type: bool
    default: false
  store:
    description: Directory on the controller that keeps what was built, and sources that were fetched.
    type: path
    default: ~/.cache/realip-toa/builds
  signing_key:
    description: Private key (PEM, without passphrase) on the controller, to sign the module with. It is on the host only while it signs.
    type: path
  signing_certificate:
    description: Its certificate (PEM). Hosts that demand signatures must trust it.
    type: path
  accept_unverified:
    description: Build from a URL of which no SHA-256 is known.
    type: bool
    default: false
  timeout:
    description: Seconds that a build may take.
    type: int
    default: 1800
attributes:
  check_mode:
    support: full
    description: Nothing is changed, and the result is that of a real run.
  diff_mode:
    support: full
    description: Shows the state before and after.
seealso:
  - module: realip.toa.toa_module
  - module: realip.toa.toa_plan
"""

EXAMPLES = r"""
- name: A vendor's module, from the archive that was reviewed
  realip.toa.toa_source:
    url: https://mirror.example.org/ucloud-toa.tar.gz
    sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    tree: ucloud

- name: A commit of a git repository, built by one host for all that are alike
  realip.toa.toa_source:
    url: https://github.com/ucloud/ucloud-toa
    commit: 34504c365579f5564bf8cbc1c175d7b9db75dfec
    tree: ucloud
    build_once: true

- name: A tree of one's own, signed
  realip.toa.toa_source:
    url: files/toa
    tree: {module: toa, subdirectory: src, variables: {CONFIG_TOA: m}}
    signing_key: secrets/modules.key
    signing_certificate: files/modules.pem
"""

RETURN = r"""
before:
  description: How it was. RV(before.file) is the module of the running kernel, RV(before.identity) names source and way of building.
  returned: success
  type: dict
  sample: {module: toa, kernel: 6.1.0-56-amd64, file: /lib/modules/6.1.0-56-amd64/updates/dkms/toa.ko, method: dkms, identity: 539ab71048faaaee,
           source: {url: files/toa, sha256: "", commit: "", tree: ""}, packages: []}
after:
  description: How it is, or would be in check mode.
  returned: success
  type: dict
taken:
  description: Whether the module was built by another host.
  returned: O(state=present)
  type: bool
notes:
  description: What the operator should know, in words.
  returned: when something was built
  type: list
  elements: str
code:
  description: >-
    Why it failed. C(headers_unavailable), C(headers_missing), C(headers_mismatch), C(compiler_missing), C(build_failed), C(build_timeout),
    C(disk_full), C(bad_source), C(digest_mismatch), C(no_digest), C(package_unavailable), C(secure_boot_unsigned), C(sign_tool_missing),
    C(sign_failed), C(module_wrong_kernel), C(dkms_missing), C(packages_kept) or C(bad_option).
  returned: failure
  type: str
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
