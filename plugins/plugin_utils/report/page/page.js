// Copyright (c) 2026 The realip.toa authors
// SPDX-License-Identifier: GPL-3.0-or-later
// Draws the report that lies in #data. Words of hosts reach the page as text nodes and attribute values only.
"use strict";
(() => {
const began = performance.now();
const report = JSON.parse(document.getElementById("data").textContent);
// Columns become hosts again: values that several share stay one object.
const columns = Object.entries(report.hosts);
const hosts = (columns.length ? columns[0][1].at : []).map((_, number) => Object.fromEntries(columns.map(([name, column]) => [name, column.values[column.at[number]]])));
const byName = new Map(hosts.map((host) => [host.host, host]));

const STATES = ["proved", "converged", "idle", "rolled_back", "removed", "planned", "pending", "waiting", "blocked", "unsupported", "failed", "lost"];
const GLYPHS = { proved: "✓", converged: "=", idle: "z", rolled_back: "↶", removed: "↩", planned: "○", pending: "→", waiting: "…", blocked: "!", unsupported: "–", failed: "✗", lost: "?" };
const MEANINGS = {
  proved: "changed in this run, and a crafted connection showed its client", converged: "was in order, and is left alone", idle: "proved, but no real connection has carried an option for an hour",
  rolled_back: "back on the kernel of before", removed: "back to stock", planned: "a dry run: would be changed", pending: "would be changed by a rollout",
  waiting: "its wave did not start", blocked: "needs your approval or a fix",
  unsupported: "no backend suits this host", failed: "a step failed, or the host could not be looked at", lost: "the host could not be reached",
};
// States by another word than their own.
const LABELS = { lost: "unreachable", rolled_back: "rolled back" };
const TITLES = { plan: "TOA plan", rollout: "TOA rollout", verify: "TOA proof", rollback: "TOA rollback", remove: "TOA removal" };
const FEW = 40;
const NAMED = 24;
const LONGEST_BARS = 10;
const MOST_LANES = 1000;
const SVG = "http://www.w3.org/2000/svg";

// ---- making elements

const byId = (id) => document.getElementById(id);
const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}
const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const glyph = (state) => make("span", { class: "glyph", "data-state": state, "aria-hidden": "true" }, GLYPHS[state] || "");

function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) {
    const name = key(item);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(item);
  }
  return groups;
}
const bySize = (groups) => [...groups].sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1));

// ---- times

const seconds = (from, to) => (Date.parse(to) - Date.parse(from)) / 1000;
function span(total) {
  const whole = Math.round(total);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
const moment = (text) => (Number.isNaN(Date.parse(text)) ? "" : `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`);

// ---- which hosts are shown

const chosen = new Set();
let wanted = "";
const cells = new Map();
const haystacks = new Map(hosts.map((host) =>
  [host.host, [host.host, host.state, host.backend, host.os, host.distribution, host.kernel, host.verdict, host.why].join("\n").toLowerCase()]));
const visible = (host) => (!chosen.size || chosen.has(host.state)) && (!wanted || haystacks.get(host.host).includes(wanted));
const shownHosts = () => hosts.filter(visible);

function refresh() {
  let count = 0;
  for (const host of hosts) {
    const show = visible(host);
    count += show;
    cells.get(host.host).hidden = !show;
  }
  const first = shownHosts()[0];
  if (!here || here.hidden) rove(first ? cells.get(first.host) : null);
  byId("shown").textContent = count === hosts.length ? "" : `${count.toLocaleString("en")} of ${plural(hosts.length, "host")}`;
}

function find(text) {
  byId("find").value = text;
  wanted = text.toLowerCase();
  refresh();
}

// ---- the head

function head() {
  byId("title").textContent = (TITLES[report.kind] || "TOA") + (report.check ? ", dry run" : "");
  const verdict = byId("verdict");
  verdict.textContent = report.headline;
  verdict.className = hosts.some((host) => host.attention) ? "bad" : "good";
  trusting();
  const ran = report.ran || {};
  const words = [moment(report.at), ran.by && `by ${ran.by}@${ran.on}`, ran.playbook && `playbook ${ran.playbook}`,
    ran.inventory && `inventory ${ran.inventory}`, ran.hosts && `hosts ${ran.hosts}`, ran.limit && `limit ${ran.limit}`,
    report.only && `hosts where ${report.only}`, ran.job, report.paused && "paused for an approval"];
  byId("about").textContent = words.filter(Boolean).join(" · ");
}

// Hosts that are green and take a client's address from anybody.
function trusting() {
  const names = report.trusting_all || [];
  byId("trusting").hidden = !names.length;
  byId("trusting").replaceChildren(`${plural(names.length, "host")} ${names.length === 1 ? "trusts" : "trust"} all sources: whoever reaches a port there can name any client address. `,
    make("span", { class: "names" }, ...names.slice(0, 50).map(link), names.length > 50 ? `and ${names.length - 50} more` : ""));
}

function chips() {
  for (const state of STATES.filter((name) => report.summary[name])) {
    const chip = make("button", { class: "chip", type: "button", "data-state": state, "aria-pressed": "false", title: MEANINGS[state] },
      glyph(state), `${LABELS[state] || state} ${report.summary[state].toLocaleString("en")}`);
    chip.addEventListener("click", () => {
      if (chosen.delete(state)) chip.setAttribute("aria-pressed", "false");
      else { chosen.add(state); chip.setAttribute("aria-pressed", "true"); }
      refresh();
    });
    byId("states").append(chip);
  }
  byId("find").addEventListener("input", (event) => find(event.target.value));
  byId("by").addEventListener("change", (event) => regroup(event.target.value));
}

// ---- what needs attention: one box for each thing that is wrong

function attention() {
  byId("attention").hidden = !report.groups.length;
  for (const group of report.groups) {
    const members = group.hosts.map((name) => byName.get(name));
    byId("groups").append(make("div", { class: "group", "data-state": group.state },
      make("h3", {}, glyph(group.state), ` ${plural(members.length, "host")} ${LABELS[group.state] || group.state}`,
        group.code !== group.state && make("code", { class: "code" }, group.code)),
      make("p", { class: "why" }, group.why), remedy(group.remedy), names(members), copyLimit(group.hosts),
      group.more.length ? make("details", {}, make("summary", {}, `${plural(group.sentences - 1, "more sentence")} of the same kind`),
        ...group.more.map((other) => make("div", { class: "other" }, make("p", { class: "why" }, other.why),
          other.remedy !== group.remedy && remedy(other.remedy), names(other.hosts.map((name) => byName.get(name)))))) : null));
  }
}

const remedy = (text) => text && make("p", { class: "remedy" }, `→ ${text}`);

// What ansible-playbook takes behind --limit.
function copyLimit(names) {
  const button = make("button", { type: "button", class: "copy noprint" }, "Copy as --limit");
  button.addEventListener("click", async () => {
    const text = `--limit '${names.join(",")}'`;
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
    catch { button.replaceWith(make("input", { class: "copied", readonly: true, value: text, "aria-label": "hosts as --limit" })); }
  });
  return button;
}

// Hosts that are in order, and of which something is to be known.
function warned() {
  byId("warnings").hidden = !report.warnings.length;
  for (const warning of report.warnings) {
    byId("warned").append(make("details", {}, make("summary", {}, `${plural(warning.hosts.length, "host")}: ${warning.message}`),
      remedy(warning.remedy), names(warning.hosts.map((name) => byName.get(name)))));
  }
}

function names(members) {
  const list = make("div", { class: "names" });
  const add = (some) => list.append(...some.map((host) => make("button", { type: "button", onclick: () => open(host) }, host.host)));
  add(members.slice(0, NAMED));
  if (members.length > NAMED) {
    const more = make("button", { type: "button", class: "noprint" }, `${plural(members.length - NAMED, "more")}`.replace(/s$/, ""));
    more.addEventListener("click", () => { more.remove(); add(members.slice(NAMED)); });
    list.append(more);
  }
  return list;
}

// ---- the grid: one stop of the tab key, arrows inside

let here = null;
function rove(cell) {
  if (here) here.tabIndex = -1;
  here = cell;
  if (here) here.tabIndex = 0;
}

function grid() {
  const few = hosts.length <= FEW;
  const place = byId("grid");
  place.classList.toggle("few", few);
  // To copy a cell of its state is several times as fast as to make one, which counts where there are thousands.
  const patterns = Object.fromEntries(STATES.map((state) => [state, make("button", { type: "button", class: "cell", "data-state": state, tabindex: -1 }, GLYPHS[state])]));
  const made = document.createDocumentFragment();
  for (const host of hosts) {
    const cell = patterns[host.state].cloneNode(true);
    if (few) cell.firstChild.data += ` ${host.host}`;
    cell.title = `${host.host}: ${host.state}`;
    cell.setAttribute("aria-label", cell.title);
    cell.host = host;
    cells.set(host.host, cell);
    made.append(cell);
  }
  place.append(made);
  place.addEventListener("click", (event) => event.target.host && open(event.target.host));
  place.addEventListener("focusin", (event) => event.target.host && rove(event.target));
  place.addEventListener("keydown", (event) => {
    const next = target(event.key);
    if (!next) return;
    event.preventDefault();
    rove(next);
    next.focus();
  });
}

// ---- the grid in groups

const GROUPINGS = { wave: (host) => (host.wave ? `wave ${host.wave}` : "no wave"), backend: (host) => host.backend || "no backend",
  system: (host) => host.os || host.distribution || "unknown", kernel: (host) => host.kernel || "unknown", state: (host) => LABELS[host.state] || host.state };

function regroup(name) {
  const place = byId("grid");
  for (const title of place.querySelectorAll(".part-title")) title.remove();
  const groups = GROUPINGS[name] ? [...groupBy(hosts, GROUPINGS[name])].sort((a, b) => (a[0] < b[0] ? -1 : 1)) : [["", hosts]];
  const made = document.createDocumentFragment();
  for (const [title, members] of groups) {
    if (title) made.append(make("div", { class: "part-title" }, `${title} · ${plural(members.length, "host")}`));
    made.append(...members.map((host) => cells.get(host.host)));
  }
  place.append(made);
  refresh();
}

function target(key) {
  const open = [...byId("grid").querySelectorAll(".cell")].filter((cell) => !cell.hidden);
  const at = open.indexOf(here);
  if (at < 0) return null;
  const row = open.filter((cell) => cell.offsetTop === open[0].offsetTop).length;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + row, ArrowUp: at - row, Home: 0, End: open.length - 1 }[key];
  return to === undefined ? null : open[to] || null;
}

// ---- who was to go when

function order() {
  const lines = report.order || [];
  byId("order").hidden = !lines.length;
  byId("order-lines").append(...lines.map((line) => make("li", {}, line)));
}

// ---- waves on one time line

function waves() {
  const known = report.waves.filter((wave) => wave.began && wave.ended);
  if (!known.length) return;
  byId("timeline").hidden = false;
  const start = Math.min(...known.map((wave) => Date.parse(wave.began)));
  const total = Math.max((Math.max(...known.map((wave) => Date.parse(wave.ended))) - start) / 1000, 1);
  const x = (time) => (100 * (Date.parse(time) - start)) / 1000 / total;
  const members = groupBy(hosts.filter((host) => host.began && host.ended), (host) => host.wave);
  const rebooted = hosts.filter((host) => host.reboot_began && host.reboot_seconds);
  byId("waves").append(make("p", { class: "quiet" }, make("span", { class: "key work" }), " a host at work  ", make("span", { class: "key" }), " rebooting" +
    (rebooted.length ? `: ${plural(rebooted.length, "reboot")}, ${span(Math.min(...rebooted.map((h) => h.reboot_seconds)))} to ${span(Math.max(...rebooted.map((h) => h.reboot_seconds)))}` : "")));
  for (const wave of known) {
    const lanes = members.get(wave.wave) || [];
    const height = Math.max(14, Math.min(160, lanes.length * 6));
    const thick = height / Math.max(lanes.length, 1);
    const picture = draw("svg", { viewBox: `0 0 100 ${height}`, preserveAspectRatio: "none", height, role: "img",
      "aria-label": `wave ${wave.wave}: from ${moment(wave.began)}, ${span(seconds(wave.began, wave.ended))}` });
    lanes.sort((a, b) => (a.began < b.began ? -1 : 1));
    if (lanes.length > MOST_LANES) picture.append(...crowd(lanes, x, thick, total));
    else lanes.forEach((host, number) => {
      const lane = (from, width, name) => draw("rect", { class: name, x: from, width: Math.max(width, .15), y: number * thick, height: Math.max(thick * .85, .5) });
      const drawn = draw("g", { "data-state": host.state }, draw("title", {}, `${host.host}: ${host.state}, ${span(seconds(host.began, host.ended))}` +
        (host.reboot_seconds ? `, reboot ${span(host.reboot_seconds)}` : "")), lane(x(host.began), (100 * seconds(host.began, host.ended)) / total, "lane"));
      if (host.reboot_began && host.reboot_seconds) drawn.append(lane(x(host.reboot_began), (100 * host.reboot_seconds) / total, "reboot"));
      picture.append(drawn);
    });
    byId("waves").append(make("div", { class: "wave" }, make("div", {}, make("strong", {}, `Wave ${wave.wave}`),
      ` · ${plural(wave.hosts, "host")} · ${span(seconds(wave.began, wave.ended))}`,
      make("div", { class: "quiet" }, Object.entries(wave.summary).map(([state, count]) => `${count} ${state}`).join(", "))), picture));
  }
  for (const wave of report.waves.filter((other) => !known.includes(other))) {
    byId("waves").append(make("div", { class: "wave" }, make("div", {}, make("strong", {}, `Wave ${wave.wave}`), ` · ${plural(wave.hosts, "host")}`), make("div", { class: "quiet" }, "not begun")));
  }
  const marks = [0, .25, .5, .75, 1].map((part) => draw("text", { x: `${part * 100}%`, y: 13, "text-anchor": part === 0 ? "start" : part === 1 ? "end" : "middle" }, span(part * total)));
  byId("waves").append(make("div", { class: "wave axis" }, make("div", { class: "quiet" }, `since ${moment(new Date(start).toISOString())}`), draw("svg", { "aria-hidden": "true" }, ...marks)));
}

// Of very many hosts one path for each state: a thousand shapes are drawn in the time that ten thousand take to be made.
function crowd(lanes, x, thick, total) {
  const paths = new Map();
  const add = (state, name, from, width, number) => {
    const key = `${state} ${name}`;
    if (!paths.has(key)) paths.set(key, draw("path", { class: name, "data-state": state }));
    const path = paths.get(key);
    path.d = `${path.d || ""}M${from.toFixed(2)} ${(number * thick).toFixed(2)}h${Math.max(width, .15).toFixed(2)}v${Math.max(thick * .85, .05).toFixed(2)}h-${Math.max(width, .15).toFixed(2)}z`;
  };
  lanes.forEach((host, number) => {
    add(host.state, "lane", x(host.began), (100 * seconds(host.began, host.ended)) / total, number);
    if (host.reboot_began && host.reboot_seconds) add(host.state, "reboot", x(host.reboot_began), (100 * host.reboot_seconds) / total, number);
  });
  for (const path of paths.values()) path.setAttribute("d", path.d);
  return paths.values();
}

// ---- bars

function bars() {
  const what = [["Backends", (host) => host.backend || "none"], ["Distributions", (host) => host.os || host.distribution || "unknown"], ["Kernels", (host) => host.kernel || "unknown"]];
  for (const [title, key] of what) {
    const groups = bySize(groupBy(hosts, key));
    const shown = groups.slice(0, LONGEST_BARS);
    const rest = groups.slice(LONGEST_BARS).flatMap(([, members]) => members);
    const longest = Math.max(...shown.map(([, members]) => members.length), rest.length, 1);
    byId("bars").append(make("div", {}, make("h3", {}, title), ...shown.map(([name, members]) => bar(name, members, longest, name)),
      rest.length ? bar(plural(groups.length - LONGEST_BARS, "other"), rest, longest, null) : null));
  }
}

function bar(name, members, longest, search) {
  const counts = groupBy(members, (host) => host.state);
  const parts = STATES.filter((state) => counts.has(state));
  const said = parts.map((state) => `${counts.get(state).length} ${state}`).join(", ");
  const track = make("span", { class: "track", "aria-hidden": "true" }, ...parts.map((state) => {
    const part = make("span", { class: "part", "data-state": state });
    part.style.width = `${(100 * counts.get(state).length) / longest}%`;
    return part;
  }));
  const inside = [make("span", {}, name), track, make("span", {}, members.length.toLocaleString("en"))];
  if (search === null || !members.every((host) => haystacks.get(host.host).includes(search.toLowerCase()))) return make("div", { class: "bar", title: said }, ...inside);
  return make("button", { class: "bar", type: "button", title: said, "aria-label": `${name}: ${said}; show these`,
    onclick: () => { find(search); byId("fleet-title").scrollIntoView({ block: "start" }); } }, ...inside);
}

// ---- what changed, and the table of all

const row = (tag, items) => make("tr", {}, ...items.map((item) => make(tag, tag === "th" ? { scope: "col" } : {}, item)));
const link = (host) => (byName.has(host) ? make("button", { type: "button", onclick: () => open(byName.get(host)) }, host) : host);

function changes() {
  const found = report.changes;
  if (!found) return;
  byId("changes").hidden = false;
  byId("since").textContent = (found.hosts.length ? plural(found.hosts.length, "host") : "No host is different") + (found.since ? ` since ${moment(found.since)}` : "");
  if (!found.hosts.length) return;
  const told = (before, after) => Object.keys(after || before).filter((key) => !before || !after || before[key] !== after[key])
    .map((key) => `${key}: ${[before, after].filter(Boolean).map((side) => side[key] || "none").join(" → ")}`).join("; ");
  byId("changed").append(make("thead", {}, row("th", ["Host", "", "What"])),
    make("tbody", {}, ...found.hosts.map((change) => row("td", [link(change.host), change.what, told(change.before, change.after)]))));
}

function table() {
  byId("table").append(make("thead", {}, row("th", ["Host", "State", "System", "Kernel", "Backend", "Proof", "Why"])), make("tbody", {}, ...hosts.map((host) =>
    row("td", [link(host.host), host.state, host.os, host.kernel, host.backend, host.verdict, host.why]))));
}

// ---- one host

let opener = null;
function open(host) {
  const dialog = byId("host");
  const matrix = ((host.probe || {}).matrix || []).map((number) => report.rows[number]);
  const summary = (host.probe || {}).summary;
  const kinds = (host.option_kinds || []).join(", ");
  const can = Object.entries(host.capabilities || {}).filter(([, yes]) => yes).map(([name]) => name).join(", ");
  const facts = [["System", host.os], ["Kernel", [host.kernel, host.arch].filter(Boolean).join(" · ")], ["Kernel wanted", host.kernel_target], ["Backend", host.backend],
    ["Option formats", kinds], ["Gives", can], ["Proof", host.verdict], ["Traffic", host.traffic], ["Reboot", host.reboot_seconds ? span(host.reboot_seconds) : ""], ["Wave", host.wave || ""],
    ["Trusts", host.trusts_all_sources ? "all sources" : ""], ["Out of service", host.drained ? "the host is still drained" : ""], ["Stuck", host.stuck ? "it may still run, or boot into, what was not proven" : ""],
    ["Failed at", host.stage], ["Code", host.code]];
  dialog.replaceChildren(
    make("div", { class: "top" }, glyph(host.state), make("h2", { id: "host-name" }, `${host.host}: ${host.state}`),
      make("button", { type: "button", id: "previous", "aria-label": "previous host", onclick: () => step(host, -1) }, "←"),
      make("button", { type: "button", id: "next", "aria-label": "next host", onclick: () => step(host, 1) }, "→"),
      make("button", { type: "button", id: "close", onclick: () => dialog.close() }, "Close")),
    make("div", { class: "inside" },
      make("p", { class: "quiet" }, host.state === "failed" ? (host.stage ? "a step failed, and the host was taken back as far as that was possible" : "the host could not be looked at") : MEANINGS[host.state]),
      host.why && make("div", { class: "group", "data-state": host.state }, make("p", { class: "why" }, host.why), host.remedy && make("p", { class: "remedy" }, `→ ${host.remedy}`)),
      make("dl", {}, ...facts.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))])),
      ...listed("Steps", "ol", (host.steps || []).map(String)),
      ...listed("Reasons", "ul", (host.reasons || []).map((reason) => `${reason.message} (${reason.code})`)),
      ...proof(host.probe || {}, matrix, summary)));
  if (!dialog.open) {
    opener = document.activeElement;
    dialog.showModal();
  }
  byId("close").focus();
  history.replaceState(null, "", `#host=${encodeURIComponent(host.host)}`);
}

const listed = (title, tag, items) => (items.length ? [make("h3", {}, title), make(tag, {}, ...items.map((item) => make("li", {}, item)))] : []);

function proof(probe, matrix, summary) {
  if (!probe.verdict) return [];
  const parts = [make("h3", {}, "Proof"), make("p", {}, probe.reason || probe.verdict)];
  if (summary && Number.isInteger(summary.cases)) {
    const many = (cases) => (Array.isArray(cases) ? cases.length : 0);
    parts.push(make("p", { class: "quiet" }, `${plural(summary.cases, "connection")} tried: ${summary.ok} as expected, ${many(summary.failed)} not, ` +
      `${many(summary.untestable)} not possible here` + (matrix.length ? "; those with a kind that is not wanted and did nothing are left out" : "")));
  }
  if (!matrix.length) return parts;
  const seen = (entry) => (entry.ok === null ? "not tried" : entry.ok ? "yes" : "no");
  const body = matrix.map((entry) => {
    const line = row("td", [entry.kind || "none", entry.packet, `${entry.listener}${entry.family === 6 ? " over IPv6" : ""}`, entry.expected,
      entry.accept || "—", entry.getpeername || "—", entry.getsockopt_1348 || "—", seen(entry), entry.note || ""].map((value) => String(value)));
    line.children[7].className = entry.ok === null ? "" : entry.ok ? "yes" : "no";
    return line;
  });
  parts.push(make("div", { class: "wide" }, make("table", { id: "matrix" },
    make("thead", {}, row("th", ["Option", "On packet", "Listener", "Expected", "accept()", "getpeername()", "getsockopt 1348", "As expected", "Note"])), make("tbody", {}, ...body))));
  return parts;
}

function step(host, by) {
  const shown = shownHosts();
  const next = shown[shown.indexOf(host) + by];
  if (next) open(next);
}

function keys() {
  const dialog = byId("host");
  dialog.addEventListener("close", () => {
    history.replaceState(null, "", location.pathname + location.search);
    if (opener && opener.isConnected) opener.focus();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => {
    const button = { ArrowLeft: "previous", ArrowRight: "next" }[event.key];
    if (!button) return;
    event.preventDefault();
    byId(button).click();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || dialog.open || event.target.id === "find") return;
    event.preventDefault();
    byId("find").focus();
  });
  byId("all").addEventListener("toggle", () => byId("table").childElementCount || table(), { once: true });
  addEventListener("beforeprint", () => byId("table").childElementCount || table());
}

head();
chips();
attention();
warned();
grid();
order();
waves();
bars();
changes();
keys();
refresh();
const asked = /^#host=(.*)$/.exec(location.hash);
if (asked) {
  let name = "";
  try { name = decodeURIComponent(asked[1]); } catch { name = ""; }
  if (byName.has(name)) open(byName.get(name));
}
requestAnimationFrame(() => requestAnimationFrame(() => { document.documentElement.dataset.drawn = Math.round(performance.now() - began); }));
})();
