# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzzes what reads words of hosts: the controller's parser of answers, and the interpreter of GRUB's menu. `parsers.py NAME SECONDS [libFuzzer options]`.

With atheris, which follows the branches that an input takes, where it can be installed; else with a loop of mutations, which says so. An input that
breaks a law ends it, and is left in tests/output/fuzz.
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
import time
import typing as t
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
import conftest  # noqa: E402, F401  makes ansible_collections importable

try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports() if atheris else contextlib.nullcontext():
    from ansible_collections.realip.toa.plugins.module_utils.bootloader import (
        bls,
        environment,
        grub_script,
        legacy_menu,
    )
    from ansible_collections.realip.toa.plugins.plugin_utils.channel import answer

OUTPUT = TESTS / "output" / "fuzz"
NONCE = "0123456789abcdef"
# An input that takes longer holds a whole run up, in seconds.
SLOW = 5.0
BODY = {
    "changed": True,
    "before": {},
    "after": {"installed": {"kernel": "4.4.87"}},
    "notes": ["a note"],
    "n": [1, 2.5, None],
}
MENU = """
set default="${saved_entry}"
if [ "${next_entry}" ] ; then set default="${next_entry}"; set next_entry=; save_env next_entry; fi
function load_video { if [ x$feature_all_video_module = xy ]; then insmod all_video; fi }
menuentry 'Debian' --class debian --id gnulinux { linux /vmlinuz-4.4.87.toa root=/dev/vda ro
 initrd /initrd.img-4.4.87.toa }
submenu 'More' --id more { menuentry 'Old' --id old { linux /vmlinuz-3.16.0-4 root=x
} }
"""
LEGACY = "default=1\ntimeout=5\nfallback 0\ntitle CentOS (2.6.32-754)\n\troot (hd0,0)\n\tkernel /vmlinuz-2.6.32-754 ro\n\tinitrd /initramfs\ntitle B\n"


def one_answer(data: bytes) -> None:
    """Whatever a host prints is an answer that steers nothing, or none."""
    text = data[1:].decode("utf-8", "surrogateescape" if data[:1] > b"\xc0" else "replace")
    if data[:1] > b"\x40":  # most of the time with the frame right, so that what is in it is read
        text = f"\n@realip-toa {NONCE} {len(text)} {text} @end {NONCE}\n"
    try:
        found = answer.understand({"stdout": text, "stderr": text[:99], "rc": 0, "become": False}, NONCE, ["python3"])
    except answer.NoAnswer as problem:
        found = problem.answer
        assert found["failed"] and found["code"] and found["remedy"]
    assert isinstance(found, dict) and len(json.dumps(found)) < 8 << 20
    assert not [
        key for key in found if key.startswith("_ansible") or key in ("unreachable", "ansible_facts", "add_host")
    ]
    shown = json.dumps(found, ensure_ascii=False)
    assert not [char for char in shown if ord(char) < 32 or 127 <= ord(char) < 160 or 0xD800 <= ord(char) < 0xE000]


def one_menu(data: bytes) -> None:
    """Whatever stands in a menu is entries and an order of booting, or a refusal in words."""
    text = data.decode("utf-8", "replace")
    environ = environment.parse_grubenv(text) or {}
    assert all(isinstance(item, str) for pair in environ.items() for item in pair)
    environment.parse_assignments(text)
    legacy = legacy_menu.parse_menu_lst(text)
    legacy_menu.pick_legacy(legacy, 1)
    bls.parse_bls_entry(text, "a")
    grub_script.run_grub_cfg(text, dict(environ))
    json.dumps(grub_script.boot_order(text, {"next_entry": text[:9]}), default=str)


# Name -> (what is tried with an input, texts as they should be).
PARSERS: dict[str, tuple[t.Callable[[bytes], None], list[bytes]]] = {
    "answer": (
        one_answer,
        [b"\xff" + json.dumps(BODY).encode(), b"\x80" + json.dumps([BODY] * 3).encode(), b"\x00no answer"],
    ),
    "menu": (
        one_menu,
        [MENU.encode(), LEGACY.encode(), b"# GRUB Environment Block\nsaved_entry=gnulinux\n" + b"#" * 900],
    ),
}


def timed(parse: t.Callable[[bytes], None]) -> t.Callable[[bytes], None]:
    def one(data: bytes) -> None:
        began = time.process_time()
        parse(data)
        assert time.process_time() - began < SLOW, "it took too long"

    return one


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        place, end = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
        way = chance.randint(0, 4)
        if way == 0:
            data[place:place] = bytes(chance.randint(0, 255) for _ in range(chance.randint(1, 8)))
        elif way == 1:
            del data[place : min(end, place + 40)]
        elif way == 2:
            data[place:place] = data[place:end] * chance.randint(1, 6)
        elif way == 3 and place < len(data):
            data[place] = chance.randint(0, 255)
        else:
            data[place:place] = chance.choice(
                [b"{", b"}", b'"', b"$", b"${", b"[", b"\\", b"if ", b"; then ", b"fi", b"\n", b"\0", b"@end "]
            )
    return bytes(data[: 1 << 16])


def without_atheris(one: t.Callable[[bytes], None], seeds: list[bytes], seconds: float) -> int:
    chance, count, end = random.Random(0), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutated(chance, seeds)
        try:
            one(data)
        except BaseException:
            (OUTPUT / "crash-mutation").write_bytes(data)
            raise
        count += 1
    return count


def main() -> None:
    name, seconds, options = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    parse, seeds = PARSERS[name]
    OUTPUT.mkdir(parents=True, exist_ok=True)
    if atheris is None:
        print(f"fuzz: {name}: atheris is not here: a loop of mutations, which does not see what an input reaches")
        print(f"fuzz: {name}: {without_atheris(timed(parse), seeds, seconds)} inputs broke nothing")
        return
    corpus = OUTPUT / name
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = [
        f"-max_total_time={int(seconds)}",
        "-max_len=8192",
        "-rss_limit_mb=2048",
        f"-artifact_prefix={OUTPUT}/",
        *options,
    ]
    print(f"fuzz: {name}: {int(seconds)} s with atheris", flush=True)
    atheris.Setup([sys.argv[0], *words, str(corpus)], timed(parse))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
