/** A run in a tab that another one covers: the browser throttles its timers, and the run ends with the same bytes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { WebSocket } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "./cli.ts";
import { hasBrowser } from "./lab-site.ts";
import { listen } from "./server.ts";
import { trainingPage } from "./training-page.ts";

/** Enough for the other tab to come while the run is under way. */
const steps = 240;

const page = `
import { glyphs, mlp, train } from "forwardgrad";
import { opfsStore, trainInWorker, webRuntime } from "forwardgrad/web";
const data = glyphs({ train: 128, test: 16 });
const model = mlp({ input: [1, 28, 28], hidden: [16], outputs: 10, normalization: data.normalization });
const run = { model, examples: data.train, steps: ${steps}, tangents: 2, batch: 16, validation: 0, checkpointSeconds: 0.05 };
const runtime = { wasmPaths: location.origin + "/" };
globalThis.told = { step: -1, ticks: 0, seen: [] };
setInterval(() => { told.ticks += 1; }, 10);
document.addEventListener("visibilitychange", () => {
  told.seen.push(document.visibilityState);
  told.at ??= told.step;
});
const worker = () => new Worker(new URL("worker.js", location.href), { type: "module" });
globalThis.begin = async (kind, store) => {
  Object.assign(told, { step: -1, model: undefined });
  const training = kind === "worker"
    ? trainInWorker(worker(), { ...run, store, runtime })
    : train({ ...run, store: opfsStore(store), runtime: await webRuntime(runtime) });
  for await (const event of training) {
    if (event.kind === "step") told.step = event.step;
    if (event.kind === "done") told.model = Array.from(event.model).join();
  }
};
`;

describe.skipIf(!hasBrowser)("a run in a hidden page", () => {
  let server: Server;
  let tabs: Tabs;
  let address: string;
  beforeAll(async () => {
    server = createServer(await trainingPage(page));
    address = `http://localhost:${await listen(server)}/`;
    tabs = await openTabs();
  });
  afterAll(async () => {
    await tabs?.close();
    server?.close();
  });

  it.each(["worker", "page"])(
    "goes on where timers are throttled, and loses nothing: in a %s",
    async (kind) => {
      const tab = await tabs.open(address);
      const ready = () => tab.evaluate("typeof begin");
      await expect.poll(ready, { timeout: 60_000 }).toBe("function");
      const begin = (store: string) =>
        tab.evaluate(`void begin(${JSON.stringify(kind)}, ${JSON.stringify(`${kind} ${store}`)})`);
      const ended = async () => {
        await expect.poll(() => tab.evaluate("told.model !== undefined"), { timeout: 120_000 }).toBe(true);
        return tab.evaluate("told.model");
      };
      await begin("in front");
      const whole = await ended();
      await begin("behind");
      await expect.poll(() => tab.evaluate("told.step"), { timeout: 60_000, interval: 5 }).toBeGreaterThan(0);
      const other = await tabs.open("data:text/html,in front");
      await expect.poll(() => tab.evaluate("document.visibilityState")).toBe("hidden");
      expect(await tab.evaluate("told.at")).toBeLessThan(steps);
      // The timer of 10 ms has a turn a second.
      const counted = `new Promise((done) => {
      const before = told.ticks;
      const { port1, port2 } = new MessageChannel();
      const end = performance.now() + 1500;
      port1.onmessage = () => performance.now() < end ? port2.postMessage(0) : done(told.ticks - before);
      port2.postMessage(0);
    })`;
      expect(await tab.evaluate(counted)).toBeLessThan(5);
      expect(await ended()).toBe(whole);
      expect(await tab.evaluate("told.seen.join()")).toBe("hidden");
      await tab.show();
      await expect.poll(() => tab.evaluate("told.seen.join()")).toBe("hidden,visible");
      await other.close();
      await tab.close();
    },
  );
});

/** Tabs of one window, of which one is in front: a driver of browsers pretends to every page that it is seen. */
interface Tabs {
  open(address: string): Promise<Tab>;
  close(): Promise<void>;
}

interface Tab {
  evaluate(expression: string): Promise<unknown>;
  show(): Promise<void>;
  close(): Promise<void>;
}

interface Answer {
  readonly id?: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

async function openTabs(): Promise<Tabs> {
  const switches = ["--headless=new", "--no-sandbox", "--disable-background-networking"];
  const browser = spawn(
    "/usr/bin/chromium",
    [...switches, "--remote-debugging-port=0", `--user-data-dir=${temporaryFolder()}`, "about:blank"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const socket = new WebSocket(await addressOf(browser));
  await once(socket as unknown as EventTarget & NodeJS.EventEmitter, "open");
  const waiting = new Map<number, (answer: Answer) => void>();
  socket.addEventListener("message", ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    waiting.get(answer.id ?? 0)?.(answer);
  });
  const send = async (method: string, params: object = {}, sessionId?: string) => {
    const id = waiting.size + 1;
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
    socket.send(JSON.stringify({ id, method, params, sessionId }));
    const { result, error } = await answered;
    if (!result) throw new TypeError(`${method}: ${error?.message}`);
    return result;
  };
  return {
    async open(url) {
      const { targetId } = await send("Target.createTarget", { url });
      const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
      return {
        async evaluate(expression) {
          const options = { expression, returnByValue: true, awaitPromise: true };
          const { result } = await send("Runtime.evaluate", options, String(sessionId));
          return (result as { readonly value?: unknown }).value;
        },
        async show() {
          await send("Target.activateTarget", { targetId });
        },
        async close() {
          await send("Target.closeTarget", { targetId });
        },
      };
    },
    async close() {
      const ended = once(browser, "exit");
      await send("Browser.close");
      await ended;
    },
  };
}

/** Where the browser listens. */
function addressOf({ stderr }: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let told = "";
    stderr?.on("data", (data) => {
      told += data;
      const [, address] = /DevTools listening on (ws:\S+)/.exec(told) ?? [];
      if (address) resolve(address);
    });
  });
}
