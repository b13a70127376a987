# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of target code on whatever a host may hold: nothing raises, and what must hold for every input does.

Here and not in tests/unit/target, because hypothesis runs on the controller's Pythons only.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from ansible_collections.realip.toa.plugins.module_utils.bootloader import (
    bls,
    environment,
    grub_script,
    legacy_menu,
    menu,
)
from ansible_collections.realip.toa.plugins.module_utils.host import originals, toa_modules
from ansible_collections.realip.toa.plugins.module_utils.monitoring import drift
from ansible_collections.realip.toa.plugins.module_utils.option_filter import state as option_filter_state
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
from ansible_collections.realip.toa.plugins.module_utils.startup.shell_script import script_loads
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

GRUB_WORDS = st.sampled_from(
    ["menuentry", "submenu", "if", "then", "elif", "else", "fi", "function", "{", "}", "[", "]", "set", "load_env", "save_env", "blscfg", "source", "linux",
     "initrd", "--id", "$menuentry_id_option", "default=", "${next_entry}", "\"${saved_entry}\"", "next_entry=", "'a b'", "\"", "'", "\\", "$", "#", ";", "\n",
     "/vmlinuz-4.4.87.toa", "for", "do", "done", "while", "true", "!", "-a", "-o", "=", "1", ">", "-gt", "legacy_configfile"]
)  # fmt: skip
SHELL_WORDS = st.sampled_from(
    ["modprobe", "insmod", "toa", "vtoa", "tcp-toa", "/root/toa.ko", "`uname -r`", "$(uname -r)", "if", "then", "else", "fi", "for", "in", "do", "done", "case",
     "esac", ")", "(", "{", "}", "f()", "f", "exit", "exit 0", "exec", ";", ";;", "&&", "||", "|", "&", "\n", "#", "<<EOF", "EOF", "<<-", "'", "\"", "`", "\\",
     "“modprobe", "toa”", "\u00a0", "\r", "#!/bin/sh -e", "-a", "-r", "2>&1", "A=1", "sudo"]
)  # fmt: skip


def texts(words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.text(), st.lists(words).map(" ".join), st.lists(words).map("".join))


ENVIRONMENTS = st.none() | st.dictionaries(
    st.sampled_from(["next_entry", "saved_entry", "prev_saved_entry", "boot_counter"]), st.text(max_size=20)
)


@given(texts(GRUB_WORDS), ENVIRONMENTS)
def test_any_grub_cfg(text: str, env: dict[str, str] | None) -> None:
    order = grub_script.boot_order(text, env)
    json.dumps(order)
    for entry in menu.bootable(order["entries"]):
        assert isinstance(entry["release"], str)
        menu.entry_of_release(order["entries"], entry["release"])


TITLES = st.text(st.characters(exclude_characters="'\\\0", exclude_categories=("Cs",)), min_size=1, max_size=12).filter(
    lambda title: not title.startswith("-")  # GRUB takes it for an option
)


@given(st.lists(TITLES, min_size=1, max_size=6, unique=True), st.integers(0, 5))
def test_every_entry_of_a_menu_is_found_by_its_title_and_by_its_number(titles: list[str], place: int) -> None:
    text = "".join(f"menuentry '{title}' {{\n linux /vmlinuz-1.{number}\n}}\n" for number, title in enumerate(titles))
    entries = grub_script.run_grub_cfg(text)["entries"]
    assert [entry["title"] for entry in entries] == titles
    place %= len(titles)
    assert menu.pick_entry(entries, str(place))["release"] == f"1.{place}"
    if not (titles[place].isascii() and titles[place].isdigit()):
        assert menu.find_entry(entries, entries[place]["spec"]) is entries[place]


# GRUB's own names: what grub-editenv takes.
@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,10}", fullmatch=True),
        st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
        max_size=5,
    )
)
def test_an_environment_block_gives_back_what_was_put_in(values: dict[str, str]) -> None:
    text = environment.ENV_HEADER
    for name, value in values.items():
        text += name + "=" + value.replace("\\", "\\\\").replace("\n", "\\\n") + "\n"
    assert environment.parse_grubenv(text + "####") == values


@given(st.text() | st.text().map(lambda text: environment.ENV_HEADER + text))
def test_any_environment_block(text: str) -> None:
    block = environment.parse_grubenv(text)
    assert (block is None) is not text.startswith(environment.ENV_HEADER)


MENU_WORDS = st.sampled_from(
    [
        "title",
        "default",
        "=",
        "saved",
        "kernel",
        "module",
        "/vmlinuz-2.6.32-71.el6.x86_64",
        "1",
        "\n",
        "\t",
        "#",
        "fallback",
    ]
)


@given(texts(MENU_WORDS), st.none() | st.integers(0, 9))
def test_any_menu_lst(text: str, saved: int | None) -> None:
    menu = legacy_menu.parse_menu_lst(text)
    picked = legacy_menu.pick_legacy(menu, saved)
    assert (picked is None) is (not menu["entries"])
    assert [entry["spec"] for entry in menu["entries"]] == [str(number) for number in range(len(menu["entries"]))]


VERSIONS = st.from_regex(r"[0-9a-z.~^+_-]{0,12}", fullmatch=True)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_versions_are_in_one_order(one: str, two: str, three: str) -> None:
    compare = bls.compare_versions
    assert compare(one, one) == 0
    assert compare(one, two) == -compare(two, one)
    if compare(one, two) <= 0 and compare(two, three) <= 0:
        assert compare(one, three) <= 0


@given(st.text(), st.text())
def test_any_bls_entry(text: str, name: str) -> None:
    entry = bls.parse_bls_entry(text, name)
    assert bls.sort_bls([entry, entry]) == [entry, entry]


@given(texts(st.sampled_from(["GRUB_DEFAULT", "=", '"', "'", "\\", "$x", "saved", "#", " ", "\n", "export"])))
def test_any_defaults(text: str) -> None:
    for value in environment.parse_assignments(text).values():
        assert isinstance(value, str)


@given(texts(SHELL_WORDS))
def test_any_script(text: str) -> None:
    lines = text.count("\n") + 1
    for load in script_loads(text):
        assert load["module"] in toa_modules.STATS_FILES
        assert 1 <= load["line_number"] <= lines


@given(texts(SHELL_WORDS))
def test_nothing_after_a_plain_exit_is_effective(text: str) -> None:
    """Whatever follows, an exit in the first line ends a script."""
    assert [load for load in script_loads("exit 0\n" + text) if not load["reason"]] == []


@given(texts(SHELL_WORDS))
def test_a_comment_more_changes_nothing(text: str) -> None:
    before = [(load["module"], load["reason"]) for load in script_loads(text)]
    after = [(load["module"], load["reason"], load["line_number"]) for load in script_loads("# exit 0\n" + text)]
    if not any("line" in load[1] for load in before) and not text.startswith("#!"):
        assert [load[:2] for load in after] == before


@given(texts(st.sampled_from(["toa", "syn_recv_sock_toa", ":", " ", "\n", "1", "99999999999999999999", "CPU0"])))
def test_any_statistics(text: str) -> None:
    for value in toa_modules.parse_counters(text).values():
        assert value >= 0


FILES = ("/boot/grub/grub.cfg", "/boot/grub/grubenv", "/boot/grub/menu.lst", "/boot/loader/entries/a.conf", "/etc/rc.local", "/etc/modules", "/proc/modules",
         "/proc/net/toa_stats", "/proc/mounts", "/proc/self/mountinfo", "/proc/1/stat", "/proc/1/environ", "/proc/1/cgroup", "/etc/os-release",
         "/var/lib/dpkg/status", "/etc/yum.conf", "/etc/modules-load.d/toa.conf", "/etc/systemd/system/realip-toa.service",
         "/etc/sysconfig/modules/toa.modules",
         "/lib/modules/1.0/modules.dep", "/boot/vmlinuz-1.0", "/etc/modprobe.d/x.conf", "/sys/kernel/security/lockdown", "/etc/dracut.conf.d/x.conf",
         "/var/lib/realip-toa/state.json", "/lib/systemd/system/rc-local.service", "/etc/initramfs-tools/modules", "/proc/stat",
         "/var/lib/realip-toa/monitor/seen.json", "/etc/systemd/system/vtoa.service", "/etc/redhat-release", "/boot/grub/default",
         "/etc/default/grub")  # fmt: skip
CONTENT = st.binary(max_size=200) | texts(SHELL_WORDS).map(lambda text: text.encode("utf-8", "replace")) | texts(GRUB_WORDS).map(
    lambda text: text.encode("utf-8", "replace"))  # fmt: skip


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=60
)
@given(contents=st.lists(CONTENT, min_size=len(FILES), max_size=len(FILES)))
def test_any_host(tmp_path: Path, contents: list[bytes]) -> None:
    """Every file that is read holds rubbish: no section is left to the option filter of last resort, and the answer is JSON."""
    for path, content in zip(FILES, contents, strict=True):
        file = Path(str(tmp_path) + path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    facts = inspect_host.main({"check": False, "root": str(tmp_path), "uname": ("Linux", "h", "1.0", "#1", "x86_64")})
    assert facts["unread"] == []
    json.dumps(facts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["files", "made", "removed", "original", "written", "kind", "data", "mode", "uid", "gid", "target", "/etc/x", "x"]), inner, max_size=5),
    max_leaves=25,
)  # fmt: skip


@given(JSON, st.text(max_size=10))
def test_any_record_of_changed_files(value: object, name: str) -> None:
    """What cannot have been written by us is neither put back nor a traceback."""
    record = (
        value
        if isinstance(value, dict)
        else {"files": {"/nowhere/" + name: value}, "made": value, "removed": {"/nowhere": value}}
    )
    kept = originals.Originals(record, "/nonexistent")
    back, _changed = kept.restorable()
    for image in back.values():
        originals.digest_of(image)
    json.dumps(kept.record())


@given(JSON, JSON, st.none() | st.integers() | st.floats())
def test_any_record_of_a_proof(proof: object, packages: object, booted: float | None) -> None:
    facts = {"ahead": [], "modules": [], "ebpf": {}, "uname": {"release": "5.10"}, "boot": {}, "kernels": [], "firewall": {"option_filter": None}, "held": [],
             "state": {"proof": proof, "packages": packages}}  # fmt: skip
    assert drift.drift_of(facts, booted, booted, {}) == []
    facts["state"]["proof"] = {"backend": "kernel_package", "kernel": "4.4.87.toa", "time": "2026-11-20T10:00:00Z"}
    json.dumps(drift.drift_of(facts, booted, booted, {}))


@given(st.text() | texts(st.sampled_from(["table", "inet", "realip_toa", "{", "}", "\n", "#", "reset tcp option 200"])))
def test_any_listing_of_rules(text: str) -> None:
    """Comments and empty lines say nothing; everything else does."""
    digest = option_filter_state.digest_of_listing
    assert digest(text) == digest("# a warning\n\n" + text + "\n")
    assert digest(text) != digest(text + "\n-A REALIP-TOA -j ACCEPT")


def test_hostile_sizes_end_in_time() -> None:
    """Inputs that a careless pattern would take for ever over; each is read in well under a second."""
    for text in ("'" * 200_001, '"' * 200_001, "\\" * 200_001, "$(" * 100_000 + "toa", "`" * 100_001 + "toa", "{ " * 100_000, "if " * 100_000,
                 "((" * 50_000 + "toa", "<<toa " * 20_000, "toa\n" * 50_000, "menuentry a { " * 20_000, "submenu a { }\n" * 20_000):  # fmt: skip
        start = time.process_time()
        script_loads(text)
        grub_script.boot_order(text, {"next_entry": "1"})
        environment.parse_grubenv(environment.ENV_HEADER + text)
        legacy_menu.parse_menu_lst(text)
        environment.parse_assignments(text)
        toa_modules.parse_counters(text)
        assert time.process_time() - start < 5, text[:20]
