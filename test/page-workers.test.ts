/** Pages as workers of a run: Chromium's, over the WebSocket of a real server, beside processes of Node. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join, resolve } from "node:path";
import { type Browser, chromium, type Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { joinOnServer } from "../src/distributed/node-nats.ts";
import type { CrewEvent } from "../src/distributed/run/questions.ts";
import { trainTogether } from "../src/distributed/run/train-together.ts";
import { work } from "../src/distributed/run/work.ts";
import type { WorkEvent } from "../src/distributed/work-events.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { hasBrowser } from "./lab-site.ts";
import { freePort, noServer, type TemporaryServer, temporaryServer } from "./nats-server.ts";
import { listen } from "./server.ts";
import { trainingPage } from "./training-page.ts";

const settings = `{ perturb: "weights", tangents: 8, batch: 32, validation: 0,
  optimizer: { name: "sgd", momentum: 0.9 } }`;
const page = `
import { glyphs, mlp, train } from "forwardgrad";
import { inGranules } from "forwardgrad/distributed";
import { webRuntime, workInWorker } from "forwardgrad/web";
const runtime = { wasmPaths: location.origin + "/" };
globalThis.told = { events: [] };
globalThis.begin = (url, run) => {
  const worker = new Worker(new URL("worker.js", location.href), { type: "module" });
  globalThis.worker = worker;
  globalThis.stop = new AbortController();
  const onEvent = (event) => told.events.push(event);
  workInWorker(worker, { url, run, runtime, signal: stop.signal, onEvent }).then(
    (result) => { told.result = result; },
    (error) => { told.error = error.name + ": " + error.message; },
  );
};
globalThis.alone = async (sampler, steps) => {
  const data = glyphs({ train: 128, test: 16 });
  const model = mlp({ input: [1, 28, 28], hidden: [16], outputs: 10, normalization: data.normalization });
  const options = { ...${settings}, model, examples: data.train, sampler, steps };
  for await (const event of train({ ...options, runtime: await webRuntime(runtime), gradient: inGranules({ size: 2 }) }))
    if (event.kind === "done") {
      const hash = await crypto.subtle.digest("SHA-256", event.model);
      return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
    }
};
`;

const hashOf = (model: Uint8Array) => createHash("sha256").update(model).digest("hex");

const runtime = nodeRuntime({ threads: 1 });

describe.skipIf(!hasBrowser || noServer !== undefined)("a page as a worker", () => {
  let server: TemporaryServer;
  const pages: Server[] = [];
  let browser: Browser;
  let [address, example, url] = ["", "", ""];

  beforeAll(async () => {
    const folder = resolve(import.meta.dirname, "../examples/pages/together");
    const read = (name: string) => readFileSync(join(folder, name), "utf8");
    const html = read("index.html").replace("./main.js", "page.js");
    // Of one host, the server allows one origin.
    const scripts = [
      ["localhost", page],
      ["127.0.0.1", read("main.js"), html],
    ] as const;
    const origins: string[] = [];
    for (const [host, script, shown] of scripts) {
      const served = createServer(await trainingPage(script, "serveWork", shown));
      pages.push(served);
      origins.push(`http://${host}:${await listen(served)}`);
    }
    [address = "", example = ""] = origins.map((origin) => `${origin}/`);
    const port = await freePort();
    url = `ws://127.0.0.1:${port}`;
    server = await temporaryServer({
      configuration: `websocket { listen: "127.0.0.1:${port}", no_tls: true, allowed_origins: ${JSON.stringify(origins)} }`,
    });
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  });
  afterAll(async () => {
    await browser?.close();
    for (const served of pages) served.close();
    await server?.stop();
  });

  const evaluate = <Value>(on: Page, code: string) => on.evaluate(code) as Promise<Value>;
  async function open(from = address): Promise<Page> {
    const opened = await browser.newPage();
    await opened.goto(from);
    await expect.poll(() => evaluate(opened, "typeof begin"), { timeout: 30_000 }).toBe("function");
    return opened;
  }
  const begin = (on: Page, run: string) =>
    on.evaluate(`begin(${JSON.stringify(url)}, ${JSON.stringify(run)})`);
  const counted = (on: Page, kind: string) =>
    evaluate<number>(on, `told.events.filter((event) => event.kind === "${kind}").length`);
  const until = (isSo: () => Promise<unknown> | unknown) =>
    expect.poll(isSo, { timeout: 60_000, interval: 20 }).toBeTruthy();

  async function optionsOf(sampler: "rademacher" | "low-rank", steps: number): Promise<TrainOptions> {
    const { glyphs, mlp } = await import("../src/index.ts");
    const data = glyphs({ train: 128, test: 16 });
    const model = mlp({ input: [1, 28, 28], hidden: [16], outputs: 10, normalization: data.normalization });
    const common = { perturb: "weights", tangents: 8, batch: 32, validation: 0 } as const;
    return {
      ...{ ...common, model, examples: data.train, runtime, sampler, steps },
      optimizer: { name: "sgd", momentum: 0.9 },
    };
  }

  async function coordinate(
    run: string,
    options: TrainOptions,
    check: number,
    onStep?: (step: number) => unknown,
  ) {
    const transport = await joinOnServer({ url: server.url, run, create: true });
    const crew: CrewEvent[] = [];
    let model = new Uint8Array();
    const granule = options.gradient === "exact" ? {} : { granule: 2 };
    const together = { transport, ...granule, check, onCrew: (event: CrewEvent) => crew.push(event) };
    for await (const event of trainTogether({ ...options, store: memoryStore() }, together)) {
      if (event.kind === "step") await onStep?.(event.step);
      if (event.kind === "done") model = event.model;
    }
    await transport.close();
    return { model, crew };
  }

  for (const sampler of ["rademacher", "low-rank"] as const)
    it(`follows the run bit for bit beside a process of Node, is killed, and another joins late: ${sampler}`, async () => {
      const run = `beside-${sampler}`;
      const options = await optionsOf(sampler, 60);
      const tab = await open();
      await begin(tab, run);
      let late: Page | undefined;
      const events: WorkEvent[] = [];
      const transport = await joinOnServer({ url: server.url, run, create: true });
      const node = work({ transport, runtime, takesOver: false, onEvent: (event) => events.push(event) });
      // Every granule is computed by both: last bits differ, and nobody is a liar for it.
      const { crew, model } = await coordinate(run, options, 1, async (step) => {
        if (step === 1) await until(() => counted(tab, "joined"));
        if (step === 10) {
          await until(() => counted(tab, "answered"));
          const crashed = new Promise((done) => tab.once("crash", done));
          const session = await tab.context().newCDPSession(tab);
          void session.send("Page.crash").catch(() => undefined);
          await crashed;
        }
        if (step === 12) {
          late = await open();
          await begin(late, run);
        }
        if (step === 40) await until(() => counted(late as Page, "joined"));
      });
      const last = late as Page;
      await until(() => evaluate(last, "told.result !== undefined || told.error !== undefined"));
      expect(await evaluate(last, "told.error")).toBeUndefined();
      expect(await evaluate(last, "told.result.how")).toBe("done");
      expect(await evaluate(last, "told.result.granules")).toBeGreaterThan(0);
      expect(await node).toMatchObject({ how: "done", steps: 60 });
      // Each record names the parameters before it: who has others joins anew.
      expect(await counted(last, "joined")).toBe(1);
      expect(events.filter(({ kind }) => kind === "joined")).toHaveLength(1);
      expect(crew.filter(({ kind }) => kind === "dropped")).toEqual([]);
      expect(model.length).toBeGreaterThan(1000);
      await Promise.all([transport.close(), last.close(), tab.close()]);
    }, 90_000);

  for (const sampler of ["rademacher", "low-rank"] as const)
    it(`gives the bytes of a run in a page alone where pages alone compute: ${sampler}`, async () => {
      const run = `pages-${sampler}`;
      const tab = await open();
      await begin(tab, run);
      const options = await optionsOf(sampler, 20);
      const { model } = await coordinate(run, options, 0);
      await until(() => evaluate(tab, "told.result !== undefined"));
      expect(hashOf(model)).toBe(await evaluate(tab, `alone("${sampler}", 20)`));
      await tab.close();
    }, 90_000);

  it("computes parts of batches beside a process of Node, for exact gradients", async () => {
    const { perturb, tangents, sampler, ...options } = await optionsOf("rademacher", 30);
    const run = "parts";
    const tab = await open();
    await begin(tab, run);
    const transport = await joinOnServer({ url: server.url, run, create: true });
    const node = work({ transport, runtime, takesOver: false });
    // Each part is computed by both, whose last bits differ.
    const exact = { ...options, gradient: "exact" } as const;
    const { crew, model } = await coordinate(run, exact, 1, async (step) => {
      // Who joins is asked from the next step on, so steps give it time without waiting for its answer.
      if (step <= 15 && (await counted(tab, "computed")) === 0)
        await new Promise((resolve) => setTimeout(resolve, 2000));
    });
    await until(() => evaluate(tab, "told.result !== undefined || told.error !== undefined"));
    expect(await evaluate(tab, "told.error")).toBeUndefined();
    expect(await evaluate(tab, "told.result.how")).toBe("done");
    expect(await evaluate(tab, "told.result.granules")).toBeGreaterThan(30);
    expect(await node).toMatchObject({ how: "done" });
    expect(crew.filter(({ kind }) => kind === "dropped")).toEqual([]);
    expect(model.length).toBeGreaterThan(1000);
    await Promise.all([transport.close(), tab.close()]);
  }, 90_000);

  it("joins by the form of examples/pages/together, and is done with the run", async () => {
    const tab = await browser.newPage();
    await tab.goto(example);
    const state = () => tab.locator("#state").innerText();
    await tab.fill("[name=url]", url);
    await tab.fill("[name=run]", "form");
    await tab.click("#join button");
    await coordinate("form", await optionsOf("rademacher", 8), 0);
    await expect.poll(state, { timeout: 30_000 }).toMatch(/The run is done: 32 answers, 8 steps followed/);
    await tab.close();
  }, 90_000);

  it("is let in from an origin that the server names, and from no other; an unknown run is waited for", async () => {
    const tab = await open();
    await begin(tab, "nobody-began-this");
    await until(() => counted(tab, "waiting"));
    await tab.evaluate("stop.abort()");
    await until(() => evaluate(tab, "told.result !== undefined"));
    expect(await evaluate(tab, "told.result.how")).toBe("stopped");
    const elsewhere = await open(address.replace("localhost", "127.0.0.1"));
    await begin(elsewhere, "nobody-began-this");
    await until(() => evaluate(elsewhere, "told.error !== undefined"));
    expect(await evaluate(elsewhere, "told.error")).toMatch(
      /^TransportError: No server lets this page in .*allowed_origins/,
    );
    await Promise.all([tab.close(), elsewhere.close()]);
  }, 90_000);
});
