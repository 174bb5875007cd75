/** A run that a page keeps, in a tab that is killed, frozen, or short of room: the same bytes as undisturbed. */
import { createServer, type Server } from "node:http";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasBrowser } from "./lab-site.ts";
import { listen } from "./server.ts";
import { trainingPage } from "./training-page.ts";

const kills = 20;
/** Enough for all kills to meet a run at work, on most machines. */
const steps = 240;

const page = `
import { glyphs, mlp } from "forwardgrad";
import { opfsStore, trainInWorker } from "forwardgrad/web";
const data = glyphs({ train: 128, test: 16 });
const model = mlp({ input: [1, 28, 28], hidden: [16], outputs: 10, normalization: data.normalization });
globalThis.told = { step: -1 };
globalThis.begin = (store) => {
  globalThis.worker = new Worker(new URL("worker.js", location.href), { type: "module" });
  const options = { model, examples: data.train, steps: ${steps}, tangents: 2, batch: 16, validation: 0 };
  const kept = { store, resume: true, checkpointSeconds: 0.05, runtime: { wasmPaths: location.origin + "/" } };
  const training = trainInWorker(worker, { ...options, ...kept });
  (async () => {
    for await (const event of training) {
      if (event.kind === "start" || event.kind === "step") told.step = event.step;
      if (event.kind === "done") told.model = Array.from(event.model).join();
    }
  })().catch((error) => { told.error = error.name + ": " + error.message; });
};
globalThis.clear = (store) => opfsStore(store).delete();
`;

describe.skipIf(!hasBrowser)("a run in a tab", () => {
  let server: Server;
  let browser: Browser;
  let context: BrowserContext;
  let address: string;
  let whole: string;

  beforeAll(async () => {
    server = createServer(await trainingPage(page));
    address = `http://localhost:${await listen(server)}/`;
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    context = await browser.newContext();
    const undisturbed = await open();
    await begin(undisturbed, "whole");
    whole = await end(undisturbed);
    await undisturbed.close();
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  async function open(): Promise<Page> {
    const opened = await context.newPage();
    await opened.goto(address);
    await until(() => opened.evaluate("typeof begin === 'function'"));
    return opened;
  }
  const begin = (on: Page, store: string) => on.evaluate(`begin(${JSON.stringify(store)})`);
  const step = async (on: Page) => Number(await on.evaluate("told.step"));
  const problem = (on: Page) => on.evaluate("told.error") as Promise<string | undefined>;
  async function end(on: Page): Promise<string> {
    await until(() => on.evaluate("told.model !== undefined || told.error !== undefined"));
    expect(await problem(on)).toBeUndefined();
    return (await on.evaluate("told.model")) as string;
  }
  async function until(isSo: () => Promise<unknown>): Promise<void> {
    for (let waited = 0; !(await isSo()); waited++) {
      if (waited > 10_000) throw new TypeError("The page takes too long.");
      await later(10);
    }
  }
  const later = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

  it(`is killed ${kills} times at random moments, and ends with the same bytes`, async () => {
    const reached: number[] = [];
    for (let kill = 0; kill < kills; kill++) {
      const tab = await open();
      await begin(tab, "killed");
      // While it starts, or while it trains.
      if (kill % 4 !== 0)
        await expect.poll(() => step(tab), { timeout: 60_000, interval: 5 }).toBeGreaterThan(-1);
      await later(Math.random() * (kill % 4 === 0 ? 600 : 250));
      reached.push(await step(tab));
      if (kill % 3 === 0) {
        const crashed = new Promise((done) => tab.once("crash", done));
        const session = await context.newCDPSession(tab);
        void session.send("Page.crash").catch(() => undefined);
        await crashed;
      }
      if (kill % 3 === 1) await tab.evaluate("worker.terminate()");
      await tab.close();
    }
    const last = await open();
    await begin(last, "killed");
    expect(await end(last)).toBe(whole);
    // No kill met what no resumption began.
    expect(Math.max(...reached)).toBeGreaterThan(0);
    await last.close();
  });

  it("is frozen for a while, and ends with the same bytes", async () => {
    const tab = await open();
    await begin(tab, "frozen");
    await expect.poll(() => step(tab), { timeout: 60_000, interval: 5 }).toBeGreaterThan(0);
    const session = await context.newCDPSession(tab);
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    await later(300);
    await session.send("Page.setWebLifecycleState", { state: "active" });
    expect(await end(tab)).toBe(whole);
    await tab.close();
  });

  it("is one tab's: the second is refused, and the first goes on", async () => {
    const [first, second] = [await open(), await open()];
    await begin(first, "shared");
    await expect.poll(() => step(first), { timeout: 60_000, interval: 5 }).toBeGreaterThan(-1);
    await begin(second, "shared");
    await expect
      .poll(() => problem(second), { timeout: 60_000 })
      .toMatch(/^StorageError: .*in use by another tab/);
    expect(await end(first)).toBe(whole);
    await first.close();
    await second.close();
  });

  it("stops where the storage is full, and goes on when there is room", async () => {
    const tab = await open();
    const session = await context.newCDPSession(tab);
    const origin = address.slice(0, -1);
    await begin(tab, "full");
    await expect.poll(() => step(tab), { timeout: 60_000, interval: 5 }).toBeGreaterThan(0);
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1000 });
    await expect
      .poll(() => problem(tab), { timeout: 60_000 })
      .toMatch(/^StorageError: .*storage is full: delete runs that are done with/);
    await session.send("Storage.overrideQuotaForOrigin", { origin });
    await tab.close();
    const again = await open();
    await begin(again, "full");
    expect(await end(again)).toBe(whole);
    await again.close();
  });
});
