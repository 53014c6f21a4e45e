// @ts-check
// The first glance: can this page be trusted, how many of how many are odd or silent, and what is new.
/** @import { Reading, Signal, Summary, Totals } from "./types.d.ts" */
import { follow, refresh } from "./feed.js";
import { because, count, decimal, iso, mark, notice, percent, place, plural, recent, span, timeOfDay, title, zone } from "./format.js";
import { chooseTheme, go, identity, linkTo, ranges, serverNow, state, steady } from "./state.js";
import { guard, html, live, nothing, repeat } from "./vendor/lit.js";

const staleAfter = 60_000;

/** How fresh the data is: one word, one shape, one age. */
function freshness() {
  const { route, summary, heardAt, gone } = state;
  if (gone) return { name: "gone", shape: mark("gone"), text: "server gone" };
  if (!summary) return { name: "unsure", shape: mark("unjudged"), text: "connecting" };
  if (!route.auto) return { name: "paused", shape: mark("silent"), text: `paused at ${timeOfDay(state.checkedAt, route.utc)}` };
  if (heardAt === 0) return { name: "unsure", shape: mark("unjudged"), text: "no readings yet" };
  const age = Math.max(0, serverNow() - heardAt);
  const rate = summary.readings.per_second.last_minute;
  const late = age > Math.max(staleAfter, rate > 0 ? 5_000 / rate : 0);
  return late ? { name: "stale", shape: mark("odd"), text: `stale · ${span(age)} ago` }
    : { name: "live", shape: mark("fine"), text: `live · ${span(age)} ago` };
}

const logo = html`<svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><rect width="32" height="32" rx="8" fill="#0b5a8c"/>
  <path d="M6 17h5l2.5-7 5 13 2.8-8 1.4 2H26" fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"/></svg>`;

/** The bar at the top: freshness and everything that changes what is shown. */
export function topBar() {
  const { route } = state;
  const fresh = freshness();
  return html`<header class="bar">
    <a class="skip" href="#main" @click=${skip}>Skip to the fleet</a>
    <a class="logo" href=${linkTo({ device: "", state: "", building: "", floor: "", type: "", q: "", odd: false })}>
      ${logo}Hark</a>
    <span id="freshness" class="chip ${fresh.name}" data-loads=${state.loads}
      title=${state.heardAt ? `newest reading received ${iso(state.heardAt)}` : nothing}>${fresh.shape}${fresh.text}</span>
    <div class="controls">
      <label class="field"><span>Device</span>${deviceChoice()}</label>
      <label class="field"><span>Range</span><select id="hours" .value=${live(String(route.hours))}
        @change=${(/** @type {Event} */ event) => go({ hours: Number(chosen(event)) })}>
        ${[...new Set([...ranges, route.hours])].sort((a, b) => a - b).map((it) => html`
          <option value=${it} ?selected=${it === route.hours}>${it} h</option>`)}</select></label>
      <button type="button" id="auto" role="switch" class="switch" aria-checked=${route.auto}
        @click=${() => go({ auto: !route.auto })}><i aria-hidden="true"></i>Live</button>
      <button type="button" id="refresh" title="Load everything once, now" @click=${() => void refresh()}>Refresh</button>
      <label class="field"><span>Times</span><select id="zone" title="Times are shown in ${zone(route.utc)}" .value=${live(route.utc ? "utc" : "local")}
        @change=${(/** @type {Event} */ event) => go({ utc: chosen(event) === "utc" })}>
        <option value="local" ?selected=${!route.utc}>Local</option><option value="utc" ?selected=${route.utc}>UTC</option></select></label>
      <label class="field"><span>Theme</span><select id="theme" .value=${live(state.theme)}
        @change=${(/** @type {Event} */ event) => chooseTheme(/** @type {"" | "light" | "dark"} */ (chosen(event)))}>
        <option value="">System</option><option value="light">Light</option><option value="dark">Dark</option></select></label>
    </div>
  </header>`;
}

const chosen = (/** @type {Event} */ event) => /** @type {HTMLSelectElement} */ (event.currentTarget).value;

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

let fleetKey = "";

function deviceChoice() {
  const { device } = state.route;
  const ids = (state.devices ?? []).map((it) => it.device_id);
  if (device && !ids.includes(device)) ids.unshift(device);
  fleetKey = ids.join("\n");
  return html`<select id="device" .value=${live(device)} @change=${(/** @type {Event} */ event) => go({ device: chosen(event) })}>
    ${guard([fleetKey, device], () => html`<option value="" ?selected=${!device}>All devices</option>
      ${ids.map((id) => html`<option value=${id} ?selected=${id === device}>${id}</option>`)}`)}</select>`;
}

/** What has to be known before anything else: no server, no reading, no model. */
export function banners() {
  const { gone, goneSince, route, summary, problems } = state;
  if (gone) {
    return html`<div class="banner gone" role="alert">${mark("gone")}<div><strong>Hark does not answer</strong> since
      ${timeOfDay(goneSince, route.utc)}. What you see is what was known then; this page goes on by itself when the server is back.
      Is <code>hark up</code> still running?
      <button type="button" @click=${() => follow(route.auto)}>Try now</button></div></div>`;
  }
  if (!summary) return notice(problems.summary ?? problems.signals);
  return html`${notice(problems.summary)}${summary.newest_received_at === null ? firstSteps() : nothing}
    ${summary.learning && summary.newest_received_at !== null ? learning(summary.learning) : nothing}`;
}

/** @param {{ have: number, need: number }} learned */
const learning = ({ have, need }) => html`<div class="banner quiet">${mark("unjudged")}<div><strong>Learning:
    ${count(have)} of ${count(need)} readings.</strong> There is no model yet, so readings are kept but not judged. The first model is
    trained by itself once there are enough; <code>hark train</code> trains one now.
    <progress max=${need} value=${Math.min(have, need)} aria-label="readings collected for the first model"></progress></div></div>`;

/** Fixed when first shown: text that changes cannot be selected. */
let exampleAt = "";

function firstSteps() {
  exampleAt ||= new Date(serverNow()).toISOString();
  const signals = state.signals.map((it, index) => `"${it.name}": ${index === 0 ? 21.5 : 1.2}`).join(", ");
  const curl = `curl -sS ${location.origin}/api/v1/readings -H 'content-type: application/json' \\\n`
    + `  -d '{"device_id": "pump-1", "timestamp": "${exampleAt}", ${signals}}'`;
  return html`<section class="card first" aria-labelledby="first-title"><h2 id="first-title">No readings yet</h2>
    <p>Hark waits for its first device. Send one reading from any machine that reaches this one:</p>${command(curl)}
    <p>or let a simulated fleet run beside it:</p>${command("hark simulate")}
    <p>This page shows the first reading the moment it arrives.</p></section>`;
}

/** @param {string} text */
const command = (text) => html`<div class="command"><pre tabindex="0" aria-label="command">${text}</pre>
  <button type="button" @click=${(/** @type {Event} */ event) => void copy(event, text)}>Copy</button></div>`;

/** @param {Event} event @param {string} text */
async function copy(event, text) {
  const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Not allowed without https: select the text, so that one key press copies it.
    getSelection()?.selectAllChildren(/** @type {Element} */ (button.previousElementSibling));
    button.textContent = "Selected: press Ctrl+C";
  }
}

/** "50 devices — 2 odd · 1 silent · 47 fine": each number filters the list of devices. */
export function fleetLine() {
  const devices = state.summary?.devices;
  if (!devices) return html`<h1 class="fleet">The fleet</h1>`;
  const part = (/** @type {"odd" | "silent" | "fine"} */ name) => html`<button type="button" class="part ${name}"
    data-state=${name} aria-pressed=${state.route.state === name} title="Show only these in the list of devices"
    @click=${() => filter(name)}>${mark(name)}<b>${count(devices[name])}</b> ${name}</button>`;
  return html`<h1 class="fleet"><span id="total" data-total=${devices.total}><b>${count(devices.total)}</b>
    ${devices.total === 1 ? "device" : "devices"}</span><span class="dash" aria-hidden="true">—</span>
    ${part("odd")}${part("silent")}${part("fine")}</h1>${refused()}`;
}

/** What could not be taken is never passed over in silence. */
function refused() {
  const n = state.summary?.dead_letters ?? 0;
  return n > 0 ? html`<p class="refused">${mark("silent")}<span>${plural(n, "message")} could not be taken: see
    <code>hark dead-letters list</code></span></p>` : nothing;
}

/** @param {"odd" | "silent" | "fine"} name */
function filter(name) {
  go({ state: state.route.state === name ? "" : name });
  document.getElementById("devices")?.scrollIntoView({ block: "start" });
}

/** How a figure moved against the same hours of the day before. @param {number | null | undefined} now @param {number | null | undefined} before @param {string} shown */
function trend(now, before, shown) {
  if (typeof now !== "number" || typeof before !== "number") return html`<dd class="trend">nothing to compare with yet</dd>`;
  if (Math.abs(now - before) < Math.abs(before) * 0.005) return html`<dd class="trend">as the day before</dd>`;
  return html`<dd class="trend">${now > before ? "↑ up" : "↓ down"} from ${shown} the day before</dd>`;
}

/** The figures of the range, each against the day before. */
export function tiles() {
  const { summary, signals, route } = state;
  if (!summary) return nothing;
  const { readings } = summary;
  const before = readings.previous && readings.previous.total > 0 ? readings.previous : null;
  const rate = readings.per_second.last_minute;
  return html`<dl class="tiles" aria-label="Figures of the last ${route.hours} hours">
    <div><dt>Readings per second</dt><dd class="value">${decimal(rate)}</dd><dd class="trend">over the last minute</dd></div>
    <div><dt>Readings, ${route.hours} h</dt><dd class="value" id="readings-total">${count(readings.total)}</dd>
      ${trend(readings.total, before?.total, count(before?.total))}</div>
    <div><dt>Anomaly rate, ${route.hours} h</dt><dd class="value">${percent(readings.anomaly_rate)}
      <small>${count(readings.anomalies)} flagged</small></dd>
      ${trend(readings.anomaly_rate, before?.anomaly_rate ?? null, before ? percent(before.anomaly_rate) : "")}</div>
    ${signals.map((it) => meanTile(it, summary))}</dl>`;
}

/** @param {Signal} signal @param {Summary} summary */
function meanTile(signal, summary) {
  const it = summary.signals[signal.name];
  return html`<div><dt>Mean ${signal.name}</dt><dd class="value">${decimal(it?.mean)}<small> ${signal.symbol}</small></dd>
    ${trend(it?.mean, it?.previous_mean, decimal(it?.previous_mean))}</div>`;
}

const shownAtMost = 12;

/** Everything flagged that is known here, newest first: of the chosen device, else of the fleet. @returns {Reading[]} */
function flagged() {
  const { route, summary, course, fresh } = state;
  const known = [...fresh, ...(summary?.newest_anomalies ?? []), ...(course?.device === route.device ? course.anomalies : [])]
    .filter((it) => !route.device || it.device_id === route.device);
  const readings = [...new Map(known.map((it) => [identity(it), it])).values()];
  return readings.sort((a, b) => Date.parse(b.timestamp) - Date.parse(a.timestamp));
}

/** The newest of each device, so that one bad machine does not hide the others; every one when a device is chosen. @param {Reading[]} all */
function newestOf(all) {
  if (state.route.device) return all.slice(0, shownAtMost);
  return [...new Map([...all].reverse().map((it) => [it.device_id, it])).values()]
    .sort((a, b) => Date.parse(b.timestamp) - Date.parse(a.timestamp)).slice(0, shownAtMost);
}

/** The list a person starts with: which device, why, since when. */
export function anomalies() {
  const all = flagged();
  const list = steady("anomalies", newestOf(all));
  const lately = serverNow() - 3600_000;
  const often = (/** @type {Reading} */ it) => all.filter((other) => other.device_id === it.device_id && Date.parse(other.timestamp) > lately).length;
  return html`<section class="card anomalies" aria-labelledby="anomalies-title">
    <h2 id="anomalies-title">Newest anomalies${list.waiting > 0 ? html`
      <button type="button" class="news" @click=${list.show}>${count(list.waiting)} new – show</button>` : nothing}</h2>
    ${list.rows.length === 0 ? allWell() : html`<ol class="stack" @pointerenter=${list.enter} @focusin=${list.enter}
      @pointerleave=${list.leave} @focusout=${list.leave}>${repeat(list.rows, identity, (it) => anomaly(it, state.route.device ? 0 : often(it)))}</ol>`}</section>`;
}

/** @param {Reading} it @param {number} often */
const anomaly = (it, often) => html`<li data-anomaly=${it.device_id}><a href=${linkTo({ device: it.device_id })}>
  <span class="who">${mark("odd")}<b>${it.device_id}</b>${often > 1 ? html`<small>${count(often)} in 1 h</small>` : nothing}<time datetime=${iso(it.timestamp)} title=${iso(it.timestamp)}>${
    recent(it.timestamp, state.route.utc, serverNow())}</time></span>
  <span class="why">${title(because(it))}</span><span class="where">${place(it.location)}</span></a></li>`;

function allWell() {
  const { summary, route, checkedAt } = state;
  if (!summary) return html`<p class="empty">Loading …</p>`;
  if (summary.newest_received_at === null) return html`<p class="empty">Nothing to judge yet.</p>`;
  if (!summary.model) return html`<p class="empty">No model judges yet, so nothing can be called odd.</p>`;
  return html`<p class="empty well">${mark("fine")}<span><strong>Nothing is wrong.</strong> No anomaly
    ${route.device ? html`on ${route.device}` : "on any device"} in the last ${plural(route.hours, "hour")}.
    Last checked at ${timeOfDay(checkedAt, route.utc)}.</span></p>`;
}
