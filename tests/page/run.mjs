// @ts-check
// Drives the page of a running Hark: node tests/page/run.mjs --url http://127.0.0.1:8501 [--screenshots DIR]
// One line a check, then "N passed, N failed"; exit code 0 when all passed, 1 when not, 2 when called wrongly.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { launch, loadAll, open, visit } from "./browser.mjs";
import { checks } from "./checks.mjs";

const { values } = parseArgs({ options: { url: { type: "string" }, screenshots: { type: "string" }, only: { type: "string" } } });
if (!values.url) {
  console.error("usage: node run.mjs --url http://127.0.0.1:8501 [--screenshots DIR] [--only WORDS]");
  process.exit(2);
}
const { origin } = new URL(values.url);

/** @param {string} path @param {unknown} [body] */
async function api(path, body) {
  const response = await fetch(origin + path, body === undefined ? {} : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** @param {import("playwright-core").Browser} browser @param {string} folder */
async function photograph(browser, folder) {
  mkdirSync(folder, { recursive: true });
  for (const scheme of /** @type {const} */ (["light", "dark"])) {
    for (const [width, height] of [[360, 740], [1366, 768], [1920, 1080]]) {
      const { page, close } = await open(browser, origin, { width, height, scheme });
      await visit(page, origin);
      await page.screenshot({ path: join(folder, `${scheme}-${width}-first.png`) });
      await loadAll(page);
      await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: join(folder, `${scheme}-${width}-whole.png`), fullPage: true });
      await close();
    }
  }
}

const chosen = checks.filter(([name]) => name.includes(values.only ?? ""));
if (chosen.length === 0) {
  console.error(`no check has a name with "${values.only}" in it`);
  process.exit(2);
}
const browser = await launch();
let failed = 0;
for (const [name, check] of chosen) {
  // A browser on a machine that is busy with other things misses a moment now and then: what fails is tried once more, and said.
  for (const isLast of [false, true]) {
    const start = performance.now();
    try {
      await check({ browser, origin, api });
      console.log(`ok    ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)${isLast ? ", at the second try" : ""}`);
      break;
    } catch (error) {
      console.log(`${isLast ? "FAIL " : "AGAIN"} ${name}: ${error instanceof Error ? error.message : error}`);
      failed += isLast ? 1 : 0;
    }
  }
}
if (values.screenshots) await photograph(browser, values.screenshots);
await browser.close();
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
