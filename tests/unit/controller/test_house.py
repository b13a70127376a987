# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules that hold documentation and code together."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.registry import BACKENDS
from ansible_collections.realip.toa.plugins.plugin_utils.planner.reasons import REASONS
from ansible_collections.realip.toa.plugins.plugin_utils.report import writers

from tests.found import found
from tests.sessions import targets

ROOT = Path(__file__).resolve().parents[3]
# The role toa has no tasks, only what the others share.
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.name != "toa")
MODULES = [path.stem for path in found(ROOT / "plugins" / "modules", "*.py")]
PROMISED = {
    "toa_facts",
    "toa_plan",
    "toa_probe",
    "toa_package",
    "toa_boot",
    "toa_reboot",
    "toa_module",
    "toa_persistence",
}


def documentation(module: str) -> dict:
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{module}.py").read_text())
    texts = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    found = {
        name: yaml.safe_load(text) for name, text in texts.items() if name in ("DOCUMENTATION", "EXAMPLES", "RETURN")
    }
    for name in found["DOCUMENTATION"].get("extends_documentation_fragment") or []:
        own = found["DOCUMENTATION"]["options"]
        for option, shared in (fragment(name).get("options") or {}).items():
            own[option] = shared | own.get(option, {})
    return found


def fragment(name: str) -> dict:
    """What modules share, by its name in `extends_documentation_fragment`."""
    module, _dot, section = name.removeprefix("realip.toa.").partition(".")
    made = importlib.import_module(f"ansible_collections.realip.toa.plugins.doc_fragments.{module}").ModuleDocFragment
    return yaml.safe_load(getattr(made, section.upper() or "DOCUMENTATION"))


def without_words(options: dict) -> dict:
    """An argument spec, or documented options, without what is there for people or says the default twice."""
    told = {}
    for name, option in options.items():
        kept = {
            key: value
            for key, value in option.items()
            if key not in ("description", "version_added") and value not in (None, False)
        }
        if kept.get("type") in (None, "str"):
            kept.pop("type", None)
        sub = kept.pop("suboptions", None) or kept.pop("options", None)
        if sub:
            kept["options"] = without_words(sub)
        told[name] = kept
    return told


def spec_without_words(spec: dict) -> dict:
    return without_words(
        {
            name: {key: list(value) if isinstance(value, tuple) else value for key, value in option.items()}
            for name, option in spec.items()
        }
    )


def test_promised_modules_are_there():
    assert set(MODULES) >= PROMISED


@pytest.mark.parametrize("module", MODULES)
def test_module_documentation_equals_the_spec(module):
    action = importlib.import_module(f"ansible_collections.realip.toa.plugins.action.{module}")
    documented = documentation(module)
    assert without_words(documented["DOCUMENTATION"].get("options") or {}) == spec_without_words(
        action.ActionModule.SPEC
    )
    assert documented["DOCUMENTATION"]["module"] == module
    examples = [task[name] for task in documented["EXAMPLES"] for name in task if name == f"realip.toa.{module}"]
    assert examples and all(set(options or {}) <= set(action.ActionModule.SPEC) for options in examples)
    assert documented["RETURN"]


def mapping(path: Path) -> dict:
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


@pytest.mark.parametrize("role", ROLES)
def test_role_defaults_equal_argument_specs(role):
    """The role's own stand with it; those that begin with toa_ come with the role toa, which is derived of all specs."""
    folder = ROOT / "roles" / role
    spec, meta = (
        mapping(folder / "meta" / "argument_specs.yml")["argument_specs"]["main"],
        mapping(folder / "meta" / "main.yml"),
    )
    options = spec.get("options") or {}
    given = {name: option["default"] for name, option in options.items() if "default" in option}
    assert mapping(folder / "defaults" / "main.yml") == {
        name: default for name, default in given.items() if not name.startswith("toa_")
    }
    assert meta["dependencies"] == (
        [{"role": "realip.toa.toa"}] if any(name.startswith("toa_") for name in given) else []
    )
    assert all(option.get("required") for option in options.values() if "default" not in option)
    assert (folder / "README.md").read_text().strip()
    assert meta["galaxy_info"]["description"] == spec["short_description"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_has_a_role_that_applies_a_plan(backend):
    options = yaml.safe_load((ROOT / "roles" / backend / "meta" / "argument_specs.yml").read_text())["argument_specs"][
        "main"
    ]["options"]
    assert options["backend_plan"]["type"] == "dict" and options["backend_plan"]["required"]


def test_one_variable_has_one_default():
    """A variable that several roles read means the same in each."""
    from tests import derived

    seen: dict[str, object] = {}
    for _role, name, option in derived.specs():
        assert seen.setdefault(name, option.get("default")) == option.get("default"), name


def test_every_public_variable_is_known():
    """What a role or playbook reads as toa_x is a variable that toa_plan does not call misspelt."""
    from ansible_collections.realip.toa.plugins.plugin_utils.variables.table import KNOWN

    read = set()
    for path in [*found(ROOT, "roles/**/*.yml"), *found(ROOT, "playbooks/**/*.yml")]:
        read |= set(re.findall(r"(?<![.\w])toa_\w+", path.read_text()))
    plugins = {path.stem for room in ("modules", "filter", "test") for path in found(ROOT / "plugins" / room, "*")}
    filters = set(re.findall(r'"(toa_\w+)":', (ROOT / "plugins" / "filter" / "fleet.py").read_text()))
    assert read - plugins - filters <= KNOWN


def test_roles_read_variables_in_their_type():
    """Under their name with __ in front: an extra variable is a text on some cores, and one that is null is there and says nothing."""
    from ansible_collections.realip.toa.plugins.plugin_utils.variables.table import SPECS

    # In quotes it is looked up among what every host has, and read by the filter that gets it.
    raw = re.compile(rf"(?<![\w.'])({'|'.join(SPECS)})\b(?!:)")
    for path in [*found(ROOT, "roles/*/tasks/*.yml"), *found(ROOT, "roles/*/vars/*.yml")]:
        if path.parts[-3] != "toa":
            code = [
                line.partition(" # ")[0] for line in path.read_text().splitlines() if not line.lstrip().startswith("#")
            ]
            assert [line for line in code if raw.search(line)] == [], path


def test_an_empty_choice_of_hosts_is_none():
    """A survey of AWX answers an empty text; as `hosts` of a play that would be nobody."""
    for path in found(ROOT, "playbooks/**/*.yml"):
        for line in path.read_text().splitlines():
            if re.search(r"^ *hosts: .*\btoa_\w+ \|", line) and "toa_hosts" in line:
                assert re.search(r"\btoa_\w+ \| default\('\w+', true\)", line), f"{path}: {line}"


def test_roles_of_ours_are_not_checked_twice():
    """Their variables were checked before any host was asked; Ansible's own check takes an empty text for a wrong number, on each host."""
    for path in [*found(ROOT, "roles/*/tasks/*.yml"), *found(ROOT, "playbooks/**/*.yml")]:
        for block in re.findall(
            r"(?:include|import)_role:\n((?: +.*\n?)+?)(?=\n|\Z|^ *- )", path.read_text(), re.MULTILINE
        ):
            if re.match(r" +name: .?realip\.toa\.", block):
                assert "rolespec_validate: false" in block, path


def test_what_repeats_the_code_is_as_the_code_has_it():
    """Written by `python tests/derived.py`; every variable that the collection knows is on the page of variables."""
    from ansible_collections.realip.toa.plugins.plugin_utils.variables.table import KNOWN, RESULTS, convert, setting

    from tests import derived

    assert set(derived.rows()) == KNOWN - RESULTS
    assert len(derived.examples()) <= 40, "who shall remember them all? Merge, infer, or leave it to its role"
    assert set(derived.examples()) == set(derived.rows()) - derived.RARE
    for name, value in derived.examples().items():
        assert "{{" in str(value) or convert(name, value) != setting(name, None), (
            f"{name}: the example says nothing new"
        )
    for file, text in derived.DERIVED.items():
        assert file.read_text(encoding="utf-8") == text(), f"{file} is not as the code has it: python tests/derived.py"


def test_tables_of_the_guides_say_what_the_code_says():
    guides = ROOT / "docs" / "guides"
    rows = dict(
        re.findall(
            r"^\| `(\w+)` \| [^|]* \| ((?:`\d+/\d+`(?:, )?)+)", (guides / "vendors.md").read_text(), re.MULTILINE
        )
    )
    sent = {name: list(profile.option_kinds) for name, profile in option_formats.VENDORS.items()}
    assert {name: re.findall(r"\d+/\d+", kinds) for name, kinds in rows.items()} == sent, (
        "docs/guides/vendors.md against formats.py"
    )
    codes = re.findall(
        r"^\| `(\w+)` \| ", (guides / "troubleshooting.md").read_text().split("## The host is blocked")[1], re.MULTILINE
    )
    assert codes and set(codes) <= set(REASONS), "docs/guides/troubleshooting.md against reasons.py"
    kinds = re.findall(r"^\| `(\w+)` \| `rollout\.(\w+)`", (guides / "reports.md").read_text(), re.MULTILINE)
    assert kinds == [(name, ending) for name, (ending, _writer) in writers.FORMATS.items()], (
        "docs/guides/reports.md against report_files.py"
    )


def test_a_file_of_ours_on_a_host_has_one_owner():
    """Two components that call a unit alike remove each other's."""
    owners: dict[str, set[str]] = {}
    for path in found(ROOT / "plugins" / "module_utils", "**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for name in re.findall(r"^(?:/etc/[\w/.-]*/)?(realip-toa-[\w.-]+)$", node.value):
                    owners.setdefault(name.removesuffix(".service"), set()).add(path.name)
    assert {"realip-toa-option-filter", "realip-toa-trial-watchdog", "realip-toa-monitor"} <= set(owners)
    assert {name: sorted(files) for name, files in owners.items() if len(files) > 1} == {}


def test_galaxy_yml_and_runtime_agree_with_the_promise():
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert runtime["requires_ansible"] == ">=2.16.19,!=2.17.*"
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"] == {}


def test_everything_that_is_checked_is_a_session():
    """make and the forge call sessions of noxfile.py, and nothing beside them."""
    functions = [
        node for node in ast.parse((ROOT / "noxfile.py").read_text()).body if isinstance(node, ast.FunctionDef)
    ]
    sessions = {
        node.name
        for node in functions
        if any("nox.session" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    targets = [name.replace("_", "-") for name in sorted(sessions)]
    would_run = subprocess.run(["make", "-n", *targets], cwd=ROOT, text=True, capture_output=True, check=True).stdout
    assert re.findall(r'noxfile.py" -s "(\w+)"', would_run) == sorted(sessions)
    (listed,) = re.findall(r"nox --list --json -s ([\w\s]+)", (ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert set(listed.split()) == sessions - {
        "faults",
        "adversary_lab",
        "lab_machines",
        "bench",
        "lab_source",
        "jobs",
        "quick",
        "quick_start",
    }


def test_make_help_names_every_target_once():
    said = [
        "* quick -> what to run first",
        "- unit_target(3.6) [test] -> on each Python",
        "- unit_target(2.7) -> on each Python",
        "- lab_source [long,rest] -> from source",
        "Sessions defined in noxfile.py:",
    ]
    assert targets(said) == {
        "quick": ("what to run first", []),
        "unit-target": ("on each Python", ["3.6", "2.7"]),
        "lab-source": ("from source", []),
    }


def test_a_check_that_finds_no_file_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="would check nothing"):
        found(tmp_path, "*.py")


def test_an_empty_list_of_cases_fails() -> None:
    """pytest itself would skip a test that goes through no file, and stay green."""
    settings = re.findall(r"^empty_parameter_set_mark = (.*)$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert settings == ['"fail_at_collect"']


def _writers_of_the_record(tasks: list, conditions: tuple = ()) -> list:
    """Each task that registers `__toa`, with the conditions under which it runs."""
    written = []
    for task in tasks or []:
        here = (*conditions, *([task["when"]] if "when" in task else []))
        if task.get("register") == "__toa":
            written.append((task, here))
        for part in ("block", "rescue", "always"):
            written += _writers_of_the_record(task.get(part), here)
    return written


def test_the_record_of_a_run_has_no_other_writers_and_none_that_may_be_skipped():
    """A skipped task registers too: the record would be gone, and with it what has to be undone."""
    files = found(ROOT / "roles", "*/tasks/*.yml")
    imported = {
        str(arguments.get("name") or "").rpartition(".")[2] for _play, arguments in _of_files(files, "import_role")
    }
    written = [item for path in files for item in _writers_of_the_record(yaml.safe_load(path.read_text()))]
    assert len(written) > 10
    for task, conditions in written:
        assert not conditions, (task["name"], conditions)
        assert "realip.toa.toa_record" in task or "realip.toa.toa_plan" in task, task["name"]
    # What is imported takes the conditions of its place with it.
    assert not imported & {"hooks", "rollout", "remove"}
    for path in files:
        assert not re.search(r"set_fact:[^\n]*\n(\s+#[^\n]*\n)*\s+__toa", path.read_text()), path


def _of_files(files: list, word: str) -> list:
    return [
        (task, task[f"ansible.builtin.{word}"])
        for path in files
        for task in yaml.safe_load(path.read_text()) or []
        if f"ansible.builtin.{word}" in task
    ]


def test_a_task_says_in_plain_words_what_it_does():
    """A sentence with a verb in front, whole for every host: a template would be empty, or that of the first host, where the task is skipped."""
    for path in [*found(ROOT, "roles/*/tasks/*.yml"), *found(ROOT, "playbooks/**/*.yml")]:
        for name in re.findall(r"^ *- name: (.+)$", path.read_text(), re.MULTILINE):
            assert re.match(r"[A-Z][a-z]+[ ,]", name) and not re.search(r"[|{}]", name), f"{path}: {name}"


def test_pictures_are_as_they_are_drawn_for_light_and_dark_pages_and_stand_on_one():
    drawn = importlib.util.spec_from_file_location("pictures", ROOT / "docs/docsite/pictures.py")
    pictures = importlib.util.module_from_spec(drawn)
    drawn.loader.exec_module(pictures)
    for name, draw in pictures.PICTURES.items():
        text = (ROOT / f"docs/images/{name}.svg").read_text(encoding="utf-8")
        assert text == str(draw()), "python docs/docsite/pictures.py draws them anew"
        assert "prefers-color-scheme: dark" in text and ElementTree.fromstring(text).get("aria-label")
    pages = "".join(path.read_text(encoding="utf-8") for path in [*found(ROOT, "docs/**/*.md"), ROOT / "README.md"])
    for image in [*found(ROOT, "docs/images/*.svg"), *found(ROOT, "docs/images/*.png")]:
        assert f"images/{image.name}" in pages, f"no page shows {image.name}"


def test_the_site_has_every_page_once():
    index = (ROOT / "docs/docsite/index.md").read_text(encoding="utf-8").splitlines()
    docs = ROOT / "docs"
    pages = [path.relative_to(docs).with_suffix("").as_posix() for path in found(docs, "**/*.md")]
    for page in pages:
        if not page.startswith(("docsite/", "_site/")):
            assert index.count(page) == 1, f"{page} stands {index.count(page)} times in docs/docsite/index.md"
