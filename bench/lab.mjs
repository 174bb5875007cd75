// Frames and long tasks of the lab's page while its panels train: node bench/lab.mjs, after npm run lab:build. Chromium, headless.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright";
import { serveFolder } from "../lab/serve.mjs";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "10" }, to: { type: "string" } },
});
const folder = values.to ?? resolve(import.meta.dirname, "../lab/dist");
const { address, close } = await serveFolder(folder);
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const watch = `globalThis.frames_ = []; globalThis.tasks = [];
  const frame = (now) => { frames_.push(now); requestAnimationFrame(frame); }; requestAnimationFrame(frame);
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });`;
const quantile = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;

for (const [panel, prepare] of [
  ["digits", async () => undefined],
  [
    "own",
    async (page) => {
      await page.locator("#own-example").click();
      await page.locator("#own-train:enabled").waitFor();
      await page.locator("#own-epochs").fill("2000");
      await page.locator("#own-epochs").blur();
      await page.locator("#own-train:disabled").waitFor();
      await page.locator("#own-train:enabled").waitFor();
    },
  ],
]) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(`${address}?embed=${panel}`);
  await page.locator(`#${panel}[data-open]`).waitFor();
  await prepare(page);
  await page.evaluate(watch);
  const began = Date.now();
  await page.locator(`#${panel}-train`).click();
  while (!/^step/.test(await page.locator(`#${panel}-state`).innerText())) await page.waitForTimeout(20);
  const first = Date.now() - began;
  await page.waitForTimeout(1000 * Number(values.seconds));
  const { frames, tasks } = await page.evaluate("({ frames: frames_, tasks })");
  const gaps = frames
    .slice(1)
    .map((time, at) => time - frames[at])
    .sort((a, b) => a - b);
  const seconds = (frames.at(-1) - frames[0]) / 1000;
  console.log(
    `${panel}: first step after ${first} ms; ${(gaps.length / seconds).toFixed(1)} frames a second over ${seconds.toFixed(1)} s, ` +
      `gap of 99 %: ${quantile(gaps, 0.99).toFixed(0)} ms, longest ${gaps.at(-1).toFixed(0)} ms; tasks above 50 ms: ${tasks.length} ` +
      `(longest ${Math.max(0, ...tasks).toFixed(0)} ms); ${await page.locator(`#${panel}-state`).innerText()}`,
  );
  await page.close();
}
await browser.close();
close();
