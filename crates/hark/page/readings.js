// @ts-check
// Recent readings with their verdicts, page by page; the newest page goes on by itself.
/** @import { Reading } from "./types.d.ts" */
import { newer, newest, older } from "./feed.js";
import { because, count, decimal, iso, notice, place, recent, score, title, verdictWord, zone } from "./format.js";
import { go, identity, linkTo, serverNow, state, steady } from "./state.js";
import { html, live, nothing, repeat } from "./vendor/lit.js";

export function readings() {
  const { table, route, problems } = state;
  const onNewest = (table?.cursors.length ?? 0) === 0;
  const list = steady("readings", table?.readings ?? []);
  const rows = onNewest ? list.rows : table?.readings ?? [];
  return html`<section class="card" id="readings" aria-labelledby="readings-title">
    <h2 id="readings-title">Recent readings <span class="sub">${route.device || "all devices"} · ${zone(route.utc)}</span>
      ${onNewest && list.waiting > 0 ? html`<button type="button" class="news" @click=${list.show}>${count(list.waiting)} new – show</button>` : nothing}
      <label class="check"><input type="checkbox" id="only-odd" .checked=${live(route.odd)}
        @change=${() => go({ odd: !route.odd })}>Anomalies only</label></h2>
    ${notice(problems.table)}
    ${rows.length === 0 ? html`<p class="empty">${table ? `No ${route.odd ? "anomaly" : "reading"} in the last ${route.hours} h.` : "Loading …"}</p>`
    : html`<div class="wide" @pointerenter=${list.enter} @pointerleave=${list.leave} @focusin=${list.enter} @focusout=${list.leave}>
      <table class="list cards readings"><thead><tr><th scope="col">Time</th><th scope="col">Device</th>
        ${state.signals.map((it) => html`<th scope="col" class="n">${title(it.name)}<small> ${it.symbol}</small></th>`)}
        <th scope="col" class="n">Score</th><th scope="col">Verdict</th><th scope="col" class="because">Because</th></tr></thead>
        <tbody>${repeat(rows, identity, row)}</tbody></table></div>`}
    <nav class="pager" aria-label="Pages of readings">
      <button type="button" ?disabled=${onNewest} @click=${() => void newest()}>Newest</button>
      <button type="button" ?disabled=${onNewest} @click=${() => void newer()}>Newer</button>
      <span>page ${count((table?.cursors.length ?? 0) + 1)}</span>
      <button type="button" ?disabled=${!table?.next} @click=${() => void older()}>Older</button></nav></section>`;
}

/** @param {Reading} it */
function row(it) {
  const judged = (/** @type {string} */ name) => it.verdict?.signals[name];
  const notes = [it.late ? "late" : "", it.clock_suspect ? "clock suspect" : ""].filter(Boolean).join(", ");
  return html`<tr class=${it.verdict?.is_anomaly ? "flagged" : ""} data-reading=${identity(it)}>
    <td><time datetime=${iso(it.timestamp)} title=${iso(it.timestamp)}>${recent(it.timestamp, state.route.utc, serverNow())}</time>
      ${notes ? html`<small>${notes}</small>` : nothing}</td>
    <td class="id"><a href=${linkTo({ device: it.device_id })}>${it.device_id}</a><small>${place(it.location)}</small></td>
    ${state.signals.map((signal) => html`<td class="n" data-label=${title(signal.name)}>${judged(signal.name)?.is_anomaly ? html`<b class="odd">${
      decimal(it.values[signal.name])}<span class="hidden"> anomalous</span></b>` : decimal(it.values[signal.name])}</td>`)}
    <td class="n score" data-label="Score">${score(it.verdict?.score)}</td><td>${verdictWord(it.verdict)}</td><td class="because">${because(it)}</td></tr>`;
}
