/** A page trains in Firefox, and the lab works there: no driver is needed, because a page itself tells a server of this test what came out. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "./cli.ts";
import { buildLab, serveFiles } from "./lab-site.ts";
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

/** Opens the lab in a frame, presses what a reader would, and tells what it shows. */
const labPage = `<!doctype html><iframe id="lab" style="width: 1000px; height: 4000px"></iframe><script type="module">
const tell = (told) => fetch("/told", { method: "POST", body: JSON.stringify(told) });
const frame = document.getElementById("lab");
const errors = [];
async function until(read) {
  for (;;) {
    const found = read();
    if (found) return found;
    await new Promise((later) => setTimeout(later, 100));
  }
}
async function main() {
  frame.src = "/lab/index.html?digits.k=4";
  await new Promise((loaded) => frame.addEventListener("load", loaded));
  const page = frame.contentDocument;
  for (const kind of ["error", "unhandledrejection"])
    frame.contentWindow.addEventListener(kind, (event) => errors.push(String(event.message ?? event.reason)));
  const text = (id) => page.getElementById(id)?.textContent ?? "";
  // These load when they come near.
  for (const panel of ["race", "digits", "own", "reports"]) {
    page.getElementById(panel).scrollIntoView();
    await until(() => page.getElementById(panel).dataset.open !== undefined);
  }
  page.getElementById("landscape-step").click();
  const angle = text("landscape-angle");
  const race = await until(() => /\\d/.test(text("race-projection-height")) && text("race-projection-height"));
  page.getElementById("digits-train").click();
  await until(() => text("digits-train") === "Train again");
  await tell({ angle, race, digits: text("digits-read"), which: text("digits-which"), state: text("digits-state"), errors });
}
main().catch((error) => tell({ errors: [String(error)] }));
</script>`;

describe.skipIf(!hasFirefox)("in Firefox", () => {
  const started: { readonly browser: ChildProcess; readonly server: Server }[] = [];
  afterAll(() => {
    for (const { browser, server } of started) {
      browser.kill("SIGKILL");
      server.close();
    }
  });

  /** Opens a page, and waits for what it tells. */
  async function toldBy(files: RequestListener): Promise<Record<string, unknown>> {
    let hear: (told: Record<string, unknown>) => void = () => undefined;
    const told = new Promise<Record<string, unknown>>((resolveTold) => {
      hear = resolveTold;
    });
    const server = createServer((request, response) => {
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
    const browser = spawn(firefox, ["--headless", "--no-remote", "--profile", profile, address], {
      stdio: "ignore",
      env: { ...process.env, HOME: profile, MOZ_DISABLE_CONTENT_SANDBOX: "1" },
    });
    started.push({ browser, server });
    const all = await told;
    browser.kill("SIGKILL");
    return all;
  }

  it("a run trains in a worker, stops, goes on from its store, and reads digits", async () => {
    const { error, losses, interrupted, accuracy, pixels } = await toldBy(await trainingPage(page));
    expect(error).toBeUndefined();
    expect(losses).toHaveLength(40);
    expect(interrupted).toBeGreaterThanOrEqual(10);
    expect(interrupted).toBeLessThan(40);
    expect(accuracy).toBeGreaterThan(0.3);
    expect(pixels).toEqual([128, 64, 32, 128, 64, 32]);
  });

  it("the lab's panels open, and its digits are learned", async () => {
    const folder = buildLab();
    const files = serveFiles("/", (name) =>
      name === "index.html" ? labPage : join(folder, name.slice("lab/".length) || "index.html"),
    );
    const { errors, angle, race, digits, which } = await toldBy(files);
    expect(errors).toEqual([]);
    expect(angle).toMatch(/^\d+° off/);
    expect(Number(race)).toBeGreaterThan(0);
    expect(which).toBe("your run");
    expect(Number(String(digits).replace(" %", ""))).toBeGreaterThan(80);
  });
});
