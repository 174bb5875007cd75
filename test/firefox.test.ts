/** A page trains in Firefox: no driver of it is needed, because the page itself tells a server of this test what came out. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "./cli.ts";
import { listen } from "./server.ts";
import { trainingPage } from "./training-page.ts";

const firefox = "/usr/bin/firefox-esr";
const hasFirefox = existsSync(firefox);
if (!hasFirefox)
  console.warn(`The test in Firefox is skipped: there is no ${firefox} (apt-get install firefox-esr).`);

const page = `
import { glyphs, mlp } from "forwardgrad";
import { decodePicture, opfsStore, trainInWorker } from "forwardgrad/web";
const data = glyphs({ train: 512, test: 128 });
const model = mlp({ input: [1, 28, 28], hidden: [16], outputs: 10, normalization: data.normalization });
const tell = (told) => fetch("/told", { method: "POST", body: JSON.stringify(told) });
const runtime = { wasmPaths: location.origin + "/" };
async function run(stopAt) {
  const worker = new Worker("worker.js", { type: "module" });
  const stop = new AbortController();
  const options = { model, examples: data.train, test: data.test, steps: 40, store: "firefox", resume: true };
  const steps = [];
  for await (const event of trainInWorker(worker, { ...options, runtime, signal: stop.signal })) {
    if (event.kind === "step") steps.push(event.loss);
    if (event.kind === "step" && event.step >= stopAt) stop.abort();
    if (event.kind === "done") return { steps, accuracy: event.result.testAccuracy };
  }
  worker.terminate();
  return { steps };
}
async function main() {
  const first = await run(10);
  const second = await run(1000);
  const canvas = new OffscreenCanvas(2, 1);
  canvas.getContext("2d").fillStyle = "#804020";
  const context = canvas.getContext("2d");
  context.fillRect(0, 0, 2, 1);
  const png = new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
  const picture = await decodePicture(png, { checkSize() {} });
  await tell({ losses: [...first.steps, ...second.steps], interrupted: first.steps.length, accuracy: second.accuracy, pixels: [...picture.data] });
}
main().catch((error) => tell({ error: String(error) }));
`;

describe.skipIf(!hasFirefox)("in Firefox", () => {
  let server: Server;
  let browser: ChildProcess | undefined;
  let hear: (told: Record<string, unknown>) => void = () => undefined;
  const told = new Promise<Record<string, unknown>>((resolveTold) => {
    hear = resolveTold;
  });

  beforeAll(async () => {
    const files = await trainingPage(page);
    server = createServer((request, response) => {
      if (request.method !== "POST") return files(request, response);
      let text = "";
      request.on("data", (part) => {
        text += part;
      });
      request.on("end", () => {
        response.end();
        hear(JSON.parse(text));
      });
    });
    const address = `http://localhost:${await listen(server)}/`;
    const profile = temporaryFolder();
    browser = spawn(firefox, ["--headless", "--no-remote", "--profile", profile, address], {
      stdio: "ignore",
      env: { ...process.env, HOME: profile, MOZ_DISABLE_CONTENT_SANDBOX: "1" },
    });
  });
  afterAll(() => {
    browser?.kill("SIGKILL");
    server?.close();
  });

  it("a run trains in a worker, stops, goes on from its store, and reads digits", async () => {
    const { error, losses, interrupted, accuracy, pixels } = await told;
    expect(error).toBeUndefined();
    expect(losses).toHaveLength(40);
    expect(interrupted).toBeGreaterThanOrEqual(10);
    expect(interrupted).toBeLessThan(40);
    expect(accuracy).toBeGreaterThan(0.3);
    expect(pixels).toEqual([128, 64, 32, 128, 64, 32]);
  });
});
