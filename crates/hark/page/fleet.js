// @ts-check
// The devices, filtered and ranked, and how many of them are where.
/** @import { Device, Group } from "./types.d.ts" */
import { count, decimal, iso, mark, notice, percent, place, plural, span, title } from "./format.js";
import { go, linkTo, serverNow, state } from "./state.js";
import { html, live, nothing, repeat } from "./vendor/lit.js";

const perPage = 12;
const rank = { odd: 0, silent: 1, fine: 2 };

/** Those that the filters leave, what needs attention first; among equals the order of the ids stays. */
function listed() {
  const { route, devices } = state;
  const wanted = route.q.toLowerCase();
  const fits = (/** @type {Device} */ it) => (!route.state || it.state === route.state)
    && (!route.building || it.location?.building === route.building) && (!route.floor || it.location?.floor === route.floor)
    && (!route.type || it.device_type === route.type) && (!wanted || it.device_id.toLowerCase().includes(wanted));
  return (devices ?? []).filter(fits)
    .sort((a, b) => rank[a.state] - rank[b.state]);
}

/** The list of devices. */
export function devices() {
  const { route, problems, summary } = state;
  const all = listed();
  const pages = Math.max(1, Math.ceil(all.length / perPage));
  const page = Math.min(route.page, pages);
  const shown = all.slice((page - 1) * perPage, page * perPage);
  return html`<section class="card" id="devices" aria-labelledby="devices-title">
    <h2 id="devices-title">Devices <span class="sub">${!summary || all.length === summary.devices.total
      ? "what needs attention first" : `${plural(all.length, "device")} of ${count(summary.devices.total)}`}</span></h2>
    ${notice(problems.devices)}
    <div class="filters"><label class="field grow"><span class="hidden">Find a device by its id</span><input id="find" type="search"
      placeholder="Find a device" maxlength="256" autocomplete="off" .value=${live(route.q)}
      @input=${(/** @type {Event} */ event) => go({ q: /** @type {HTMLInputElement} */ (event.currentTarget).value, page: 1 }, true)}></label>
      ${chips()}</div>
    ${shown.length === 0 ? html`<p class="empty">${!state.devices ? "Loading …"
      : state.devices.length > 0 ? "No device fits these filters." : "No device has been heard of yet."}</p>`
    : html`<div class="wide"><table class="list cards"><thead><tr><th scope="col">State</th><th scope="col">Device</th>
      ${state.signals.map((it) => html`<th scope="col" class="n">${title(it.name)}<small> ${it.symbol}</small></th>`)}
      <th scope="col" class="n">Heard</th></tr></thead><tbody>${repeat(shown, (it) => it.device_id, row)}</tbody></table></div>
      ${pages > 1 ? pager(page, pages) : nothing}`}</section>`;
}

/** @param {Device} it */
function row(it) {
  const chosen = it.device_id === state.route.device;
  const odd = (/** @type {string} */ name) => it.last?.verdict?.signals[name]?.is_anomaly;
  return html`<tr class=${chosen ? "chosen" : ""}><td><span class="word ${it.state}">${mark(it.state)}${it.state}</span></td>
    <td class="id"><a href=${linkTo({ device: chosen ? "" : it.device_id, page: state.route.page })} aria-current=${chosen ? "true" : nothing}>${it.device_id}</a>
      <small>${place(it.location)}${it.device_type ? ` · ${it.device_type}` : ""}</small></td>
    ${state.signals.map((signal) => html`<td class="n" data-label=${title(signal.name)}>${odd(signal.name) ? html`<b class="odd">${
      decimal(it.last?.values[signal.name])}<span class="hidden"> anomalous</span></b>` : decimal(it.last?.values[signal.name])}</td>`)}
    <td class="n" data-label="Heard" title=${iso(it.last_received_at)}>${span(serverNow() - Date.parse(it.last_received_at))}</td></tr>`;
}

/** @param {number} page @param {number} pages */
const pager = (page, pages) => html`<nav class="pager" aria-label="Pages of the list of devices">
  <button type="button" ?disabled=${page <= 1} @click=${() => go({ page: page - 1 }, true)}>Previous</button>
  <span>${count(page)} of ${count(pages)}</span>
  <button type="button" ?disabled=${page >= pages} @click=${() => go({ page: page + 1 }, true)}>Next</button></nav>`;

/** The filters in force, each with a way out. */
function chips() {
  const { route } = state;
  return /** @type {const} */ (["state", "building", "floor", "type"]).filter((key) => route[key]).map((key) => html`
    <button type="button" class="filter" @click=${() => go({ [key]: "" })}>${route[key]}<span aria-hidden="true"> ×</span>
      <span class="hidden">: remove this filter</span></button>`);
}

/** Devices and anomalies by building, floor and type. */
export function groups() {
  const by = state.summary?.by;
  return html`<section class="card groups" aria-labelledby="groups-title"><h2 id="groups-title">Where
      <span class="sub">anomalies, last ${state.route.hours} h</span></h2>
    ${by ? html`${group("Building", "building", by.building)}${group("Floor", "floor", by.floor)}${group("Type", "type", by.device_type)}
      ${by.building.length + by.floor.length + by.device_type.length === 0
        ? html`<p class="empty">No reading says yet where its device stands or what it is.</p>` : nothing}` : nothing}</section>`;
}

/** @param {string} name @param {"building" | "floor" | "type"} key @param {Group[]} list */
function group(name, key, list) {
  if (list.length === 0) return nothing;
  const most = Math.max(1, ...list.map((it) => it.anomalies));
  return html`<table class="list"><thead><tr><th scope="col">${name}</th><th scope="col" class="n">Devices</th>
      <th scope="col" class="share">Anomalies</th><th scope="col" class="n">Rate</th></tr></thead>
    <tbody>${list.map((it) => html`<tr><td><a href=${linkTo({ [key]: state.route[key] === it.name ? "" : it.name })}
        aria-current=${state.route[key] === it.name ? "true" : nothing}>${it.name}</a></td>
      <td class="n">${count(it.devices)}${it.odd ? html` <span class="word odd" title="odd now">${mark("odd")}${it.odd}<span class="hidden"> odd</span></span>` : nothing}${
        it.silent ? html` <span class="word silent" title="silent now">${mark("silent")}${it.silent}<span class="hidden"> silent</span></span>` : nothing}</td>
      <td class="share"><svg class="share-bar" aria-hidden="true"><rect width="${(it.anomalies / most) * 100}%" height="100%" rx="2"/></svg>
        <span class="n">${count(it.anomalies)}</span></td>
      <td class="n">${percent(it.readings > 0 ? it.anomalies / it.readings : null)}</td></tr>`)}</tbody></table>`;
}
