// @ts-check
// What a person would miss if it broke, each as one check against a running Hark that has history and a model.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as pace } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { inkOfCharts, loadAll, open, visit } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const hostile = "<img src=x onerror=window.__pwned=1>";

/** @typedef {{ browser: import("playwright-core").Browser, origin: string, api: (path: string, body?: unknown) => Promise<any> }} World */

/** Asks again until the answer is as wanted. @template T @param {string} what @param {() => Promise<T>} probe @param {(it: T) => boolean} wanted */
async function until(what, probe, wanted, patience = 30_000) {
  const end = Date.now() + patience;
  for (;;) {
    const it = await probe();
    if (wanted(it)) return it;
    assert.ok(Date.now() < end, `${what} did not come true; last seen: ${JSON.stringify(it)}`);
    // The pace of asking, so that waiting is no load; never a wait in place of a condition.
    await pace(100);
  }
}

/** @param {World} world @param {(page: import("playwright-core").Page, record: any) => Promise<void>} work @param {object} [look] @param {string} [hash] */
async function onPage(world, work, look = {}, hash = "") {
  const { page, record, close } = await open(world.browser, world.origin, look);
  try {
    await visit(page, world.origin, hash);
    await work(page, record);
    assert.deepEqual(record.errors, [], "errors on the console");
    assert.deepEqual(record.violations, [], "violations of the content security policy");
    assert.deepEqual(record.foreign, [], "requests to another origin");
  } finally {
    await close();
  }
}

/** @param {World} world */
async function newestDevice(world) {
  return (await world.api("/api/v1/readings?limit=1&order=newest")).readings[0].device_id;
}

/** A reading of a device of its own, ordinary by the fleet's means. @param {World} world @param {string} device */
async function post(world, device) {
  const { signals } = await world.api("/api/v1/summary?hours=24");
  const values = Object.fromEntries(Object.entries(signals).map(([name, it]) => [name, it?.mean ?? 1]));
  const answer = await world.api("/api/v1/readings", { device_id: device, timestamp: new Date().toISOString(), ...values });
  assert.equal(answer.stored + answer.duplicates, 1, "the reading was stored");
}

const unique = () => `page-test-${process.pid}-${Date.now().toString(36)}`;

/** An incident of a device of its own, made by readings far outside what the fleet knows. @param {World} world @param {string} device */
async function incident(world, device) {
  const { signals } = await world.api("/api/v1/summary?hours=24");
  for (let back = 10; back > 0; back -= 1) {
    const values = Object.fromEntries(Object.keys(signals).map((name) => [name, 500 + back]));
    await world.api("/api/v1/readings", { device_id: device, timestamp: new Date(Date.now() - back * 1000).toISOString(), ...values });
  }
  const { incidents } = await world.api(`/api/v1/incidents?device_id=${encodeURIComponent(device)}`);
  assert.equal(incidents.length, 1, "one event is one incident");
  return incidents[0];
}

/** @type {[string, (world: World) => Promise<void>][]} */
export const checks = [
  ["an incident is triaged from the keyboard alone, in at most 12 presses, and taken back", (world) => onPage(world, async (page) => {
    const device = unique();
    const { id } = await incident(world, device);
    const now = () => world.api(`/api/v1/incidents/${id}`);
    await page.locator(`[data-incident="${id}"] a`).waitFor();
    await page.locator(`[data-incident="${id}"] a`).focus();
    await page.keyboard.press("Enter");
    await page.locator("#drawer .trail").waitFor();
    await until("the drawer's charts", () => page.locator("#drawer hark-chart canvas").count(), (it) => it > 0);
    assert.equal(new URLSearchParams(new URL(page.url()).hash.slice(1)).get("incident"), id);
    await page.keyboard.press("a");
    await until("acknowledged", now, (it) => it.state === "acknowledged");
    await page.keyboard.press("f");
    await until("labelled", now, (it) => it.label?.label === "false_alarm");
    await page.locator("#undo").waitFor();
    await page.keyboard.press("u");
    await until("taken back", now, (it) => it.label === null && it.state === "acknowledged");
    await page.keyboard.press("s");
    await page.locator("#ask textarea").waitFor();
    await until("focus in the field", () => page.evaluate(() => document.activeElement?.tagName), (it) => it === "TEXTAREA");
    await page.keyboard.type("a part is ordered");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    const snoozed = await until("snoozed", now, (it) => it.state === "snoozed");
    assert.equal(snoozed.audit.at(-1).note, "a part is ordered");
    // The server may have it before the page has its answer: Escape leaves the question first, and then the drawer.
    await page.locator("#ask").waitFor({ state: "detached" });
    await page.keyboard.press("Escape");
    await page.locator("#drawer").waitFor({ state: "detached" });
  })],

  ["j and k walk the incidents, ? lists the keys, and a link leads back to one", (world) => onPage(world, async (page) => {
    const { id } = await incident(world, unique());
    await page.locator(`[data-incident="${id}"]`).waitFor();
    await page.keyboard.press("j");
    await page.locator("#drawer .trail").waitFor();
    const first = await page.locator("#drawer-title").innerText();
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    await until("the first again", () => page.locator("#drawer-title").innerText(), (it) => it === first);
    await page.keyboard.press("?");
    await page.locator("#keys").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#keys").waitFor({ state: "detached" });
    await page.goto(`${world.origin}/#incident=${id}`);
    await page.reload();
    await until("its name", () => page.locator("#drawer .reason").innerText().catch(() => ""), (it) => it.length > 10);
  })],

  ["a comment is shown as text, whatever it holds", (world) => onPage(world, async (page) => {
    const { id } = await incident(world, unique());
    await world.api(`/api/v1/incidents/${id}/comment`, { text: hostile });
    await page.goto(`${world.origin}/#incident=${id}`);
    await until("the comment", () => page.locator("#drawer .trail").innerText().catch(() => ""), (it) => it.includes(hostile));
    assert.equal(await page.evaluate(() => "__pwned" in window), false);
  })],

  ["labels offer a threshold that one press applies, and a window of maintenance is begun and ended", (world) => onPage(world, async (page) => {
    await loadAll(page);
    await page.locator("#labels .measures").waitFor();
    await page.locator("#window input").fill("belt replaced");
    await page.locator('#window button[type="submit"]').click();
    const on = () => world.api("/api/v1/maintenance").then((it) => it.windows.filter((/** @type {any} */ one) => one.active));
    await until("a window", on, (it) => it.length > 0);
    await page.locator("#maintenance .near button").first().click();
    await until("no window", on, (it) => it.length === 0);
  })],

  ["the page counts as many devices as the API", (world) => onPage(world, async (page) => {
    await until("the same number of devices", async () => ({
      page: await page.locator("#total").getAttribute("data-total"), api: String((await world.api("/api/v1/summary?hours=24")).devices.total),
    }), (it) => it.page === it.api);
    const parts = await page.locator(".part b").allInnerTexts();
    assert.equal(parts.length, 3);
  })],

  ["freshness says live and how old the newest reading is", (world) => onPage(world, async (page) => {
    await post(world, unique());
    await until("a live chip", () => page.locator("#freshness").innerText(), (it) => /^live · \d+ s ago$/.test(it.trim()));
  })],

  ["an anomaly is shown with its reason and opens its device", (world) => onPage(world, async (page) => {
    const first = page.locator("[data-anomaly]").first();
    const device = await first.getAttribute("data-anomaly") ?? "";
    assert.ok((await first.locator(".why").innerText()).length > 10, "a sentence says why");
    await first.locator("a").focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction((id) => document.getElementById("signals-title")?.textContent?.trim().startsWith(id), device);
    assert.equal(new URLSearchParams(new URL(page.url()).hash.slice(1)).get("device"), device);
  })],

  ["every signal has a chart with ink, a name, a sentence and a short table", (world) => onPage(world, async (page) => {
    const { signals } = await world.api("/api/v1/signals");
    const inks = await until("charts drawn", () => inkOfCharts(page), (it) => it.length === signals.length && it.every((ink) => ink > 2000));
    assert.equal(inks.length, signals.length);
    for (const figure of await page.locator("figure.chart").all()) {
      assert.equal(await figure.getAttribute("role"), "figure");
      assert.match(await figure.locator(".readout").innerText(), /Mean .+ from .+ to .+flagged/);
      const rows = await figure.locator("details tbody tr").count();
      assert.ok(rows >= 1 && rows <= 25, `${rows} rows in the table`);
    }
  })],

  ["the charts are read with the arrow keys", (world) => onPage(world, async (page) => {
    const chart = page.locator("hark-chart").first();
    await chart.focus();
    await page.keyboard.press("End");
    const last = await chart.getAttribute("aria-valuetext");
    await page.keyboard.press("ArrowLeft");
    await until("another point", () => chart.getAttribute("aria-valuetext"), (it) => it !== last && /\d/.test(it ?? ""));
    assert.equal(await page.locator(".readout").first().innerText(), await chart.getAttribute("aria-valuetext"));
    await page.locator("#refresh").click();
    await page.keyboard.press("Tab");
    await until("the sentence again", () => page.locator(".readout").first().innerText(), (it) => it.startsWith("Mean"));
  }, {}, "#auto=off")],

  ["another range asks for and shows other figures", (world) => onPage(world, async (page) => {
    const total = async () => Number((await page.locator("#readings-total").innerText()).replace(/\D/g, ""));
    const day = await total();
    await page.locator("#hours").selectOption("1");
    await until("fewer readings", total, (it) => it < day / 2);
    assert.match(page.url(), /hours=1\b/);
    assert.match(await page.locator(".tiles dt").nth(1).innerText(), /1 h/);
  })],

  ["a chosen device has its own charts, expected range and readings", (world) => onPage(world, async (page) => {
    const device = (await world.api("/api/v1/devices")).devices.reduce(
      (/** @type {any} */ most, /** @type {any} */ it) => (it.readings > most.readings ? it : most)).device_id;
    await page.locator("#device").selectOption(device);
    await page.locator(".legend .expected").waitFor();
    await until("its charts", () => inkOfCharts(page), (it) => it.length > 0 && it.every((ink) => ink > 2000));
    await until("only its readings", () => page.locator("#readings tbody .id a").allInnerTexts(), (it) => it.length > 0 && it.every((id) => id === device));
    await page.reload();
    await page.locator(".device").waitFor();
    assert.equal(await page.locator("#device").inputValue(), device);
  })],

  ["each number of the fleet line filters the devices", (world) => onPage(world, async (page) => {
    await page.locator('[data-state="fine"]').click();
    await until("fine ones only", () => page.locator("#devices tbody .word").allInnerTexts(), (it) => it.length > 0 && it.every((word) => word === "fine"));
    assert.match(page.url(), /state=fine/);
  })],

  ["recent readings are paged without a double", (world) => onPage(world, async (page) => {
    const seen = () => page.locator("#readings tbody tr").evaluateAll((rows) => rows.map((it) => it.getAttribute("data-reading")));
    await page.getByRole("button", { name: "Older" }).click();
    await until("the second page", () => page.locator("#readings .pager span").innerText(), (it) => it === "page 2");
    const second = await seen();
    await page.getByRole("button", { name: "Older" }).click();
    await until("the third page", () => page.locator("#readings .pager span").innerText(), (it) => it === "page 3");
    const third = await seen();
    assert.ok(third.length > 0 && third.every((it) => !second.includes(it)));
  })],

  ["the score histogram marks its threshold and the model's measured figures are the API's", (world) => onPage(world, async (page) => {
    await loadAll(page);
    assert.ok(await page.locator("#histogram rect").count() > 0);
    assert.equal(await page.locator("#histogram .threshold").count(), 1);
    const { live } = await world.api("/api/v1/models");
    const metrics = await world.api(`/api/v1/models/${encodeURIComponent(live)}/metrics`);
    const text = await page.locator("#quality").innerText();
    assert.ok(text.includes(live), "the version");
    const flagged = new Intl.NumberFormat("en-GB", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(metrics.flag_rate);
    assert.ok(text.includes(flagged), `the flag rate ${flagged}`);
    if (metrics.labelled) assert.ok(text.includes(metrics.labelled.f1.toFixed(3)), "the F1 score");
    else assert.match(text, /carry no labels/);
  })],

  ["the demo form gives the verdict of POST /detect", (world) => onPage(world, async (page) => {
    await loadAll(page);
    const { signals } = await world.api("/api/v1/signals");
    /** @type {Record<string, unknown>} */
    const asked = { device_id: unique() };
    await page.locator("#demo-device").fill(String(asked.device_id));
    for (const which of ["End", "Home"]) {
      for (const { name } of signals) {
        await page.locator(`#demo-${name}`).press(which);
        asked[name] = Number(await page.locator(`#demo-${name}`).inputValue());
      }
      const answered = page.waitForResponse((it) => it.url().endsWith("/detect"));
      await page.getByRole("button", { name: "Judge it" }).click();
      const shown = await (await answered).json();
      for (const { name } of signals) assert.equal(shown[name], asked[name], `${name} was sent as the slider says`);
      await until("the verdict", () => page.locator("#verdict").getAttribute("data-score"), (it) => it === String(shown.anomaly_score));
      const direct = await world.api("/detect", { ...asked, timestamp: shown.timestamp });
      assert.equal(await page.locator("#verdict").getAttribute("data-anomaly"), String(direct.is_anomaly));
      // The fleet goes on between the two questions, and an unknown device is judged by the fleet.
      assert.ok(Math.abs(direct.anomaly_score - shown.anomaly_score) < 0.05, "the same score");
    }
  })],

  ["a reading that is posted now arrives on the page by itself", (world) => onPage(world, async (page) => {
    const device = unique();
    await post(world, device);
    await until("its reading", () => page.locator("#readings tbody .id a").allInnerTexts(), (it) => it.includes(device));
    await page.locator("#find").fill(device);
    await until("the new device", () => page.locator("#devices tbody .id a").allInnerTexts(), (it) => it.includes(device));
  })],

  ["with live switched off nothing changes until Refresh is pressed", (world) => onPage(world, async (page) => {
    await page.locator("#auto").click();
    await until("a paused chip", () => page.locator("#freshness").innerText(), (it) => it.includes("paused"));
    let requests = 0;
    page.on("request", () => { requests += 1; });
    const loads = await page.locator("#freshness").getAttribute("data-loads");
    const rows = () => page.locator("#readings tbody tr").evaluateAll((list) => list.map((it) => it.getAttribute("data-reading")).join());
    const before = await rows();
    await post(world, unique());
    const { now } = await world.api("/api/v1/summary?hours=1");
    // More than one round of polling, by the server's own clock.
    await until("time to pass", () => world.api("/api/v1/summary?hours=1"), (it) => Date.parse(it.now) - Date.parse(now) > 6_500);
    assert.equal(requests, 0, "requests while paused");
    assert.equal(await rows(), before);
    await page.locator("#refresh").click();
    await until("one load", () => page.locator("#freshness").getAttribute("data-loads"), (it) => Number(it) === Number(loads) + 1);
    await until("new rows", rows, (it) => it !== before);
  })],

  ["a hostile device id is text everywhere and never runs", (world) => onPage(world, async (page) => {
    await post(world, hostile);
    await page.locator("#find").fill("<img");
    await until("its row", () => page.locator("#devices tbody .id a").allInnerTexts(), (it) => it.includes(hostile));
    await page.locator("#devices tbody .id a").first().click();
    await until("its title", () => page.locator("#signals-title").innerText(), (it) => it.includes(hostile));
    await until("its readings", () => page.locator("#readings tbody .id a").allInnerTexts(), (it) => it.includes(hostile));
    await loadAll(page);
    assert.equal(await page.evaluate(() => "__pwned" in window), false);
    assert.equal(await page.locator("img[src=x]").count(), 0);
  })],

  ["a lost server is told, the data greyed, and the page goes on by itself", (world) => onPage(world, async (page, record) => {
    await page.route("**/api/v1/**", (route) => route.abort());
    await page.locator(".banner.gone").waitFor();
    assert.match(await page.locator("#freshness").innerText(), /server gone/);
    assert.equal(await page.locator("main.frozen").count(), 1);
    await page.unroute("**/api/v1/**");
    await page.locator(".banner.gone").waitFor({ state: "detached" });
    await until("live again", () => page.locator("#freshness").innerText(), (it) => /live|stale/.test(it));
    // The browser itself notes each request that failed; that is what this check asked for.
    record.errors = record.errors.filter((/** @type {string} */ it) => !it.includes("ERR_FAILED"));
  })],

  ["times are shown in UTC or local, themes are kept", (world) => onPage(world, async (page) => {
    await page.locator("#zone").selectOption("utc");
    await until("UTC", () => page.locator("#readings-title .sub").innerText(), (it) => it.endsWith("UTC"));
    assert.match(page.url(), /zone=utc/);
    const shown = page.locator("#readings tbody time").first();
    const [text, iso] = [await shown.innerText(), await shown.getAttribute("datetime")];
    assert.ok(iso?.includes(text.split(" ").at(-1) ?? "never"), `${text} is ${iso} in UTC`);
    await page.locator("#theme").selectOption("dark");
    await page.reload();
    await page.locator("hark-chart canvas").first().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), "dark");
  })],

  ["the first load is at most 15 files and 120 kB compressed", (world) => onPage(world, async (page, record) => {
    await page.waitForLoadState("load");
    const bodies = await Promise.all(record.files.map(async (/** @type {string} */ path) =>
      gzipSync(new Uint8Array(await (await fetch(world.origin + path)).arrayBuffer())).length));
    const weight = bodies.reduce((sum, it) => sum + it, 0);
    assert.ok(record.files.length <= 15, `${record.files.length} files: ${record.files.join(" ")}`);
    assert.ok(weight <= 120_000, `${weight} bytes`);
    assert.ok(weight > 0);
  })],

  ...["light", "dark"].map((scheme) => /** @type {[string, (world: World) => Promise<void>]} */ ([
    `axe finds no violation in the drawer and the keys, ${scheme}`, async (world) => {
      const { id } = await incident(world, unique());
      await onPage(world, async (page) => {
        await page.locator("#drawer .trail").waitFor();
        await page.keyboard.press("s");
        await page.locator("#ask").waitFor();
        await page.evaluate(axe);
        const run = () => page.evaluate(async () => {
          // @ts-ignore: axe is what was just added.
          const result = await window.axe.run(document);
          return result.violations.map((/** @type {any} */ it) => `${it.id}: ${it.nodes.map((/** @type {any} */ node) => node.target).join(" ")}`);
        });
        assert.deepEqual(await run(), []);
        await page.keyboard.press("Escape");
        await page.locator("#drawer").focus();
        await page.keyboard.press("?");
        await page.locator("#keys").waitFor();
        assert.deepEqual(await run(), []);
      }, { scheme }, `#incident=${id}`);
    },
  ])),

  ["no width from 320 px up scrolls sideways", async (world) => {
    for (const width of [320, 360, 768, 1366, 1920]) {
      await onPage(world, async (page) => {
        await loadAll(page);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${wide} px too wide at ${width} px`);
      }, { width, height: 740 }, `#device=${encodeURIComponent(await newestDevice(world))}`);
    }
  }],

  ...["light", "dark"].flatMap((scheme) => [1366, 360].map((width) => /** @type {[string, (world: World) => Promise<void>]} */ ([
    `axe finds no violation, ${scheme}, ${width} px`, (world) => onPage(world, async (page) => {
      await loadAll(page);
      await page.getByRole("button", { name: "Judge it" }).click();
      await page.locator("#verdict").waitFor();
      await page.evaluate(axe);
      const violations = await page.evaluate(async () => {
        // @ts-ignore: axe is what was just added.
        const result = await window.axe.run(document);
        return result.violations.map((/** @type {any} */ it) => `${it.id}: ${it.nodes.map((/** @type {any} */ node) => node.target).join(" ")}`);
      });
      assert.deepEqual(violations, []);
    }, { width, scheme }),
  ]))),
];
