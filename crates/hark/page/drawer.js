// @ts-check
// One incident in a drawer: why, the course of its signals, what came before, and what can be done. And the list of keys.
/** @import { Audit, IncidentDetail } from "./types.d.ts" */
import { count, iso, moment, notice, percent, span, title } from "./format.js";
import { act, close, labelOf, labels, press, remember, severity, stateWord, who } from "./incidents.js";
import { charts } from "./signals.js";
import { linkTo, serverNow, state, update } from "./state.js";
import { html, live, nothing } from "./vendor/lit.js";

/** One incident: why, the course of its signals, what came before, what can be done. */
export function drawer() {
  const { route, detail, problems } = state;
  if (!route.incident) return nothing;
  const it = detail?.id === route.incident ? detail : null;
  return html`<aside class="card drawer" id="drawer" tabindex="-1" aria-labelledby="drawer-title">
    <h2 id="drawer-title">${it ? html`${severity(it)} ${it.device_id}` : "Incident"}
      <button type="button" class="close" @click=${close}>Close<kbd>Esc</kbd></button></h2>
    ${notice(problems.incident)}
    ${it ? html`<p class="reason">${title(it.reason)}</p>${facts(it)}${actions(it)}
      ${it.course ? charts(it.course) : nothing}${signalsOf(it)}${before(it)}${trail(it.audit)}` : problems.incident ? nothing : html`<p class="empty">Loading …</p>`}</aside>`;
}

/** @param {IncidentDetail} it */
const facts = (it) => html`<dl class="device">
  <div><dt>State</dt><dd>${stateWord(it)}</dd></div>
  <div><dt>Kind</dt><dd>${it.kind.replaceAll("_", " ")}</dd></div>
  <div><dt>Began</dt><dd title=${iso(it.began)}>${moment(it.began, state.route.utc)}</dd></div>
  <div><dt>${it.ongoing ? "Goes on for" : "Lasted"}</dt><dd>${span((it.ongoing ? serverNow() : Date.parse(it.last)) - Date.parse(it.began))}</dd></div>
  <div><dt>Anomalous readings</dt><dd>${count(it.readings)}</dd></div>
  <div><dt>Model</dt><dd>${it.model_version}</dd></div></dl>`;

/** @param {IncidentDetail} it */
function actions(it) {
  const isDone = it.state === "resolved";
  const button = (/** @type {string} */ key, /** @type {string} */ text, /** @type {boolean} */ off) => html`<button type="button" data-key=${key}
    ?disabled=${off} aria-pressed=${labelOf[key] ? String(it.label?.label === labelOf[key]) : nothing} @click=${() => press(key)}>${text}<kbd>${key}</kbd></button>`;
  return html`<div class="actions" role="group" aria-label="What to do about it">
      ${button("a", "Acknowledge", isDone || it.state === "acknowledged")}${button("s", "Snooze", isDone)}${button("r", "Resolve", isDone)}${button("c", "Comment", false)}</div>
    <div class="actions" role="group" aria-label="What it was">
      ${button("t", "Real fault", false)}${button("f", "False alarm", false)}${button("e", "Expected", false)}${button("x", "Sensor fault", false)}</div>
    ${state.ask ? question(state.ask) : nothing}
    <label class="field"><span>Acting as</span><input maxlength="100" autocomplete="name" .value=${live(who())}
      @change=${(/** @type {Event} */ event) => remember(/** @type {HTMLInputElement} */ (event.currentTarget).value)}></label>`;
}

/** A snooze wants a reason and an end, a comment a text. @param {"snooze" | "comment"} what */
const question = (what) => html`<form class="ask" id="ask" @submit=${(/** @type {SubmitEvent} */ event) => answer(event, what)}>
  <label class="field column"><span>${what === "snooze" ? "Why (needed)" : "Comment"}</span><textarea name="text" required maxlength="2000" rows="2"></textarea></label>
  ${what === "snooze" ? html`<label class="field"><span>For</span><select name="span"><option value="1h">1 hour</option><option value="8h">8 hours</option>
    <option value="1d">1 day</option><option value="7d">7 days</option></select></label>` : nothing}
  <button type="submit" class="main">${what === "snooze" ? "Snooze" : "Say it"}</button>
  <button type="button" @click=${() => update({ ask: null })}>Cancel</button></form>`;

/** @param {SubmitEvent} event @param {"snooze" | "comment"} what */
function answer(event, what) {
  event.preventDefault();
  const fields = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
  const text = String(fields.get("text") ?? "");
  if (what === "comment") void act("comment", { text }, "commented");
  else void act("snooze", { reason: text, for: String(fields.get("span")) }, `snoozed for ${fields.get("span")}`);
}

/** @param {IncidentDetail} it */
const signalsOf = (it) => (it.signals.length > 0 ? html`<h3>Which signals</h3><ul class="shares">${it.signals.map((share) => html`<li>
  <span>${title(share.signal)} <small>${share.direction === "within" ? "unusual in its course" : `${share.direction} its range`}</small></span>
  <svg class="share-bar" aria-hidden="true"><rect width="${share.share * 100}%" height="100%" rx="2"/></svg><span class="n">${percent(share.share)}</span></li>`)}</ul>` : nothing);

/** @param {IncidentDetail} it */
const before = (it) => html`<h3>Seen before?</h3>${it.nearest.length === 0 ? html`<p class="on">No earlier incident of this device.</p>`
  : html`<ul class="near">${it.nearest.map(({ incident }) => html`<li><a href=${linkTo({ incident: incident.id })}>${moment(incident.began, state.route.utc)}</a>
    ${incident.kind.replaceAll("_", " ")}, ${incident.label ? html`<b>${labels[incident.label.label]}</b>` : "no label"}<small>${title(incident.reason)}</small></li>`)}</ul>`}`;

/** @param {Audit[]} audit */
const trail = (audit) => html`<h3>What happened</h3><ol class="trail">${audit.map((it) => html`<li><time datetime=${iso(it.at)} title=${iso(it.at)}>${
  moment(it.at, state.route.utc)}</time> <b>${it.who}</b> ${it.action}${it.detail ? ` (${it.detail.replaceAll("_", " ")})` : ""}${it.note ? html`<q>${it.note}</q>` : nothing}</li>`)}</ol>`;

const keys = [["j / k", "next, previous incident"], ["Enter", "open the first one"], ["a", "acknowledge"], ["s", "snooze, with a reason"], ["r", "resolve"],
  ["t", "label: real fault"], ["f", "label: false alarm"], ["e", "label: expected"], ["x", "label: sensor fault"], ["c", "comment"], ["u", "undo, for 10 seconds"],
  ["Esc", "close"], ["?", "this list"]];

/** The keys, and the switch that turns them off. */
export function help() {
  if (!state.help) return nothing;
  return html`<div class="veil"><section class="card keys" role="dialog" aria-modal="true" aria-labelledby="keys-title" tabindex="-1" id="keys">
    <h2 id="keys-title">Keys</h2><dl>${keys.map(([key, does]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
    <label class="check"><input type="checkbox" .checked=${live(state.keys)} @change=${() => update({ keys: !state.keys })}>Keys are on</label>
    <button type="button" class="main" id="keys-close" @click=${() => update({ help: false })}>Close</button></section></div>`;
}

