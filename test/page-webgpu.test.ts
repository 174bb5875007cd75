/** A page's own WebGPU, counted from outside: what crosses, what is kept, and what is left when the device is lost. */
import { createServer, type Server } from "node:http";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasBrowser, softwareWebgpu } from "./lab-site.ts";
import { listen } from "./server.ts";
import { trainingPage } from "./training-page.ts";

/** Numbers of the parameters; those that step by step stay on the device. */
const parameters = 64 * 64 + 64 + 64 * 4 + 4;

/** Counts by the browser's own calls what crosses, and which buffers there are. */
const counting = `
const outside = globalThis.outside = { up: 0, down: 0, buffers: 0, bytes: 0 };
const kept = new Map();
const instead = (type, name, make) => { type.prototype[name] = make(type.prototype[name]); };
instead(GPUDevice, "createBuffer", (create) => function (options) {
  const buffer = create.call(this, options);
  kept.set(buffer, options.size);
  outside.buffers += 1;
  outside.bytes += options.size;
  if (options.mappedAtCreation) outside.up += options.size;
  return buffer;
});
instead(GPUBuffer, "destroy", (destroy) => function () {
  if (kept.has(this)) { outside.buffers -= 1; outside.bytes -= kept.get(this); }
  kept.delete(this);
  return destroy.call(this);
});
instead(GPUQueue, "writeBuffer", (write) => function (buffer, at, data, start = 0, size) {
  const unit = data.BYTES_PER_ELEMENT ?? 1;
  outside.up += size === undefined ? data.byteLength - unit * start : unit * size;
  return size === undefined ? write.call(this, buffer, at, data, start) : write.call(this, buffer, at, data, start, size);
});
instead(GPUBuffer, "mapAsync", (map) => function (mode, start = 0, size = this.size - start) {
  if (mode === GPUMapMode.READ) outside.down += size;
  return map.call(this, mode, start, size);
});
`;

const page = `${counting}
import { mlp, train } from "forwardgrad";
import { opfsStore, webRuntime } from "forwardgrad/web";
const count = 256;
const labels = Int32Array.from({ length: count }, (_, index) => index % 4);
const inputs = Float32Array.from({ length: 64 * count }, (_, index) => Math.sin(index * index) + (index % 64 === labels[Math.floor(index / 64)] ? 2 : 0));
const examples = { inputs, labels, shape: [64], count };
const model = mlp({ input: [64], hidden: [64], outputs: 4 });
const told = globalThis.told = { step: 0, losses: [] };
globalThis.begin = async ({ store, ...given }) => {
  Object.assign(told, { step: 0, losses: [], steps: [], error: undefined, isDone: false });
  try {
    const runtime = await webRuntime({ device: "webgpu", wasmPaths: location.origin + "/" });
    const kept = store === undefined ? {} : { store: opfsStore(store), resume: true, checkpointSeconds: 0 };
    for await (const event of train({ model, examples, batch: 8, validation: 0, runtime, ...kept, ...given })) {
      if (event.kind !== "step") continue;
      told.step = event.step;
      told.losses[event.step] = event.loss;
      told.steps.push({ own: event.transferred, ...outside });
    }
    told.isDone = true;
  } catch (error) {
    told.error = error.name + ": " + error.message;
  }
};
`;

/** Counted from outside since the page was opened, and what the step says of itself, in bytes; buffers that are not destroyed. */
interface StepCounts {
  readonly up: number;
  readonly down: number;
  readonly buffers: number;
  readonly bytes: number;
  readonly own: { readonly up: number; readonly down: number };
}

describe.skipIf(!hasBrowser)("a page's WebGPU", () => {
  let server: Server;
  let browser: Browser;
  let context: BrowserContext;
  let address: string;
  beforeAll(async () => {
    server = createServer(await trainingPage(page));
    address = `http://localhost:${await listen(server)}/`;
    browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: ["--no-sandbox", ...softwareWebgpu],
    });
    context = await browser.newContext();
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  async function open(): Promise<Page> {
    const opened = await context.newPage();
    await opened.goto(address);
    await opened.waitForFunction("typeof begin === 'function'");
    return opened;
  }
  const begin = (on: Page, options: object) => on.evaluate(`void begin(${JSON.stringify(options)})`);
  const ended = (on: Page, timeout: number) =>
    on.waitForFunction("told.isDone || told.error !== undefined", undefined, { timeout, polling: 100 });

  it("counts what crosses as the browser does, and its memory is flat", async () => {
    const tab = await open();
    // For a checkpoint, parameters come back; when one is due, the clock decides.
    await begin(tab, { steps: 30, tangents: 2, checkpointSeconds: 3600 });
    await ended(tab, 240_000);
    expect(await tab.evaluate("told.error")).toBeUndefined();
    const steps = (await tab.evaluate("told.steps")) as StepCounts[];
    expect(steps).toHaveLength(30);
    const [first, last] = [steps[9], steps[29]] as [StepCounts, StepCounts];
    expect(last.buffers).toBe(first.buffers);
    expect(last.bytes).toBe(first.bytes);
    for (const way of ["up", "down"] as const) {
      const own = last.own[way];
      const outside = (last[way] - first[way]) / 20;
      expect(outside, way).toBeGreaterThanOrEqual(own);
      // Beyond what was asked for, the engine fills up to 16 bytes, and tells its shaders what they have to do.
      expect(outside, way).toBeLessThan(own + (way === "up" ? 8192 : 512));
      expect(outside, way).toBeLessThan(4 * parameters);
    }
    await tab.close();
  });

  it("ends with a DeviceError when it is lost, and a run goes on from its last good state with the same losses", async () => {
    const run = { gradient: "exact", steps: 16 };
    const undisturbed = await open();
    await begin(undisturbed, { ...run, store: "undisturbed" });
    await ended(undisturbed, 120_000);
    const expected = (await undisturbed.evaluate("told.losses")) as number[];
    expect(expected).toHaveLength(17);
    await undisturbed.close();
    const tab = await open();
    await begin(tab, { ...run, store: "lost" });
    await tab.waitForFunction("told.step > 4", undefined, { timeout: 60_000, polling: 1 });
    // The process that all pages' devices are in.
    await (await browser.newBrowserCDPSession()).send("Browser.crashGpuProcess");
    await ended(tab, 60_000);
    expect(await tab.evaluate("told.error")).toMatch(
      /^DeviceError: The graphics device was lost .* What was saved stays/,
    );
    await tab.reload();
    await tab.waitForFunction("typeof begin === 'function'");
    await begin(tab, { ...run, store: "lost" });
    await ended(tab, 120_000);
    expect(await tab.evaluate("told.error")).toBeUndefined();
    const losses = (await tab.evaluate("told.losses")) as (number | undefined)[];
    const resumed = losses.findIndex((loss) => typeof loss === "number");
    expect(resumed).toBeGreaterThan(4);
    expect(losses.slice(resumed)).toEqual(expected.slice(resumed));
    await tab.close();
  });
});
