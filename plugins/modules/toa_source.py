# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of toa_source; the logic is in plugins/action/toa_source.py and plugins/module_utils/building/module.py."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: toa_source
short_description: Build a TOA module from source for the running kernel, or a TOA kernel
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Builds the module of a vendor's source tree against the headers of exactly C(uname -r) and puts it where C(modprobe) finds it. It does not load it.
  - DKMS builds where it is to be had, so that a kernel update brings the module along before the reboot; C(make) alone does otherwise.
  - The module in use stays until its successor is built, signed and looked at. A build that fails shows the compiler's first error and leaves
    the host as it was. A second run builds nothing.
  - With O(what=rpm) or O(what=deb) it makes a kernel package on a build host, with O(what=tree) it installs a kernel there, in the steps of Tencent's
    document. That takes an hour or more; it says how far it is, and a run that died is taken up by the next one with the same options.
extends_documentation_fragment: [realip.toa.attributes]
options:
  what:
    description:
      - V(module) is a module for the running kernel; the options down to O(timeout) are about it, but for O(url) and O(sha256).
      - V(rpm) is made of the source rpm O(url), V(deb) of an archive with a kernel's source tree; V(tree) compiles such an archive and runs
        C(make modules_install) and C(make install).
    type: str
    choices: [module, rpm, deb, tree]
    default: module
  state:
    description: >-
      V(absent) takes away the module, for every kernel, and the packages that came for building it; with O(what=tree) the kernel that was
      built and installed on this host, which must not be running. V(status) only looks. V(built) has O(builder) build for O(kernel) and
      keeps the module on the controller, signed where there is O(signing_key); nothing is installed.
    type: str
    choices: [present, built, absent, status]
    default: present
  url:
    description:
      - The source. A C(http) or C(https) URL of a tar archive is fetched by the host.
      - A directory or an archive on the controller, and with O(commit) a git repository anywhere, is taken by the controller and sent.
    type: str
  sha256:
    description: >-
      SHA-256 of the archive. Of a directory it is that of its contents as this module packs them, which C(after.source) names.
    type: str
  commit:
    description: Full name of a commit of the git repository O(url).
    type: str
  tree:
    description:
      - How the source is built. The key of a public tree (C(ucloud), C(dpvs), C(huawei), C(huawei-aad-centos7), C(alibaba-cdn)), or a
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
      - Of a module for hosts with the same kernel, O(builder) builds one, and they take it from O(store) on the controller. They need neither headers nor
        compiler.
    type: bool
    default: false
  builder:
    description:
      - Inventory name of the host that builds what is signed, or taken by several hosts. All of these trust it. Needed with O(build_once) and O(signing_key).
    type: str
    default: ""
  kernel:
    description: For O(state=built), the kernel to build for, as RV(key) of O(state=status) says on the host that runs it.
    type: dict
  store:
    description: Directory on the controller that keeps what was built, and sources that were fetched.
    type: path
    default: ~/.cache/realip-toa/builds
  signing_key:
    description: Private key (RSA, PEM, without passphrase) on the controller, which signs what O(builder) has built. It is sent to no host.
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
  patches:
    description: Patches on the controller for a kernel's source, applied in this order with C(patch -p1).
    type: list
    elements: path
    default: []
  config:
    description: Lines for a kernel's configuration, such as C(CONFIG_TOA=m).
    type: list
    elements: str
    default: []
  config_file:
    description:
      - For O(what=rpm), the name of the configuration among the sources, where it is not found by itself. Else a file on the build host; by
        default the tree's own C(.config), or that of the running kernel.
    type: str
  buildid:
    description: Suffix for the kernel's release, such as C(.toa).
    type: str
  arch:
    description: Architecture to build for. The default is that of the build host.
    type: str
  jobs:
    description: Compilers at once. The default is one for each processor.
    type: int
  work:
    description: Folder on the build host, with room (O(room)). The default is C(/var/lib/realip-toa/build).
    type: path
  room:
    description: MiB that must be free in O(work). The default is 12288, which a distribution's configuration takes; a small one takes less than 2048.
    type: int
  release:
    description: With O(what=tree) and O(what=deb), what the kernel must call itself (C(uname -r)). One that would not is not compiled.
    type: str
  spec_options:
    description: Options for C(rpmbuild -bb) in place of those of the document.
    type: list
    elements: str
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
    builder: build-debian12

- name: A tree of one's own, signed
  realip.toa.toa_source:
    url: files/toa
    tree: {module: toa, subdirectory: src, variables: {CONFIG_TOA: m}}
    signing_key: secrets/modules.key
    signing_certificate: files/modules.pem
    builder: build-debian12

- name: A kernel package, as Tencent's document makes it
  realip.toa.toa_source:
    what: rpm
    url: https://mirror.example.org/kernel-2.6.32-220.23.1.el6.src.rpm
    sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    patches: [files/toa-2.6.32-220.23.1.el6.patch]
    config: [CONFIG_IPV6=y, CONFIG_TOA=m]
    buildid: .toa
"""

RETURN = r"""
before:
  description: How it was. C(before.file) is the module of the running kernel, C(before.identity) names source and way of building.
  returned: success
  type: dict
  sample: {module: toa, kernel: 6.1.0-56-amd64, file: /lib/modules/6.1.0-56-amd64/updates/dkms/toa.ko, method: dkms, identity: 539ab71048faaaee,
           source: {url: files/toa, sha256: "", commit: "", tree: ""}, packages: []}
after:
  description: How it is, or would be in check mode.
  returned: success
  type: dict
key:
  description: The running kernel, as O(kernel) takes it.
  returned: O(state=status)
  type: dict
  sample: {release: 6.1.0-56-amd64, arch: x86_64, version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.174-1"}
taken:
  description: Whether the module was built by another host.
  returned: O(state=present)
  type: bool
notes:
  description: What the operator should know, in words.
  returned: when something was built
  type: list
  elements: str
packages:
  description: What was made of a kernel. C(release) is the C(uname -r) of the kernel in it.
  returned: when a kernel is finished
  type: list
  elements: dict
  sample: [{path: /var/tmp/x/RPMS/x86_64/kernel-1.rpm, file: kernel-1.rpm, size: 1, sha256: "", release: 2.6.32-220.23.1.el6.toa.x86_64}]
number:
  description: The step of a kernel's build that is next; RV(step) says what it is, and C(of) how many there are.
  returned: for a kernel
  type: int
step:
  description: What the step does, with its number in the document.
  returned: for a kernel
  type: str
code:
  description: >-
    Why it failed. C(headers_unavailable), C(headers_missing), C(headers_mismatch), C(compiler_missing), C(build_failed), C(build_timeout),
    C(disk_full), C(bad_source), C(digest_mismatch), C(no_digest), C(package_unavailable), C(secure_boot_unsigned), C(no_builder),
    C(not_the_builder), C(not_built), C(other_architecture), C(unsafe_folder), C(sign_failed),
    C(module_wrong_kernel), C(dkms_missing), C(packages_kept), C(patch_failed), C(spec_unknown), C(config_refused),
    C(release_differs), C(running_kernel), C(kernel_of_package), C(boot_menu_kept), C(build_interrupted) or C(bad_option).
  returned: failure
  type: str
remedy:
  description: What to do about it.
  returned: failure
  type: str
"""
