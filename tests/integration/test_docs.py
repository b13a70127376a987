# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guides tell people to type, write and compile is typed, written and compiled here; and what they link to is there."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import shlex
import struct
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.realip.toa.plugins.module_utils.programs import metrics
from ansible_collections.realip.toa.plugins.module_utils.testbench import packets as tcp_packets
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import selection
from ansible_collections.realip.toa.plugins.plugin_utils.variables.table import KNOWN
from ebpf_stage import EbpfStage
from sshd import ROOT

from tests.found import found
from tests.newcomer import guide

BIN = Path(sys.executable).parent
GUIDES = found(ROOT / "docs" / "guides", "*.md")
PAGES = [*GUIDES, *found(ROOT / "docs" / "concepts", "*.md"), *found(ROOT / "docs", "*.md"), ROOT / "README.md"]
SNIPPETS = ROOT / "docs" / "guides" / "snippets"
CENTOS = {"os_release": 'ID="centos"\nVERSION_ID="7"\n', "kernel": "3.10.0-1160.119.1.el7.x86_64"}

# What is typed on a machine with nothing on it is typed there (test_quick_start.py, `make quick-start`); somebody's AWX is played by test_awx.py.
ELSEWHERE = re.compile(
    r"(pip|ansible-galaxy collection|python3 -m venv|sudo apt-get|export|make) |ansible-playbook awx/apply.yml|ansible-playbook infra"
)


def blocks(page: Path, language: str) -> list[str]:
    """Fenced code of one language."""
    return [text for found, text in guide.blocks(page) if found == language]


def every(language: str, pages: t.Iterable[Path] = PAGES) -> list[t.Any]:
    return [
        pytest.param(text, id=f"{page.stem} {number}")
        for page in pages
        for number, text in enumerate(blocks(page, language), 1)
    ]


def ansible(command: str, *words: t.Any, cwd: Path) -> str:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [str(BIN / command), *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Words of the pages that begin as variables do: a file in /proc, a callback, results, a folder of somebody's tree.
NO_VARIABLES = {"toa_stats", "toa_progress", "toa_state", "toa_modules", "toa_centos7"}

# ---- what is typed


def commands() -> list[str]:
    lines = [line for page in PAGES for text in blocks(page, "console") for line in text.splitlines()]
    typed = {line.removeprefix("$ ").split("  #")[0].rstrip() for line in lines if line.startswith("$ ")}
    return sorted(command for command in typed if not ELSEWHERE.match(command))


def test_no_snippet_hides_from_the_tests() -> None:
    """Code is fenced and says its language; what is typed begins with a dollar sign."""
    # Those without a language are drawings; patches are followed by test_worked_examples.py.
    known = {"console", "diff", "yaml", "ini", "python", "text", "{literalinclude}", ""}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"^ *```(\S*)", text, re.MULTILINE)) <= known, page
        assert not re.findall(
            r"^    (?:ansible\S* .*|- name: .*|toa_\w+: .*|jq .*)",
            re.sub(r"```.*?```", "", text, flags=re.DOTALL),
            re.MULTILINE,
        ), page


def test_commands_are_those_of_the_collection(tmp_path: Path) -> None:
    """Each is a playbook of ours with options that it understands; one run with all variables of all commands says whether these are known."""
    typed = [command for command in commands() if command.startswith("ansible-playbook ")]
    inventory = tmp_path / "inventory.yml"
    inventory.write_text("all: {hosts: {web1: {ansible_connection: local}}}")
    (tmp_path / "inventory").symlink_to(inventory)
    assert set(commands()) == {*typed, TCPDUMP}
    for command in typed:
        words = shlex.split(command)[1:]
        playbook = next(word for word in words if word.startswith("realip.toa.") or word.endswith("rollout.yml"))
        assert (ROOT / "playbooks" / f"{playbook.removeprefix('realip.toa.').removesuffix('.yml')}.yml").is_file(), (
            command
        )
        variables = [words[index + 1] for index, word in enumerate(words) if word == "-e"]
        named = [
            set(json.loads(variable)) if variable.startswith("{") else {variable.split("=")[0]}
            for variable in variables
        ]
        assert set().union(*named) <= KNOWN, command
        for variable in variables:
            # Selections are told apart from what a report alone has (the playbook report).
            if variable.startswith("toa_only=") and playbook != "realip.toa.report":
                assert selection.problem(variable.split("=", 1)[1].strip('"')) == "", command
    script = [
        ["import_playbook", word]
        for word in sorted(
            {word for command in typed for word in shlex.split(command) if word.startswith("realip.toa.")}
        )
    ]
    (tmp_path / "all.yml").write_text(json.dumps([{f"ansible.builtin.{key}": value} for key, value in script]))
    ansible("ansible-playbook", "--syntax-check", "-i", inventory, "all.yml", cwd=tmp_path)


TCPDUMP = "sudo tcpdump -ni any -c 20 -v 'tcp port 80 and tcp[12] & 0xf0 > 0x50'"


def test_tcpdump_shows_the_option(tmp_path: Path) -> None:
    """The filter and the words of the guide, for a capture in place of an interface: an option of each kind, and a packet without one."""
    flow = tcp_packets.Flow(4, "192.0.2.2", 40000, "192.0.2.1", 80)
    # A capture file: of raw IP packets.
    captured = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for option in ("c8081092cb007107", "fe081092cb007107", "fd081092cb007107", ""):
        packet = flow.segment(tcp_packets.ACK, 1, 1, options=tcp_packets.padded(bytes.fromhex(option)))
        captured += struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet
    (tmp_path / "packets").write_bytes(captured)
    words = shlex.split(TCPDUMP)[1:]
    words[words.index("-ni") : words.index("any") + 1] = ["-nr", str(tmp_path / "packets")]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    told = re.findall(r"options \[(.*)\]", shown)
    assert told == ["unknown-200 0x1092cb007107", "exp-1092", "unknown-253 0x1092cb007107"]
    guide_says = " ".join((ROOT / "docs" / "guides" / "troubleshooting.md").read_text().split())
    assert f"`{told[0]}`" in guide_says and f"`{told[1]}`" in guide_says


# ---- what is written


@pytest.mark.parametrize("text", every("python"))
def test_sketches_are_python(text: str) -> None:
    assert ast.parse(text).body


@pytest.mark.parametrize("text", every("ini"))
def test_settings_are_ansible_s(text: str, tmp_path: Path) -> None:
    """ansible-config knows every setting of a file, and takes it."""
    (tmp_path / "ansible.cfg").write_text(text)
    settings = configparser.ConfigParser()
    settings.read_string(text)
    done = subprocess.run([str(BIN / "ansible-config"), "dump", "--only-changed", "--type", "all"], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg")}, timeout=60, check=True)  # fmt: skip
    taken = set(re.findall(rf"^(\w+)\({tmp_path}/ansible.cfg\)", done.stdout, re.MULTILINE))
    assert {name.lower() for name in taken} == {name for section in settings.sections() for name in settings[section]}


WRITTEN = [
    (f"{page.stem}-{number}", yaml.safe_load(text))
    for page in PAGES
    for number, text in enumerate(blocks(page, "yaml"), 1)
]
VARIABLES = {
    name: content for name, content in WRITTEN if isinstance(content, dict) and not {"all", "groups"} & set(content)
}
LISTS = {name: content for name, content in WRITTEN if isinstance(content, list)}


def test_inventories_are_read(tmp_path: Path) -> None:
    inventories = [content for _name, content in WRITTEN if isinstance(content, dict) and "all" in content]
    assert inventories
    for content in inventories:
        (tmp_path / "inventory.yml").write_text(yaml.safe_dump(content))
        hosts = json.loads(ansible("ansible-inventory", "-i", "inventory.yml", "--list", cwd=tmp_path))["_meta"][
            "hostvars"
        ]
        assert (
            hosts and {name for variables in hosts.values() for name in variables if name.startswith("toa_")} <= KNOWN
        )


def test_variables_are_taken(tmp_path: Path) -> None:
    """The planner takes what the pages would have in an inventory, and knows all the names: a play for each block."""
    plays = [{"name": name, "hosts": "localhost", "gather_facts": False, "vars": content, "tasks": [
        {"realip.toa.toa_plan": {"assume": CENTOS}, "register": "made"},
        {"ansible.builtin.debug": {"msg": f"{name} is {{{{ made.plan.state }}}}"}},
    ]} for name, content in VARIABLES.items()]  # fmt: skip
    (tmp_path / "variables.yml").write_text(json.dumps(plays))
    answer = ansible("ansible-playbook", "-i", "localhost,", "-c", "local", "variables.yml", cwd=tmp_path)
    assert re.findall(r'"msg": "(\S+) is (?:pending|blocked|unsupported)"', answer) == list(VARIABLES)
    assert [selection.problem(content.get("toa_only")) for content in VARIABLES.values()] == [""] * len(VARIABLES)


def test_playbooks_and_tasks_are_some(tmp_path: Path) -> None:
    """Those of the controller itself are played."""
    (tmp_path / "inventory.yml").write_text("web: {hosts: {web1: {}}}")
    for name, content in LISTS.items():
        plays = content if "hosts" in content[0] else [{"hosts": "web", "gather_facts": False, "tasks": content}]
        (tmp_path / f"{name}.yml").write_text(json.dumps(plays))
    ansible(
        "ansible-playbook", "--syntax-check", "-i", "inventory.yml", *(f"{name}.yml" for name in LISTS), cwd=tmp_path
    )
    local = [
        f"{name}.yml" for name, content in LISTS.items() if [play.get("hosts") for play in content] == ["localhost"]
    ]
    assert local and "failed=0" in ansible("ansible-playbook", "-i", "inventory.yml", *local, cwd=tmp_path)


def test_alerts_ask_for_what_there_is() -> None:
    alerts(yaml.safe_load((ROOT / "docs" / "monitoring" / "alerts.yml").read_text()))


def alerts(content: dict[str, t.Any]) -> None:
    """Rules for Prometheus: what they ask for is what the monitor writes."""
    rules = [rule for group in content["groups"] for rule in group["rules"]]
    asked = {name for rule in rules for name in re.findall(r"realip_toa_\w+", rule["expr"])}
    written = set(re.findall(r"realip_toa_\w+", (ROOT / "docs" / "monitoring.md").read_text().split("## Alerts")[0]))
    assert asked and asked <= written and {name.removeprefix("realip_toa_") for name in asked} <= set(metrics.HELP)
    assert all(re.fullmatch(r"\d+[smh]", rule.get("for", "0s")) and rule["annotations"]["summary"] for rule in rules)


def test_selections_of_the_guide() -> None:
    page = (ROOT / "docs" / "guides" / "selections.md").read_text()
    expressions = [
        (double or single).strip()
        for double, single in re.findall(r"^\| [^|]+ \| (?:``(.+?)``|`([^`]+)`) \|$", page, re.MULTILINE)
    ]
    assert len(expressions) == 9
    assert [selection.problem(expression) for expression in expressions] == [""] * 9
    (told,) = blocks(ROOT / "docs" / "guides" / "selections.md", "text")
    for line in told.splitlines():
        expression = re.search(r"toa_only: (['\"])(.*?)\1: |toa_only: '(.*?)' is", line)
        assert selection.problem(expression[2] or expression[3]) == line


def test_every_playbook_takes_a_selection_and_judges_it_first() -> None:
    guide_says = (ROOT / "docs" / "guides" / "selections.md").read_text()
    for path in found(ROOT / "playbooks", "*.yml"):
        assert f"`{path.stem}`" in guide_says
        play = yaml.safe_load(path.read_text())[0]
        if "ansible.builtin.import_playbook" in play:
            # What two playbooks share stands in a folder of its own.
            play = yaml.safe_load((path.parent / play["ansible.builtin.import_playbook"]).read_text())[0]
        first = play["tasks"][0]
        # The playbook `report` asks no host; its module says what is wrong.
        assert path.stem == "report" or first["ansible.builtin.import_tasks"].endswith("tasks/selection.yml"), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_variables_and_links_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    modules = {path.stem for path in found(ROOT / "plugins" / "modules", "*.py")} | {
        path.stem for path in found(ROOT / "plugins" / "filter", "toa_*")
    }
    assert set(re.findall(r"(?<![.\w/-])toa_\w+", text)) - modules - NO_VARIABLES <= KNOWN
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        # The README is read on Galaxy too, so its links are whole.
        target = target.removeprefix("https://github.com/realip/toa/blob/main/" if page.name == "README.md" else " ")
        if re.match(r"https?://", target):
            continue
        file, _hash, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings], target


# ---- what is compiled

CLIENT4, CLIENT6 = "c8081092cb007107", "fd14109220010db8000000000000000000000007"
GIVEN4, GIVEN6, PEER = "203.0.113.7:4242", "[2001:db8::7]:4242", "192.0.2.2"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[t.Any]]:
    """How each program is started, with the port that it is given behind it."""
    folder = tmp_path_factory.mktemp("programs")
    folder.chmod(0o755)
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", folder / "peer", SNIPPETS / "peer.c"], check=True)
    go = {**os.environ, "GOCACHE": str(folder / "cache"), "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GO111MODULE": "off"}
    subprocess.run(["go", "vet", SNIPPETS / "peer.go"], check=True, env=go)
    subprocess.run(["go", "build", "-o", folder / "peer_go", SNIPPETS / "peer.go"], check=True, env=go)
    return {"c": [folder / "peer"], "go": [folder / "peer_go"], "python": ["/usr/bin/python3", SNIPPETS / "peer.py"]}


def test_applications_see_the_client(programs: dict[str, list[t.Any]], tmp_path: Path) -> None:
    """Each program of the guide behind a load balancer that puts an IPv4 client, an IPv6 client or nothing into the option."""
    tmp_path.chmod(0o777)
    running: list[subprocess.Popen[str]] = []
    with EbpfStage(tmp_path / "stage") as stage:

        def start(*words: t.Any) -> subprocess.Popen[str]:
            running.append(
                subprocess.Popen(
                    stage.command(*words),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            return running[-1]

        try:
            stage.ebpf(kinds=["200/8", "253/20"])
            server = f"exec nginx -p {tmp_path} -c {SNIPPETS}/nginx.conf"
            nginx = start("unshare", "-n", "sh", "-c", f"ip link set lo up && cd {tmp_path} && echo ready && {server}")
            assert nginx.stdout.readline() == "ready\n"
            inside = ["nsenter", "-t", nginx.pid, "-n"]
            servers = {}
            for number, (name, words) in enumerate(programs.items(), 8081):
                servers[name] = (number, start(*inside, *words, number))
                assert servers[name][1].stdout.readline() == "ready\n", name
            deadline = time.monotonic() + 30
            while not listening(nginx.pid) and nginx.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            requests = [(4, port, option) for port in (8080, 8081, 8082, 8083) for option in (CLIENT4, CLIENT6, "")]
            client = start(*inside, "/usr/bin/python3", "-")
            out, err = client.communicate(stage.program("requests", requests=requests), timeout=60)
            assert f'"answered": {len(requests)}' in out, out + err
            said = {}
            for name, (_port, process) in servers.items():
                process.kill()
                said[name] = process.communicate(timeout=20)[0].splitlines()
            logged = (tmp_path / "access.log").read_text().splitlines()
        finally:
            for process in running:
                if process.poll() is None:
                    process.terminate()
                    process.communicate(timeout=20)
    for name, lines in said.items():
        assert [lines[0], lines[1]] == [
            GIVEN4,
            GIVEN6 if name != "python" else GIVEN6.replace("[", "").replace("]", ""),
        ], (name, lines)
        assert lines[2].startswith(f"{PEER}:"), (name, lines)
    # nginx asks accept() on an AF_INET listener, which cannot show an IPv6 client.
    assert logged[0] == GIVEN4 and [line.rpartition(":")[0] for line in logged[1:]] == [PEER, PEER]


def listening(pid: int) -> bool:
    """Whether somebody listens on 8080 in that network namespace."""
    return any(
        line.split()[1].endswith(":1F90") and line.split()[3] == "0A"
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    )
