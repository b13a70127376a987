# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What files repeat of the code: `python tests/derived.py` writes it, and a test holds it equal.

docs/variables.md has every public variable, out of the argument specs of the roles and the documentation of toa_plan, and the role toa has their
defaults, and reads each in its type; the surveys in awx/ and in the pattern have the vendors that there are to choose from; the guide to
distributions has what was tried on which (tests/tried.py).
"""

from __future__ import annotations

import functools
import importlib
import json
import re
import sys
import textwrap
import typing as t
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
# As a script it has its own folder on the path, and not the checkout.
sys.path.insert(0, str(ROOT))
from tests import tried  # noqa: E402
from tests.found import found  # noqa: E402

PAGE = ROOT / "docs" / "variables.md"
DEFAULTS = ROOT / "roles" / "toa" / "defaults" / "main.yml"
SETTINGS = ROOT / "roles" / "toa" / "vars" / "main.yml"
CONTROLLER = ROOT / "awx" / "controller.yml"
PATTERN = ROOT / "extensions" / "patterns" / "toa_rollout" / "meta" / "pattern.json"
HEAD = """# Variables

Set them in the inventory, or with `-e` for one run. Nothing is required but `toa_trusted_sources`. A variable with options is a mapping; its options
stand below it. A misspelt name is found before any host is asked.

| variable | default | example | meaning | read by |
|---|---|---|---|---|
"""

TAIL = """
## For rare cases

Each is named by the message or the guide that it is for.

"""

# For rare cases, and for tests.
RARE = frozenset((
    "toa_build_store", "toa_catalog_file", "toa_detect_redact", "toa_ebpf_getsockopt", "toa_image_root", "toa_install", "toa_listeners",
    "toa_lock_cache", "toa_lock_mirror", "toa_lock_update", "toa_monitor_interval", "toa_monitor_textfile_dir", "toa_option_packets",
    "toa_option_place", "toa_persistence_method", "toa_report_keep", "toa_report_kinds", "toa_report_parts", "toa_sources_max_age", "toa_stage_all",
    "toa_takeover", "toa_trusted_sources_url", "toa_wait_for_traffic",
))  # fmt: skip

DEFAULTS_HEAD = """---
# The defaults of the variables that roles read, made by `tests/derived.py` from the roles' argument specs. Every variable: docs/variables.md.
"""

SETTINGS_HEAD = """---
# Each variable as roles read it: in the type of its argument spec, with its default where it is null or empty. Made by `tests/derived.py`.
"""

# Files and folders that roles write and actions read.
PLACES = ("toa_catalog_file", "toa_lockfile")

# What playbooks and actions read without a role: the option of a module that documents it, or the words themselves.
ELSEWHERE: dict[str, tuple[str, str | dict[str, t.Any]]] = {
    "toa_catalog": ("toa_plan", "toa_plan"),
    "toa_confirm_timeout": ("toa_boot", "toa_boot"),
    "toa_detect_redact": (
        "playbook detect",
        {"type": "bool", "default": False, "description": "Show the networks of clients instead of their addresses."},
    ),
    "toa_detect_seconds": (
        "playbook detect",
        {"type": "int", "default": 30, "description": "Seconds that hosts listen at most, from 1 to 500."},
    ),
    "toa_hosts": (
        "every playbook",
        {"type": "str", "default": "all", "description": "Pattern of hosts that a playbook is about."},
    ),
    "toa_wave": (
        "playbooks rollback, remove",
        {
            "type": "int",
            "description": "Hosts of this wave of the last rollout, by its report, and no others.",
        },
    ),
    "toa_report_kinds": (
        "playbook report",
        {"type": "list", "elements": "str", "description": "Reports whose files are made anew; all that are there."},
    ),
}


def specs() -> Iterator[tuple[str, str, dict[str, t.Any]]]:
    """(role, variable, option) of every variable that the argument specs of a role have."""
    for path in found(ROOT, "roles/*/meta/argument_specs.yml"):
        options = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"].get("options") or {}
        yield from ((path.parts[-3], name, option) for name, option in options.items())


def rows() -> dict[str, dict[str, t.Any]]:
    """Each variable as {type, default, description, readers}; a choice or a default is as the specs have it."""
    found: dict[str, dict[str, t.Any]] = {}
    for role, name, option in specs():
        if name.startswith("toa_"):
            row = found.setdefault(name, {**option, "readers": []})
            row["readers"].append(role)
            if "options" in option:
                row["options"] = {
                    **row["options"],
                    **{key: spec for key, spec in option["options"].items() if key not in row["options"]},
                }
    for name, default in planner().POLICY.items():
        known = found.get(f"toa_{name}", {"readers": []})
        readers = ["toa_plan", *known["readers"]]
        own = known if "options" in known else {**documented("toa_plan")[name], "default": default}
        found[f"toa_{name}"] = {**own, "readers": readers}
    for name, (reader, spec) in ELSEWHERE.items():
        found[name] = {
            **(spec if isinstance(spec, dict) else documented(spec)[name.removeprefix("toa_")]),
            "readers": [reader],
        }
    return dict(sorted(found.items()))


def planner() -> t.Any:
    return importlib.import_module("ansible_collections.realip.toa.plugins.plugin_utils.planner.policy")


@functools.lru_cache
def documented(name: str) -> dict[str, dict[str, t.Any]]:
    """Documented options of a module, those of its fragments included."""
    page = yaml.safe_load(
        importlib.import_module(f"ansible_collections.realip.toa.plugins.modules.{name}").DOCUMENTATION
    )
    options: dict[str, dict[str, t.Any]] = {}
    for fragment in page["extends_documentation_fragment"]:
        file, _dot, section = fragment.removeprefix("realip.toa.").partition(".")
        shared = importlib.import_module(
            f"ansible_collections.realip.toa.plugins.doc_fragments.{file}"
        ).ModuleDocFragment
        options |= yaml.safe_load(getattr(shared, section.upper() or "DOCUMENTATION")).get("options") or {}
    return options | page["options"]


def page() -> str:
    table = "".join(f"| {' | '.join(cells(name, row))} |\n" for name, row in lines())
    return (
        HEAD
        + table
        + TAIL
        + "".join(f"* `{name}`: {where(row['readers'][0])}\n" for name, row in rows().items() if name in RARE)
    )


def where(reader: str) -> str:
    """How a variable that is not in the table is looked up."""
    if reader.startswith("toa_"):
        return f"`ansible-doc realip.toa.{reader}`"
    return f"the {reader}" if reader.startswith("playbook") else f"`ansible-doc -t role realip.toa.{reader}`"


def lines() -> Iterator[tuple[str, dict[str, t.Any]]]:
    """Each variable, and below it the options that it has."""
    for name, row in rows().items():
        if name in RARE:
            continue
        yield name, row
        for key, option in row.get("options", {}).items():
            yield f"{name}.{key}", {**option, "readers": []}


def defaults() -> str:
    """The role toa's: each variable that a role reads and that need not be given."""
    given = {
        name: option["default"] for _role, name, option in specs() if name.startswith("toa_") and "default" in option
    }
    return DEFAULTS_HEAD + "".join(
        f"{textwrap.fill(first_sentence(row), 120, initial_indent='# ', subsequent_indent='# ')}\n{name}: {json.dumps(given[name])}\n"
        for name, row in rows().items()
        if name in given
    )


def settings() -> str:
    """The role toa's: each variable in its type, under its name with __ in front."""
    where = (
        "\n  | realip.toa.toa_place(playbook_dir, ansible_inventory_sources | default([]), inventory_dir | default(''))"
    )
    return SETTINGS_HEAD + "".join(
        f"__{name}: >-\n  {{{{ {name} | default(none) | realip.toa.toa_setting('{name}'){where if name in PLACES else ''} }}}}\n"
        for name in rows()
    )


def first_sentence(row: dict[str, t.Any]) -> str:
    words = row["description"] if isinstance(row["description"], str) else row["description"][0]
    return without_markup(words).replace("`", "").partition(". ")[0].removesuffix(".") + "."


def cells(name: str, row: dict[str, t.Any]) -> tuple[str, ...]:
    default = (
        "required" if row.get("required") else "" if row.get("default") in (None, "", {}) else code(row["default"])
    )
    words = row["description"] if isinstance(row["description"], str) else " ".join(row["description"])
    choices = [str(choice) for choice in row.get("choices") or [] if choice != ""]
    told = words + (f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else "")
    example = code(examples()[name]) if "." not in name else ""
    return f"`{name}`", default, example, without_markup(told), ", ".join(f"`{reader}`" for reader in row["readers"])


def code(value: object) -> str:
    """A value as YAML, in a cell of a table."""
    return f"`{plain(value)}`".replace("|", "\\|")


@functools.lru_cache
def examples() -> dict[str, t.Any]:
    return dict(yaml.safe_load((ROOT / "tests" / "variable_examples.yml").read_text(encoding="utf-8")))


def plain(value: object) -> str:
    """A default as it is written in YAML, in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).removesuffix("\n...\n").strip()


def without_markup(text: str) -> str:
    """Ansible's semantic markup as Markdown, safe in a cell of a table."""
    text = re.sub(
        r"\bO\((\w+)\)", lambda match: f"`toa_{match[1]}`" if match[1] in planner().POLICY else f"`{match[1]}`", text
    )
    text = re.sub(r"\b[CVOPE]\(([^()]*(?:\([^()]*\)[^()]*)*)\)", r"`\1`", text)
    text = re.sub(r"\bM\(([^)]*)\)", r"`\1`", text)
    return " ".join(text.split()).replace("|", "\\|")


def vendors() -> tuple[str, ...]:
    choices: tuple[str, ...] = importlib.import_module(
        "ansible_collections.realip.toa.plugins.plugin_utils.option_formats"
    ).VENDOR_CHOICES
    return choices


def controller() -> str:
    """awx/controller.yml, in which people write: only the line with the choices is anew."""
    question = re.compile(r"^(question_vendor:.*?\n  choices: )\[[^]]*\]", re.MULTILINE | re.DOTALL)
    return question.sub(
        lambda found: f"{found[1]}[{', '.join(vendors())}]", CONTROLLER.read_text(encoding="utf-8"), count=1
    )


def pattern() -> str:
    """The pattern, with the choices in its surveys."""
    made = json.loads(PATTERN.read_text(encoding="utf-8"))
    for template in made["aap_resources"]["controller_job_templates"]:
        for question in template.get("survey", {}).get("spec", []):
            if question["variable"] == "toa_vendor":
                question["choices"] = list(vendors())
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


DERIVED = {
    PAGE: page,
    DEFAULTS: defaults,
    SETTINGS: settings,
    CONTROLLER: controller,
    PATTERN: pattern,
    tried.GUIDE: tried.page,
}

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "collections"))
    for file, text in DERIVED.items():
        if file.read_text(encoding="utf-8") != text():
            file.write_text(text(), encoding="utf-8")
            print(f"written: {file.relative_to(ROOT)}")
