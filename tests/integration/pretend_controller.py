# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of AWX as far as its collection uses it, over local HTTP: objects are kept, found by their fields, changed and tied to each other."""

from __future__ import annotations

import copy
import json
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

Thing = dict[str, t.Any]

# What each kind is called in the answers, and what hangs on it.
TYPES = {"organizations": "organization", "labels": "label", "execution_environments": "execution_environment", "projects": "project",
         "job_templates": "job_template", "workflow_job_templates": "workflow_job_template", "schedules": "schedule",
         "workflow_job_template_nodes": "workflow_job_template_node", "workflow_approval_templates": "workflow_approval_template"}  # fmt: skip
UNIFIED = ("job_templates", "projects", "workflow_job_templates")
TIES = ("labels", "credentials", "instance_groups", "success_nodes", "failure_nodes", "always_nodes")


class Controller:
    """`with Controller() as controller:` serves at `controller.url`; what it knows is in `controller.kept`, by kind."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[int, Thing]] = {kind: {} for kind in TYPES}
        self.ties: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[tuple[str, int], Thing] = {}
        self.changes: list[str] = []
        self._number = 0
        self.add("organizations", {"name": "Default"})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("GET")

            def do_POST(self) -> None:
                self._answer("POST")

            def do_PATCH(self) -> None:
                self._answer("PATCH")

            def _answer(self, method: str) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}") if length else {}
                authorised = self.headers.get("Authorization") == "Bearer secret"
                code, answer = outer.answer(method, self.path, body) if authorised else (401, {"detail": "no"})
                data = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("X-API-Product-Name", "AWX")
                self.send_header("X-API-Product-Version", "24.6.1")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_told: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Controller:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_failed: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        return {"CONTROLLER_HOST": self.url, "CONTROLLER_OAUTH_TOKEN": "secret"}

    def named(self, kind: str, name: str) -> Thing:
        (found,) = [item for item in self.kept[kind].values() if item.get("name", item.get("identifier")) == name]
        return found

    def state(self) -> dict[str, t.Any]:
        """All that it knows, as it is now."""
        told = {**self.kept, "ties": list(self.ties.items()), "surveys": list(self.surveys.items())}
        return t.cast("dict[str, t.Any]", copy.deepcopy(told))

    def add(self, kind: str, fields: Thing) -> Thing:
        self._number += 1
        url = f"/api/v2/{kind}/{self._number}/"
        related = {"survey_spec": f"{url}survey_spec/"} if kind in ("job_templates", "workflow_job_templates") else {}
        made = {"enabled": True} if kind == "schedules" else {}
        thing = {
            **made,
            **fields,
            "id": self._number,
            "type": TYPES[kind],
            "url": url,
            "related": related,
            "summary_fields": {},
        }
        if kind == "projects":
            thing["scm_revision"] = "0" * 40
        self.kept[kind][self._number] = thing
        return thing

    # ---- requests

    def answer(self, method: str, path: str, body: Thing) -> tuple[int, t.Any]:
        url = urlsplit(path)
        parts = url.path.removeprefix("/api/v2").strip("/").split("/")
        if method != "GET":
            self.changes.append(f"{method} {url.path}")
        if len(parts) == 1:
            return self._many(method, parts[0], dict(parse_qsl(url.query)), body)
        kind, number = parts[0], int(parts[1])
        thing = self.kept.get(kind, {}).get(number)
        if thing is None:
            return 404, {"detail": "Not found."}
        return self._one(method, thing, body) if len(parts) == 2 else self._below(method, kind, number, parts[2], body)

    def _many(self, method: str, kind: str, query: Thing, body: Thing) -> tuple[int, t.Any]:
        if method == "POST":
            missing = [name for name in ("name", "identifier") if name in body] == []
            return (400, {"name": ["This field is required."]}) if missing else (201, self.add(kind, body))
        kinds = UNIFIED if kind == "unified_job_templates" else (kind,)
        if any(name not in self.kept for name in kinds):
            return 404, {"detail": f"no {kind}"}
        found = [item for name in kinds for item in self.kept[name].values() if _fits(item, query)]
        return 200, {"count": len(found), "next": None, "previous": None, "results": found}

    def _one(self, method: str, thing: Thing, body: Thing) -> tuple[int, t.Any]:
        if method == "PATCH":
            # What a kind has no field for is passed over, as AWX does.
            known = ("name", "description", "timeout") if thing["type"] == "workflow_approval_template" else tuple(body)
            thing.update({name: body[name] for name in known if name in body})
        return 200, thing

    def _below(self, method: str, kind: str, number: int, what: str, body: Thing) -> tuple[int, t.Any]:
        thing = self.kept[kind][number]
        if what == "survey_spec":
            if method == "POST":
                self.surveys[kind, number] = body
                return 200, None
            return 200, self.surveys.get((kind, number), {})
        if what == "create_approval_template":
            fields = {name: body[name] for name in ("name", "description", "timeout") if name in body}
            made = self.add("workflow_approval_templates", fields)
            thing["unified_job_template"] = made["id"]
            thing["related"]["unified_job_template"] = made["url"]
            return 201, made
        if what not in TIES:
            return 404, {"detail": f"no {what}"}
        tied = self.ties.setdefault((kind, number, what), [])
        if method == "POST":
            tied[:] = [one for one in tied if one != body["id"]] + ([] if body.get("disassociate") else [body["id"]])
            return 204, None
        return 200, {"count": len(tied), "next": None, "previous": None, "results": [{"id": one} for one in tied]}


def _fits(item: Thing, query: Thing) -> bool:
    alternatives = [name for name in query if name.startswith("or__")]
    if alternatives and not any(str(item.get(name.removeprefix("or__"))) == query[name] for name in alternatives):
        return False
    # Execution environments and labels may belong to nobody.
    return all(
        str(item.get(name)) == value
        for name, value in query.items()
        if name not in alternatives and name != "page_size"
    )
