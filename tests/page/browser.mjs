// @ts-check
// A real Chromium with everything it does to the outside switched off, and a record of all that goes wrong in it.
import { chromium } from "playwright-core";

const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** @returns {Promise<import("playwright-core").Browser>} */
export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
}

/**
 * Opens a page that keeps account of its requests, its console and its policy violations.
 * @param {import("playwright-core").Browser} browser @param {string} origin
 * @param {{ width?: number, height?: number, scheme?: "light" | "dark" }} [look]
 */
export async function open(browser, origin, { width = 1366, height = 768, scheme = "light" } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, locale: "en-GB" });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  /** @type {{ errors: string[], foreign: string[], violations: string[], files: string[] }} */
  const record = { errors: [], foreign: [], violations: [], files: [] };
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    const list = /content security policy/i.test(message.text()) ? record.violations : record.errors;
    list.push(message.text());
  });
  page.on("pageerror", (error) => record.errors.push(String(error)));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) record.foreign.push(request.url());
  });
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (!pathname.startsWith("/api/")) record.files.push(pathname);
  });
  await page.exposeFunction("reportViolation", (/** @type {string} */ text) => record.violations.push(text));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      // @ts-ignore: exposed above.
      window.reportViolation(`${event.violatedDirective}: ${event.blockedURI || event.sample}`));
  });
  return { page, record, close: () => context.close() };
}

/** @param {import("playwright-core").Page} page @param {string} origin @param {string} [hash] */
export async function visit(page, origin, hash = "") {
  await page.goto("about:blank");
  await page.goto(`${origin}/${hash}`);
  await page.locator("hark-chart canvas").first().waitFor();
  await page.locator("#readings tbody tr").first().waitFor();
  await page.locator("#devices tbody tr").first().waitFor();
}

/** Scrolls through the page, so that what is loaded late is there. @param {import("playwright-core").Page} page */
export async function loadAll(page) {
  await page.locator("#quality").scrollIntoViewIfNeeded();
  await page.locator("#histogram, #quality .empty").first().waitFor();
  await page.locator("#demo").scrollIntoViewIfNeeded();
  await page.locator("#demo-form").waitFor();
}

/** How many pixels of each chart carry a colour. @param {import("playwright-core").Page} page */
export function inkOfCharts(page) {
  return page.locator("hark-chart canvas").evaluateAll((canvases) => canvases.map((it) => {
    const canvas = /** @type {HTMLCanvasElement} */ (it);
    const pixels = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    let ink = 0;
    for (let n = 3; n < pixels.length; n += 4) if (pixels[n] !== 0) ink += 1;
    return ink;
  }));
}
