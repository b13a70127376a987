#!/usr/bin/python3 -SE
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole host in a JSON file, in the place of its Python: it reads the program that the channel sends and answers what such a host would.

Dressed as Ubuntu 16.04, for which the catalog has a kernel. What it does wrong is scripted in `faults` of the file. The claim on the host is the
real one: plugins/module_utils/programs/claim.py, out of the program itself.
"""

import ast
import base64
import fcntl
import json
import os
import re
import select
import signal
import sys
import zlib

STOCK, TOA = "4.4.0-210-generic", "4.4.87.toa"
OS_RELEASE = 'NAME="Ubuntu"\nVERSION="16.04.7 LTS (Xenial Xerus)"\nID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 16.04.7 LTS"\nVERSION_ID="16.04"\n'
TEMPLATE = "{{ lookup('ansible.builtin.pipe', 'touch %s') }}"

FRESH = {
    "boot": 1,
    "kernel": STOCK,
    "default": STOCK,
    "next": None,
    "installed": False,
    "held": False,
    "loaded": False,
    "persistent": False,
    "option_filter": None,
    "hardware": {},
    "machine": "",
    "this_boot": "",
    "state": {},
    "faults": {},
    "journal": [],
    "away": False,
}


def main(path):
    call, modules = read_program(sys.stdin.read())
    entry, args = list(modules)[-1].rpartition(".")[2], call["args"]
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(path) as file:
            host = {**FRESH, **json.load(file)}
        host["path"] = path
        if host["away"]:
            sys.exit(255)
        step = " ".join(
            word
            for word in (entry, args.get("op") or args.get("state") or "", "drained" if args.get("drained") else "")
            if word
        )
        refusal = host["faults"].get("once", {}).pop(step, "")
        answer = (
            {"failed": True, "code": "scripted", "msg": refusal, "remedy": ""}
            if refusal
            else HANDLERS[entry](host, args, modules)
        )
        host["journal"].append(step + (" (check)" if args.get("check") else ""))
        with open(path + ".part", "w") as file:
            json.dump({key: value for key, value in host.items() if key != "path"}, file, indent=1)
        os.rename(path + ".part", path)
    if host["faults"].get("kill_at") == step:
        kill_controller(path)
    if host["faults"].get("dies_at") == step:
        sys.exit(255)
    hostile = host["faults"].get("answers", {}).get(entry)
    if hostile:
        HOSTILE[hostile](host, call["nonce"], answer)
    else:
        send(call["nonce"], json.dumps(answer))


def read_program(text):
    """(the call, {name: source} of the modules in the order in which they run)."""
    call = json.loads(ast.literal_eval(re.search(r"^call = json\.loads\((.*)\)$", text, re.M)[1]))
    parts = zlib.decompress(base64.b64decode(re.search(r'a2b_base64\("([^"]*)"\)', text)[1])).split(b"\0")
    return call, dict(zip((name.decode() for name in parts[1::2]), parts[2::2], strict=True))


def send(nonce, body):
    sys.stdout.write(f"\n@realip-toa {nonce} {len(body)} {body} @end {nonce}\n")
    sys.stdout.flush()


def kill_controller(path):
    """Once: the whole process group, as a power cut of the controller does it."""
    name = path + ".controller"
    if os.path.exists(name):
        with open(name) as file:
            group = int(file.read())
        os.unlink(name)
        os.killpg(group, signal.SIGKILL)


# ---- what each target module answers


def survey(host, args, modules):
    claims = host["loaded"]
    return {
        "changed": False,
        "facts": facts(host),
        "probe": proof(host, args["probe_args"]) if claims and args.get("probe") else None,
    }


def facts(host):
    running_toa = host["kernel"] == TOA
    kernels = [{"release": STOCK, "image": "/boot/vmlinuz-" + STOCK, "toa_modules": []}]
    if host["installed"]:
        kernels.append({"release": TOA, "image": "/boot/vmlinuz-" + TOA, "toa_modules": ["toa"]})
    module = {
        "name": "toa",
        "file": f"/lib/modules/{TOA}/kernel/net/toa/toa.ko",
        "loaded": host["loaded"],
        "live": host["loaded"],
    }
    place = {
        "path": "/etc/modules-load.d/realip-toa.conf",
        "kind": "modules_load",
        "module": "toa",
        "effective": True,
        "ours": True,
    }
    pretty = host["faults"].get("pretty_name")
    return {
        "os_files": {"/etc/os-release": OS_RELEASE.replace("Ubuntu 16.04.7 LTS", pretty) if pretty else OS_RELEASE},
        "uname": {"release": host["kernel"], "machine": "x86_64"},
        "package_manager": "deb",
        "init": "systemd",
        "python": {"executable": "/usr/bin/python3", "version": [3, 5, 2]},
        "boot": {
            "boot_id": boot_id(host),
            "loader": "grub2",
            "config": "/boot/grub/grub.cfg",
            "default": host["default"],
            "next": host["next"] or "",
            "env_writable": True,
            "one_shot": True,
            "reason": "",
            "free_kib": 1 << 20,
            "oopses": host["faults"].get("oopses", 0),
        },
        "hardware": {"firmware": "bios", "root_driver": "virtio_blk", "nic_driver": "virtio_net", **host["hardware"]},
        "kernels": kernels,
        "modules": [module] if running_toa else [],
        "counters": {},
        "ebpf": {"possible": False},
        "service": None,
        "persistence": [place] if host["persistent"] else [],
        "security": {},
        "container": "",
        "conflicts": [],
        "held": [],
        "unread": [],
        "traffic": None,
        "ahead": [],
        "firewall": {"backend": "nft", "option_filter": host["option_filter"], "forwards": False, "filter_partial": []},
        "state": host["state"],
    }


def boot_id(host):
    """One for each boot of each machine; `machine` is for a host that is another one's under a second name, `this_boot` for a given one."""
    return host["this_boot"] or f"{host['machine'] or os.path.basename(host['path'])}-{host['boot']}"


def proof(host, args):
    kinds = args.get("option_kinds") or ["200/8"]
    verdict = host["faults"].get("verdict", "translating")
    return {
        "verdict": verdict,
        "reason": "as scripted",
        "matrix": [],
        "option_kinds": kinds if verdict == "translating" else [],
        "wanted_kinds": kinds,
        "capabilities": {"getpeername": verdict == "translating"},
        "claims": ["toa"],
        "elapsed_ms": 1,
    }


def probe(host, args, modules):
    return {"changed": False, "probe": proof(host, args)}


def packages(host, args, modules):
    before = dict(host)
    if not args["check"]:
        wanted = {
            "present": {"installed": True},
            "held": {"held": True},
            "unheld": {"held": False},
            "absent": {"installed": False, "held": False},
        }
        host.update(wanted.get(args["state"], {}))
    return {"changed": before != host, "before": {}, "after": {}}


def boot(host, args, modules):
    record = dict(host["state"].get("boot") or {})
    state, kernel = args["state"], args.get("kernel")
    if args["check"]:
        return {"changed": True, "before": {}, "after": {}, "record": record}
    if state == "default":
        host["default"] = kernel
        record.setdefault("state", "default")
        record.setdefault("old", kernel)
    elif state == "armed" and kernel != host["kernel"]:
        record.update(state="armed", kernel=kernel, old=record.get("old", host["kernel"]))
        host["next"] = kernel
    elif state == "confirmed":
        if host["kernel"] != kernel:
            return {"failed": True, "code": "wrong_kernel", "msg": host["kernel"] + " is running", "remedy": ""}
        record.update(state="confirmed", kernel=kernel)
        host.update(default=kernel, next=None)
    elif state == "reverted" and record:
        host.update(default=kernel or record["old"], next=None)
        record = {} if args.get("restore") else dict(record, state="reverted")
    host["state"] = {key: value for key, value in dict(host["state"], boot=record).items() if value}
    return {"changed": True, "before": {}, "after": {"default": host["default"]}, "record": record}


def reboot(host, args, modules):
    # As the real program has it: a request that has been here before is done.
    again = args.get("boot_id") != boot_id(host) or args.get("token") == host.get("asked")
    if args["op"] == "trigger" and not again:
        host["asked"] = args["token"]
        fault = host["faults"].get("boot")
        if fault == "dead":
            host["away"] = True
        elif fault != "ignored":
            trial = host["next"]
            host.update(boot=host["boot"] + 1, kernel=trial or host["default"], next=None, loaded=False)
            if fault == "fallback" and trial:
                host["kernel"] = host["default"]
                host["state"]["boot"].update(state="reverted_by_watchdog", reason="not confirmed within 600 s")
        host["loaded"] = host["persistent"] and host["kernel"] == TOA
    return {
        "changed": args["op"] == "trigger",
        "boot_id": boot_id(host),
        "kernel": host["kernel"],
        "uptime": 1.0,
        "systemd_state": "running",
        "up": True,
        "refusal": "",
    }


def kmod(host, args, modules):
    changed = host["loaded"] != (args["state"] == "loaded")
    if not args["check"]:
        host["loaded"] = args["state"] == "loaded"
    return {"changed": changed, "before": {}, "after": {}}


def persist(host, args, modules):
    changed = host["persistent"] != (args["state"] == "present")
    if not args["check"]:
        host["persistent"] = args["state"] == "present"
    return {"changed": changed, "before": {}, "after": {}}


def option_filter(host, args, modules):
    before = host["option_filter"]
    rules = {
        "active": True,
        "method": "nft",
        "at_boot": "systemd",
        **{key: args[key] for key in ("kinds", "trusted_sources", "ports")},
    }
    if not args["check"]:
        host["option_filter"] = rules if args["state"] == "present" else None
    return {"changed": (before is None) == (args["state"] == "present"), "before": {}, "after": {}}


def monitor(host, args, modules):
    """Only the record of what was proved."""
    if not args["check"]:
        host["state"].pop("proof", None)
        if args["state"] == "recorded":
            host["state"]["proof"] = dict(args["proved"], kernel=host["kernel"])
    return {"changed": False, "before": {}, "after": {}}


def echo(host, args, modules):
    return {"changed": False}


def claim(host, args, modules):
    """The real one, with a state.json of this host."""
    runner = {"__name__": "realip_toa_runner"}
    sources = modules.copy()
    program = runner_source(modules)
    exec(compile(program, "runner.py", "exec"), runner)
    runner["_register_packages"]()
    for name, source in sources.items():
        module = runner["_load"](name, source)
    state = host["path"] + ".state"
    with open(state, "w") as file:
        json.dump(dict(host["state"], schema=1), file)
    try:
        answer = module.perform(args, state, apply=not args["check"])
        if "seen" in answer:
            answer["seen"].update(boot_id=boot_id(host), kernel=host["kernel"])
    except sys.modules[runner["PACKAGE"] + ".host.io"].TargetError as problem:
        return dict(problem.data, failed=True, code=problem.code, msg=problem.message, remedy=problem.remedy)
    host["state"] = {}
    if os.path.exists(state):
        with open(state) as file:
            host["state"] = {key: value for key, value in json.load(file).items() if key != "schema"}
    return answer


def runner_source(modules):
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(folder, "plugins/module_utils/runner.py"), "rb") as file:
        return file.read()


def traffic(host, args, modules):
    """Clients come, but for a host with the fault `silent`: there somebody sends from elsewhere."""
    others = {"untrusted": 2} if host["faults"].get("silent") else {}
    return {"changed": False, "seen": not others, "traffic": {"others": others}}


def detect(host, args, modules):
    """Nobody connects to a host that is pretended."""
    quiet = dict.fromkeys(
        ("packets", "dropped", "cpu_ms", "udp_datagrams", "established", "with_option", "forgotten_rows", "sampled"), 0
    )
    return {
        "changed": False,
        "detect": {
            **quiet,
            "seconds": 1.0,
            "ended": "time",
            "share": 1,
            "plain_share": 1,
            "rows": [],
            "proxy_protocol": [],
        },
    }


HANDLERS = {
    "detect": detect,
    "plan": survey,
    "probe": probe,
    "package": packages,
    "boot": boot,
    "reboot": reboot,
    "module": kmod,
    "persistence": persist,
    "claim": claim,
    "echo": echo,
    "monitor": monitor,
    "option_filter": option_filter,
    "traffic": traffic,
}


# ---- answers that are meant to do harm


def huge(host, nonce, answer):
    """A frame of 64 MiB."""
    sys.stdout.write(f"\n@realip-toa {nonce} {64 << 20} " + '{"x": "')
    for _piece in range(64):
        sys.stdout.write("x" * (1 << 20))
    sys.stdout.write(f'"}} @end {nonce}\n')


def flood(host, nonce, answer):
    """Bytes without end."""
    piece = b"A" * (1 << 20)
    while True:
        os.write(1, piece)


def binary(host, nonce, answer):
    os.write(1, bytes(range(256)) * 4096)


def binary_frame(host, nonce, answer):
    body = b'{"facts": "\xff\xfe\x00\x1b[2J"}'
    os.write(1, b"\n@realip-toa %s %d %s @end %s\n" % (nonce.encode(), len(body), body, nonce.encode()))


def deep(host, nonce, answer):
    send(nonce, '{"facts": ' + "[" * 100000 + "]" * 100000 + "}")


def wide(host, nonce, answer):
    """As many small things as fit into an answer."""
    send(nonce, '{"facts": {"kernels": [' + ",".join(["[{}]"] * 800000) + "]}}")


def digits(host, nonce, answer):
    send(nonce, '{"facts": {"boot": {"free_kib": ' + "9" * 2000000 + "}}}")


def not_numbers(host, nonce, answer):
    send(nonce, '{"facts": {"counters": {"a": 1e999999, "b": NaN}}}')


def wrong_types(host, nonce, answer):
    send(
        nonce,
        json.dumps(
            {
                "facts": {
                    "boot": 7,
                    "kernels": {"a": 1},
                    "os_files": [1],
                    "uname": "x",
                    "state": [[[]]],
                    "modules": [None, 3],
                },
                "probe": "yes",
            }
        ),
    )


def steering(host, nonce, answer):
    """Keys with which a result steers Ansible."""
    mark = TEMPLATE % host["faults"]["mark"]
    answer.update(
        unreachable=True,
        ansible_facts={"ansible_connection": "local", "__toa": {"outcome": {"state": "proved"}}},
        add_host={"host_name": "x"},
        warnings=[mark],
        exception=mark,
        _ansible_no_log=True,
        diff={"before": mark},
        skipped=True,
    )
    send(nonce, json.dumps(answer))


def template(host, nonce, answer):
    """Texts that are templates, in every place that reaches a report or a message."""
    mark = TEMPLATE % host["faults"]["mark"]
    answer["facts"]["os_files"] = {"/etc/os-release": f'ID=ubuntu\nVERSION_ID="16.04"\nPRETTY_NAME="{mark}"\n'}
    answer["facts"]["boot"].update(default=mark, config=mark, reason=mark)
    answer["facts"]["conflicts"] = [{"code": mark, "detail": mark}]
    answer["facts"]["unread"] = [{"section": mark, "problem": mark}]
    answer["facts"]["kernels"].append({"release": mark, "image": mark, "toa_modules": [mark]})
    send(nonce, json.dumps(answer))


def template_error(host, nonce, answer):
    mark = TEMPLATE % host["faults"]["mark"]
    send(nonce, json.dumps({"failed": True, "code": mark, "msg": mark, "remedy": mark, "traceback": mark}))


def two_frames(host, nonce, answer):
    send(nonce, "{}")
    send(nonce, json.dumps(answer))


def silent(host, nonce, answer):
    """Never answers; it ends with the session, which closes the other end of its output."""
    session = select.poll()
    session.register(sys.stdout.fileno(), 0)
    session.poll()


HOSTILE = {
    name.__name__: name
    for name in (
        huge,
        flood,
        binary,
        binary_frame,
        deep,
        wide,
        digits,
        not_numbers,
        wrong_types,
        steering,
        template,
        template_error,
        two_frames,
        silent,
    )
}

if __name__ == "__main__":
    main(sys.argv[1])
