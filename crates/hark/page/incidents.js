// @ts-check
// What is wrong, what first: the ranked list of incidents, and the keys and actions that deal with them.
/** @import { Incident, Problem } from "./types.d.ts" */
import { ask, loadDetail } from "./feed.js";
import { count, iso, mark, moment, notice, plural, recent, span, title } from "./format.js";
import { go, linkTo, serverNow, state, update } from "./state.js";
import { html, live, nothing, repeat } from "./vendor/lit.js";

const undoFor = 10_000;
const weight = { critical: 3, warning: 2, notice: 1 };
export const labels = /** @type {const} */ ({ true: "real fault", false_alarm: "false alarm", expected: "expected", sensor_fault: "sensor fault" });

/** Severity × persistence × how many signals take part. @param {Incident} it */
function rank(it) {
  const lasted = (Date.parse(it.last) - Date.parse(it.began)) / 60_000;
  const standing = it.state === "open" ? 1 : it.state === "acknowledged" ? 0.5 : 0.1;
  return weight[it.severity] * Math.log2(2 + lasted) * it.signals.length * standing * (it.ongoing ? 1 : 0.3);
}

/** The list as it is ranked; it stands still while the pointer or the focus is in it. */
function ranked() {
  const { device } = state.route;
  const all = (state.incidents ?? []).filter((it) => !device || it.device_id === device);
  return all.sort((a, b) => rank(b) - rank(a) || Date.parse(b.began) - Date.parse(a.began));
}

/** What a person starts with. */
export function incidents() {
  const { route, incidents, problems, summary, checkedAt } = state;
  const order = state.heldIncidents;
  const all = ranked();
  const shown = order ? /** @type {Incident[]} */ (order.map((id) => all.find((it) => it.id === id)).filter(Boolean)) : all;
  const waiting = order ? all.filter((it) => !order.includes(it.id)).length : 0;
  const hold = () => state.heldIncidents ?? update({ heldIncidents: all.map((it) => it.id) });
  const free = (/** @type {PointerEvent | FocusEvent} */ event) => {
    const region = /** @type {Element} */ (event.currentTarget);
    const inside = event.relatedTarget instanceof Node && region.contains(event.relatedTarget);
    if (!inside && !region.matches(":hover") && !region.contains(document.activeElement)) update({ heldIncidents: null });
  };
  return html`<section class="card incidents" id="incidents" aria-labelledby="incidents-title">
    <h2 id="incidents-title">${route.past ? "All incidents" : "What needs attention"} <span class="sub">${route.device || "all devices"}</span>
      ${waiting > 0 ? html`<button type="button" class="news" @click=${() => update({ heldIncidents: null })}>${count(waiting)} new – show</button>` : nothing}
      <button type="button" class="help" aria-haspopup="dialog" @click=${() => update({ help: true })}>Keys<kbd>?</kbd></button>
      <label class="check"><input type="checkbox" id="past" .checked=${live(route.past)} @change=${() => go({ past: !route.past })}>Resolved ones too</label></h2>
    ${notice(problems.incidents)}${undoBar()}
    ${shown.length > 0 ? html`<ol class="stack" @pointerenter=${hold} @focusin=${hold} @pointerleave=${free} @focusout=${free}>${
      repeat(shown.slice(0, 50), (it) => it.id, line)}</ol>
      ${shown.length > 50 ? html`<p class="on">${plural(shown.length - 50, "more incident")}: choose a device, or <code>hark incidents list</code></p>` : nothing}`
    : html`<p class="empty ${summary?.model && incidents ? "well" : ""}">${!incidents ? "Loading …" : !summary?.model ? "No model judges yet, so there are no incidents."
      : html`${mark("fine")}<span><strong>Nothing needs attention.</strong> No ${route.past ? "" : "unresolved "}incident
        ${route.device ? `on ${route.device}` : ""}. Last checked at ${moment(checkedAt, route.utc)}.</span>`}</p>`}</section>`;
}

/** Colour, shape and word. @param {Incident} it */
export const severity = (it) => html`<span class="severity ${it.severity}">${mark(it.severity)}${it.severity}</span>`;

/** @param {Incident} it */
export const stateWord = (it) => html`<span class="state">${it.state === "snoozed" ? `snoozed until ${moment(it.snoozed_until ?? "", state.route.utc)}` : it.state}${
  it.assignee && it.state !== "open" ? ` · ${it.assignee}` : ""}${it.label ? html` · <b>${labels[it.label.label]}</b>` : nothing}</span>`;

/** @param {Incident} it */
function line(it) {
  const chosen = it.id === state.route.incident;
  return html`<li data-incident=${it.id} class=${chosen ? "chosen" : ""}><a href=${linkTo({ incident: it.id })} aria-current=${chosen ? "true" : nothing}>
    <span class="who">${severity(it)}<b>${it.device_id}</b><small>${it.kind.replaceAll("_", " ")}</small>
      <time datetime=${iso(it.began)} title=${iso(it.began)}>${it.ongoing ? `for ${span(serverNow() - Date.parse(it.began))}`
        : `${recent(it.began, state.route.utc, serverNow())}, lasted ${span(Date.parse(it.last) - Date.parse(it.began))}`}</time></span>
    <span class="why">${title(it.reason)}</span><span class="where">${stateWord(it)}</span></a></li>`;
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let undoTimer;

function undoBar() {
  const { undo } = state;
  return undo ? html`<p class="undo" role="status"><span>${undo.text}</span>
    <button type="button" id="undo" @click=${() => void takeBack()}>Undo<kbd>u</kbd></button></p>` : nothing;
}

/** @param {string} id @param {string} what @param {object} body @returns {Promise<Incident>} */
const send = (id, what, body) => ask(`/api/v1/incidents/${encodeURIComponent(id)}/${what}`, {
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ who: who(), ...body }),
});

/** Who acts here, as told once in this browser. */
export function who() {
  try {
    return localStorage.getItem("hark-who") || "dashboard";
  } catch {
    return "dashboard";
  }
}

/** @param {string} name */
export function remember(name) {
  try {
    localStorage.setItem("hark-who", name.trim());
  } catch {
    // Storage may be forbidden: actions are then by "dashboard".
  }
}

/** Does it, shows it at once, and offers to take it back. @param {string} what @param {object} body @param {string} said */
export async function act(what, body, said) {
  const { incident: id } = state.route;
  if (!id) return;
  try {
    const after = await send(id, what, body);
    put(after);
    clearTimeout(undoTimer);
    undoTimer = setTimeout(() => update({ undo: null }), undoFor);
    update({ undo: what === "undo" ? null : { id, text: `${after.device_id}: ${said}.` }, ask: null, announcement: `${after.device_id}: ${said}` });
  } catch (error) {
    update({ problems: { ...state.problems, incident: /** @type {Problem} */ (error) } });
  }
  void loadDetail(id);
}

async function takeBack() {
  const { undo } = state;
  if (!undo) return;
  update({ undo: null });
  try {
    put(await send(undo.id, "undo", {}));
    update({ announcement: "taken back" });
  } catch (error) {
    update({ problems: { ...state.problems, incidents: /** @type {Problem} */ (error) } });
  }
  if (state.route.incident) void loadDetail(state.route.incident);
}

/** @param {Incident} after */
function put(after) {
  const others = (state.incidents ?? []).map((it) => (it.id === after.id ? after : it));
  const { incident, ...problems } = state.problems;
  update({ incidents: others, problems });
}

/** @type {Record<string, "true" | "false_alarm" | "expected" | "sensor_fault" | undefined>} */
export const labelOf = { t: "true", f: "false_alarm", e: "expected", x: "sensor_fault" };

/** What a key or its button does to the chosen incident. @param {string} key */
export function press(key) {
  const label = labelOf[key];
  if (label) void act("label", { label }, `labelled ${labels[label]}`);
  else if (key === "a") void act("acknowledge", {}, "acknowledged");
  else if (key === "r") void act("resolve", {}, "resolved");
  else {
    update({ ask: key === "s" ? "snooze" : "comment" });
    requestAnimationFrame(() => requestAnimationFrame(() => /** @type {HTMLElement | null} */ (document.querySelector("#ask textarea"))?.focus()));
  }
}

export const close = () => go({ incident: "" });

/** @param {number} by */
function step(by) {
  const list = (state.heldIncidents ?? ranked().map((it) => it.id)).slice(0, 50);
  if (list.length === 0) return;
  const at = list.indexOf(state.route.incident);
  const next = list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + by))];
  if (next) go({ incident: next });
}

/** Single keys, unless a field has the focus or they are turned off. @param {KeyboardEvent} event */
export function onKey(event) {
  const target = /** @type {Element} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === "Escape") {
    if (state.help) update({ help: false });
    else if (state.ask) update({ ask: null });
    else if (state.route.incident) close();
    return;
  }
  if (!state.keys || target.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key === "?") update({ help: true });
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "u") void takeBack();
  else if (state.route.incident && "asrctfex".includes(event.key)) press(event.key);
  else return;
  event.preventDefault();
}
