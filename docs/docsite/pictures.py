# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the concept pages, for a light and a dark page: `python docs/docsite/pictures.py` draws them, and a test holds them equal."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

IMAGES = Path(__file__).resolve().parents[1] / "images"

HEAD = """<!-- Copyright (c) 2026 The realip.toa authors -->
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
  font-family="Helvetica, Arial, sans-serif" font-size="13" role="img" aria-label="{label}">
  <style>
    .page {{ fill: #ffffff }} text {{ fill: #1f2328; text-anchor: middle }} .title {{ font-weight: bold }} .note {{ fill: #57606a }}
    .box {{ fill: #f6f8fa; stroke: #57606a; stroke-width: 1.5 }} .good {{ fill: #dafbe1 }} .bad {{ fill: #ffebe9 }}
    .try {{ fill: #fff8c5 }} .look {{ fill: #ddf4ff }}
    .line {{ fill: none; stroke: #57606a; stroke-width: 1.5 }} .back {{ stroke-dasharray: 5 4 }} marker path {{ fill: #57606a }}
    @media (prefers-color-scheme: dark) {{
      .page {{ fill: #0d1117 }} text {{ fill: #e6edf3 }} .note {{ fill: #9198a1 }} .line {{ stroke: #9198a1 }} marker path {{ fill: #9198a1 }}
      .box {{ fill: #161b22; stroke: #9198a1 }} .good {{ fill: #12331c }} .bad {{ fill: #46161a }} .try {{ fill: #3d3112 }} .look {{ fill: #0f2d4a }}
    }}
  </style>
  <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>
  <rect class="page" width="{width}" height="{height}"/>
"""


class Picture:
    """Boxes with words in them, and lines between them."""

    def __init__(self, width: int, height: int, label: str) -> None:
        self.parts = [HEAD.format(width=width, height=height, label=escape(label, {'"': "&quot;"}))]

    def box(self, x: int, y: int, width: int, height: int, kind: str, title: str, *lines: str) -> None:
        self.parts.append(f'  <rect class="box {kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>\n')
        top = y + (height - 18 * len(lines)) / 2 + 5
        for number, line in enumerate((title, *lines)):
            # A letter takes some seven units: words stay inside their box.
            assert 7 * len(line) < width, f"{line!r} is too long for its box"
            self.text(x + width / 2, top + 18 * number, line, "title" if number == 0 else "")

    def text(self, x: float, y: float, words: str, kind: str = "note") -> None:
        self.parts.append(f'  <text class="{kind}" x="{x:g}" y="{y:g}">{escape(words)}</text>\n')

    def arrow(self, path: str, kind: str = "") -> None:
        self.parts.append(f'  <path class="line {kind}" marker-end="url(#tip)" d="{path}"/>\n')

    def __str__(self) -> str:
        return "".join(self.parts) + "</svg>\n"


def host_rollout() -> Picture:
    """One host, from its old kernel to the new one."""
    made = Picture(
        960,
        300,
        "A host's rollout: install, arm, drain, reboot, prove, confirm; any failure leads back to the old kernel",
    )
    steps = [
        ("", "Install", "beside the", "old kernel"),
        ("try", "Arm", "one boot,", "and a watchdog"),
        ("", "Drain", "your tasks"),
        ("try", "Reboot", "into the", "new kernel"),
        ("look", "Prove", "and your", "health tasks"),
        ("good", "Confirm", "new default,", "old one stays"),
        ("", "Undrain", "your tasks"),
    ]
    for number, (kind, *words) in enumerate(steps):
        x = 14 + 135 * number
        made.box(x, 50, 113, 84, kind, *words)
        if number:
            made.arrow(f"M{x - 22} 92h19")
    made.box(350, 220, 260, 56, "bad", "Old kernel", "back in service, or left drained")
    made.arrow("M475 134v83", "back")
    made.arrow("M610 134v40h-70v43", "back")
    made.text(330, 182, "does not come up: GRUB, or the watchdog")
    made.text(732, 182, "does not translate: the controller")
    made.text(
        480, 32, "Until the proof, the old kernel is the default: whatever happens, the next boot is the old one."
    )
    return made


def wave() -> Picture:
    """One wave and its gate."""
    made = Picture(
        960,
        250,
        "A wave: its hosts in parts, soak, a second look, and the gate that decides whether the next wave begins",
    )
    made.box(14, 60, 150, 100, "try", "Canaries", "one host of", "each kind")
    made.box(214, 30, 170, 70, "", "Wave, part 1", "one host of each rack")
    made.box(214, 120, 170, 70, "", "Wave, part 2", "the next of each rack")
    made.box(434, 60, 130, 100, "", "Soak", "wait, then", "look again")
    made.box(614, 60, 130, 100, "look", "Gate", "count the hosts", "that failed")
    made.box(794, 30, 152, 60, "good", "Next wave", "few enough failed")
    made.box(794, 130, 152, 60, "bad", "Stop", "report, exit code 2")
    made.arrow("M164 110h25v-45h22")
    made.arrow("M299 100v17")
    made.arrow("M384 155h25v-45h22")
    made.arrow("M564 110h47")
    made.arrow("M744 95h25v-35h22")
    made.arrow("M744 125h25v35h22")
    made.text(
        480, 225, "Hosts of a wave always finish. Hosts of later waves have not been touched when the gate closes."
    )
    return made


def packet() -> Picture:
    """The packet that carries the client's address."""
    made = Picture(
        960,
        270,
        "A packet from the load balancer: IP header, TCP header, and the option with the client's port and address",
    )
    made.box(14, 30, 200, 72, "", "IP header", "from 203.0.113.7,", "the load balancer")
    made.box(222, 30, 200, 72, "", "TCP header", "20 bytes, flags ACK")
    made.box(430, 30, 330, 72, "good", "TCP option: TOA", "8 bytes, kind 200")
    made.box(768, 30, 178, 72, "", "Data")
    cells = [
        (90, "kind", "200"),
        (90, "length", "8"),
        (170, "port", "40123"),
        (260, "IPv4 address", "198.51.100.9, the client"),
    ]
    x = 215
    for width, title, value in cells:
        made.box(x, 160, width - 6, 58, "look", title, value)
        x += width
    made.arrow("M430 102 215 157")
    made.arrow("M760 102 818 157")
    made.text(
        480, 248, "Without TOA a program sees 203.0.113.7. With TOA, accept() and getpeername() answer 198.51.100.9."
    )
    return made


def trust() -> Picture:
    """Who may name a client."""
    made = Picture(
        960,
        300,
        "The trust boundary: an option from the load balancers' networks counts, an option from elsewhere does not",
    )
    made.box(14, 40, 180, 60, "", "Client", "198.51.100.9")
    made.box(14, 190, 180, 60, "bad", "Stranger", "reaches the port directly")
    made.box(300, 40, 190, 60, "good", "Load balancer", "in toa_trusted_sources")
    made.box(600, 20, 346, 250, "", "")
    made.text(773, 44, "Host", "title")
    made.box(620, 60, 140, 60, "good", "Option counts")
    made.box(620, 180, 140, 66, "bad", "Option ignored", "or taken out")
    made.box(790, 100, 140, 90, "look", "Program", "sees the client,", "or the stranger")
    made.arrow("M194 70h113")
    made.arrow("M490 70h60v20h67")
    made.arrow("M194 220h433")
    made.arrow("M760 90h12v35h15")
    made.arrow("M760 213h12v-48h15")
    made.text(242, 60, "connects")
    made.text(546, 60, "adds the option")
    made.text(395, 210, "forges an option with any address")
    return made


PICTURES = {"host-rollout": host_rollout, "wave": wave, "packet": packet, "trust": trust}


def main() -> None:
    for name, draw in PICTURES.items():
        (IMAGES / f"{name}.svg").write_text(str(draw()), encoding="utf-8")


if __name__ == "__main__":
    main()
