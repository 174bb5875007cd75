/** The lab's panel of one's own model: files that other programs wrote, trained and kept in the page. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildLab, hasBrowser, type LabSite, number, openLabSite, text } from "./lab-site.ts";

const cases = join(import.meta.dirname, "cases");
const example = join(import.meta.dirname, "../lab/example");
const file = (path: string, name = basename(path)) => ({ name, buffer: readFileSync(path) });
const lab = (name: string) => file(join(cases, "lab", name));
const digits = file(join(example, "digits.onnx"));
const table = file(join(example, "turned-digits.csv"));

describe.skipIf(!hasBrowser)("a model of one's own", () => {
  let site: LabSite;
  /** One page for what leaves nothing behind: loading the engine takes longer than the runs. */
  let page: Page;
  /** The whole page, which leaves and resumes a run, and then loses its network. */
  let parted: Page;
  beforeAll(async () => {
    site = await openLabSite(buildLab());
    page = await open();
  });
  afterAll(() => site?.close());

  async function open(query = "?embed=own"): Promise<Page> {
    const opened = await site.open(query);
    await opened.locator("#own[data-open]").waitFor();
    return opened;
  }
  interface Given {
    readonly name: string;
    readonly buffer: Buffer;
  }
  const drop = (on: Page, ...files: readonly Given[]) =>
    on
      .locator("#own-files")
      .setInputFiles(files.map((each) => ({ ...each, mimeType: "application/octet-stream" })));
  const state = (on: Page) => text(on, "own-state");
  const problem = (on: Page) => text(on, "own-error");
  async function ready(on: Page): Promise<string> {
    await expect.poll(() => state(on), { timeout: 60_000 }).toBe("Ready to train.");
    return text(on, "own-understood");
  }
  async function train(on: Page, epochs: number): Promise<void> {
    await on.locator("#own-epochs").fill(String(epochs));
    await on.locator("#own-epochs").blur();
    await ready(on);
    await on.locator("#own-train").press("Enter");
    await expect.poll(() => state(on), { timeout: 60_000 }).toMatch(/^done/);
  }
  async function saved(on: Page): Promise<Buffer> {
    const [download] = await Promise.all([
      on.waitForEvent("download"),
      on.locator("#own-save").press("Enter"),
    ]);
    return readFileSync(await download.path());
  }

  it("shows a recorded run at rest, and learns its example with one click, all of it in the page", async () => {
    expect(await text(page, "own-before")).toBe("11 %");
    expect(await page.locator("#own-predictions tr").count()).toBe(8);
    await page.locator("#own-example").press("Enter");
    const understood = await ready(page);
    expect(understood).toContain("pixels float32 [batch, 64]");
    expect(understood).toContain("638 examples to learn from, 159 to test on");
    expect(understood).toContain("6,570 numbers: first.weight");
    await train(page, 6);
    expect(await text(page, "own-before")).toBe("11 %");
    expect(await number(page, "own-now")).toBeGreaterThan(60);
    expect(await state(page)).toMatch(/^done, 48 steps; all 159 test examples: \d+\.\d % right$/);
    expect((await saved(page)).length).toBeGreaterThan(20_000);
    // Files that are only dropped ask for nothing at all.
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await drop(page, digits, table);
    await train(page, 1);
    expect(asked.filter((address) => !address.includes("/parts/"))).toEqual([]);
  });

  it("reads models in 4 and 16 bits and with data beside them, arrays, and pictures in a zip", async () => {
    await page.locator("#own-trained").selectOption("lora");
    await drop(page, lab("four-bits.onnx"), table);
    expect(await ready(page)).toContain("first.weight_Q4.lora_A");
    await train(page, 2);
    expect((await saved(page)).length).toBeGreaterThan(5000);
    await page.locator("#own-trained").selectOption("all");
    await drop(page, lab("half.onnx"), lab("arrays.npz"));
    expect(await ready(page)).toContain("16-bit");
    await train(page, 1);
    await drop(page, lab("beside.onnx"), lab("beside.onnx.data"));
    expect(await ready(page)).toContain("arrays.npz: 48 examples to learn from");
    await drop(page, lab("convolution.onnx"), lab("pictures.zip"));
    expect(await ready(page)).toMatch(/2 classes: one, zero/);
    await train(page, 4);
    await page.locator("#own-trained").selectOption("head");
    await expect.poll(() => text(page, "own-understood"), { timeout: 30_000 }).toContain("new, 2 outputs");
    await page.locator("#own-trained").selectOption("all");
    await ready(page);
  });

  it("reads texts with their tokenizer, and gives the model the head that they ask for", async () => {
    const texts = (from: string, name = from) => file(join(cases, "texts", from), name);
    const tokenizer = texts("wordpiece.golden.json", "tokenizer.json");
    await drop(page, texts("encoder.onnx"), texts("reviews.csv"), tokenizer);
    await ready(page);
    await train(page, 2);
    expect(await page.locator("#own-predictions th").first().innerText()).toMatch(/\w+ \w+/);
  });

  it("answers wrong files in the library's words, on a phone, too", async () => {
    const narrow = await site.open("?embed=own", { viewport: { width: 360, height: 740 } });
    await narrow.locator("#own[data-open]").waitFor();
    const named = (name: string, content: string): Given => ({ name, buffer: Buffer.from(content) });
    const answers = async (files: readonly Given[], words: string) => {
      await drop(narrow, ...files);
      await expect.poll(() => problem(narrow), { timeout: 30_000 }).toContain(words);
      expect(await narrow.locator("#own-train").isDisabled()).toBe(true);
      expect(await narrow.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
    };
    await answers([named("photo.heic", "x")], "expected one .onnx file, received 0 among 'photo.heic'");
    await answers([named("model.onnx", "<html>not found</html>")], "model.onnx is not a complete ONNX file");
    await answers([lab("beside.onnx")], "keeps data in 'beside.onnx.data', which is not among 'beside.onnx'");
    const rows = Array.from({ length: 30 }, (_, row) => `${row},${row === 7 ? "high" : row / 2},${row % 2}`);
    await answers([digits, named("table.csv", `a,b,kind\n${rows.join("\n")}\n`)], "b");
    await answers([named("broken.zip", "PK\x03\x04 no more")], "broken.zip");
    // What is wrong with a model is not said again of the data that follow; nor is its place taken by the one before.
    await answers([named("empty.onnx", "")], "empty.onnx is not an ONNX model");
    await drop(narrow, named("kinds.csv", "kind,a,b\nround,1,2\nflat,2,3\n"));
    await expect.poll(() => state(narrow), { timeout: 30_000 }).toBe("A model is missing.");
    expect(await problem(narrow)).toBe("");
    expect(await text(narrow, "own-understood")).toContain("kinds.csv: 3 columns");
    // The column of words is what is learned, wherever it stands, and a choice stays when the model follows.
    expect(await narrow.locator("#own-target").inputValue()).toBe("kind");
    await narrow.locator("#own-target").selectOption("a");
    await narrow.locator("#own-ignored").fill("kind");
    await answers([digits], "the data's have the shape [1]");
    expect(await narrow.locator("#own-target").inputValue()).toBe("a");
    await narrow.close();
  });

  it("goes on after a reload, and ends with the same bytes", async () => {
    await drop(page, digits, table);
    // More passes than a fast machine makes before the page is reloaded.
    await train(page, 60);
    const expected = await saved(page);
    parted = await open("#own");
    await drop(parted, digits, table);
    await parted.locator("#own-epochs").fill("60");
    await parted.locator("#own-epochs").blur();
    await ready(parted);
    await parted.locator("#own-train").press("Enter");
    await expect.poll(() => state(parted), { timeout: 60_000 }).toMatch(/^step \d\d/);
    await parted.reload();
    await parted.locator("#own-go-on").click();
    await expect.poll(() => state(parted), { timeout: 60_000 }).toMatch(/^done/);
    expect(await text(parted, "own-before")).toBe("11 %");
    expect((await saved(parted)).equals(expected)).toBe(true);
    // A second tab does not touch a run that another one is at work on.
    // This one goes on until it is stopped, however long a tab takes to open.
    await parted.locator("#own-epochs").fill("1000000");
    await parted.locator("#own-epochs").blur();
    await ready(parted);
    await parted.locator("#own-train").press("Enter");
    await expect.poll(() => state(parted), { timeout: 60_000 }).toMatch(/^step/);
    await drop(parted, table);
    await expect.poll(() => problem(parted)).toContain("A run is under way");
    const second = await site.open("?embed=own", {}, parted.context());
    await second.locator("#own-go-on").click();
    await expect.poll(() => problem(second), { timeout: 60_000 }).toContain("in use by another tab");
    await second.locator("#own-forget").click();
    await expect.poll(() => problem(second)).toContain("in use by another tab");
    await second.close();
    await parted.locator("#own-train").press("Enter");
    await expect.poll(() => state(parted), { timeout: 60_000 }).toMatch(/^stopped after step/);
    // What it has learned until then can be taken along.
    expect((await saved(parted)).length).toBeGreaterThan(20_000);
    await parted.locator("#own-forget").click();
    await parted.locator("#own-kept").waitFor({ state: "hidden" });
    // Choices that hold for any files are in the address.
    expect(parted.url()).toContain("own.epochs=1000000");
  });

  it("works with the network off, once it was loaded", async () => {
    const loaded = parted;
    await loaded.evaluate("navigator.serviceWorker.ready.then(() => undefined)");
    await expect
      .poll(() => loaded.evaluate("navigator.serviceWorker.controller?.state"), { timeout: 60_000 })
      .toBe("activated");
    await loaded.locator("#own-example").press("Enter");
    await train(loaded, 1);
    await loaded.context().setOffline(true);
    await loaded.reload();
    await loaded.locator("#own[data-open]").waitFor();
    expect(await loaded.evaluate("navigator.onLine")).toBe(false);
    await loaded.locator("#own-example").press("Enter");
    await train(loaded, 1);
    await loaded.close();
  });

  it("did nothing on the way that it should not", () => {
    expect(site.wrongs).toEqual([]);
  });
});
