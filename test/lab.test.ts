/** The lab, as a static site in a subfolder, in a real browser. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildLab, hasBrowser, type LabSite, number, openLabSite, text } from "./lab-site.ts";

const root = resolve(import.meta.dirname, "..");
const folder = buildLab();

describe("the lab's files", () => {
  const sources = readdirSync(join(root, "lab"), { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".ts") && !name.startsWith("dist/"));

  it("import the library by its public entry points, and of others only the charts", () => {
    const imported = sources.flatMap((name) =>
      ts
        .preProcessFile(readFileSync(join(root, "lab", name), "utf8"))
        .importedFiles.map(({ fileName: path }) => ({ name, path })),
    );
    const wrong = imported.filter(
      ({ name, path }) =>
        !/^(forwardgrad(\/(autodiff|data|onnx|studies|web))?|uplot)$/.test(path) &&
        !(path.startsWith(".") && resolve("/lab", name, "..", path).startsWith("/lab/")),
    );
    expect(wrong).toEqual([]);
    expect(imported.length).toBeGreaterThan(10);
  });

  it("open with what they are for", () => {
    for (const name of sources)
      expect(readFileSync(join(root, "lab", name), "utf8"), name).toMatch(/^\/\*\* [A-Z]/);
  });

  it("are at most 15 kB for the panels that load no engine", () => {
    expect(gzipSync(readFileSync(join(folder, "main.js")), { level: 9 }).length).toBeLessThanOrEqual(15_000);
  });
});

describe.skipIf(!hasBrowser)("the lab", () => {
  let site: LabSite;
  let wrongs: readonly string[] = [];
  const open: LabSite["open"] = (...given) => site.open(...given);
  beforeAll(async () => {
    site = await openLabSite(folder);
    wrongs = site.wrongs;
  });
  afterAll(() => site?.close());

  it("says something at rest, on a desk and on a phone, without another origin", async () => {
    for (const width of [1280, 360]) {
      const page = await open("", { viewport: { width, height: 740 } });
      await expect.poll(() => text(page, "landscape-angle")).toMatch(/^\d+° off, \d\.\d\d times as long$/);
      expect(await number(page, "catch-expected")).toBeCloseTo(0.174, 2);
      expect(Math.abs((await number(page, "catch-measured")) - 0.174)).toBeLessThan(0.03);
      await page.locator("#digits").scrollIntoViewIfNeeded();
      await expect.poll(() => text(page, "digits-read"), { timeout: 20_000 }).toMatch(/^9\d\.\d %$/);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      await page.close();
    }
    expect(wrongs).toEqual([]);
  });

  it("has no violation of accessibility that axe finds, light and dark", async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await open("", { colorScheme, bypassCSP: true });
      for (const id of ["race", "digits", "own", "reports"]) {
        await page.locator(`#${id}`).scrollIntoViewIfNeeded();
        await page.locator(`#${id}[data-open]`).waitFor();
      }
      await page.locator("#reports-results tbody tr").first().waitFor();
      await page.addScriptTag({ content: axe });
      const found = (await page.evaluate(
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html)))",
      )) as string[];
      expect(found, colorScheme).toEqual([]);
      await page.close();
    }
  });

  it("descends by keyboard, and the address is the lesson", async () => {
    const page = await open("?landscape.f=sphere&landscape.k=2");
    await page.locator("#landscape-step").focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    expect(await text(page, "landscape-steps")).toBe("2");
    const row = () => page.locator("#landscape-projection td").allInnerTexts();
    // Two directions span the plane.
    expect((await row()).slice(0, 2)).toEqual(["0°", "1.00"]);
    const [, , value] = await row();
    const again = await open(new URL(page.url()).search);
    expect(await again.locator("#landscape-projection td").nth(2).innerText()).toBe(value);
    await page.locator("#landscape-x").focus();
    await page.keyboard.press("ArrowRight");
    expect(await text(page, "landscape-steps")).toBe("0");
    expect(page.url()).toContain("landscape.x=");
    await page.close();
    await again.close();
  });

  it("plays, and with reduced motion goes there at once", async () => {
    const page = await open("?landscape.f=sphere");
    await page.locator("#landscape-play").press("Enter");
    await expect.poll(() => number(page, "landscape-steps")).toBeGreaterThan(5);
    await page.locator("#landscape-play").press("Enter");
    expect(await text(page, "landscape-play")).toBe("Play");
    const still = await open("?landscape.f=sphere", { reducedMotion: "reduce" });
    await still.locator("#landscape-play").press("Enter");
    expect(await text(still, "landscape-steps")).toBe("100");
    await page.close();
    await still.close();
  });

  it("asks for a guess before it tells", async () => {
    const page = await open("?embed=catch");
    expect(await page.locator("#landscape").isVisible()).toBe(false);
    await page.locator("#catch-ask").press("Enter");
    expect(await text(page, "catch-expected")).toBe("?");
    await page.keyboard.press("ArrowRight");
    await page.locator("#catch-ask").press("Enter");
    const expected = await number(page, "catch-expected");
    expect(await text(page, "catch-verdict")).toBe(`You said 0.51; it is ${expected.toFixed(2)}.`);
    await page.close();
  });

  it("races estimators at equal steps, and at equal cost, by keyboard", async () => {
    const page = await open("?embed=race&race.f=sphere&race.n=16&race.steps=40", { reducedMotion: "reduce" });
    const row = (id: string) => page.locator(`#race-${id} td`).allInnerTexts();
    await expect.poll(() => row("one")).toHaveLength(3);
    await expect.poll(async () => (await row("one"))[1]).toBe("40");
    // As many directions as numbers: the projection is the gradient.
    expect(Number((await row("projection"))[2])).toBeLessThan(1e-6);
    expect(Number((await row("one"))[2])).toBeGreaterThan(0.01);
    await page.locator("#race-by").selectOption("cost");
    await expect.poll(async () => (await row("one"))[1]).toBe("340");
    expect((await row("exact"))[1]).toBe("226");
    expect(await text(page, "race-spent")).toBe("680 forward passes");
    await page.locator("#race-play").press("Enter");
    expect((await row("projection"))[1]).toBe("10");
    expect(page.url()).toContain("race.by=cost");
    await page.close();
  });

  it("races on digits in a worker, and shows a recorded race before", async () => {
    const page = await open("?embed=race&race.k=2");
    const row = (id: string) => page.locator(`#race-digits-${id} td`).allInnerTexts();
    await expect.poll(() => row("exact")).toEqual(["220", "0.20", "93.5 %"]);
    await page.locator("#race-by").selectOption("cost");
    // As many passes as the exact gradient takes for 220 steps: 660, of which a step with 16 directions takes 17.
    await expect.poll(() => row("weights")).toEqual(["30", expect.any(String), "…"]);
    await page.locator("#race-by").selectOption("steps");
    await page.locator("#race-digits-run").press("Enter");
    const read = async (id: string) => Number((await row(id))[2]?.replace(" %", ""));
    await expect.poll(() => read("weights"), { timeout: 60_000 }).toBeGreaterThan(15);
    expect(await read("exact")).toBeGreaterThan(85);
    expect(await read("alone")).toBeGreaterThan(50);
    expect(await text(page, "race-digits-state")).toBe("your race, with 2 directions");
    expect(await text(page, "race-digits-run")).toBe("Race again");
    await page.close();
  });

  it("opens runs out of a zip, and compares them", async () => {
    const page = await open("?embed=reports");
    // At rest, two recorded runs.
    const results = () => page.locator("#reports-results").innerText();
    await expect.poll(results, { timeout: 60_000 }).toMatch(/test accuracy\s+9\d\.\d\d %\s+\d\d\.\d\d %/);
    expect(await text(page, "reports-settings")).toMatch(/perturb\s+activations\s+weights/);
    const zip = readFileSync(join(root, "lab/example/runs.zip"));
    const give = (name: string, buffer: Buffer) =>
      page.locator("#reports-zip").setInputFiles({ name, buffer, mimeType: "application/zip" });
    await give("mine.zip", zip);
    await expect.poll(() => text(page, "reports-which")).toBe("2 runs");
    await page.locator("#reports-measure").selectOption("loss");
    expect(page.url()).toContain("reports.measure=loss");
    await give("notes.txt", Buffer.from("no run"));
    await expect.poll(() => text(page, "reports-error")).toContain("There is no run in 1 dropped file");
    await give("half.zip", zip.subarray(0, 400));
    await expect.poll(() => text(page, "reports-error")).toContain("half.zip: truncated or damaged ZIP");
    await page.close();
  });

  it("counts what is alive, by keyboard", async () => {
    const page = await open("?embed=memory&memory.L=10", { reducedMotion: "reduce" });
    await expect.poll(() => text(page, "memory-back")).toBe("10");
    expect(await text(page, "memory-forward")).toBe("4");
    await page.locator("#memory-c").press("ArrowRight");
    expect(await text(page, "memory-forward")).toBe("6");
    await page.locator("#memory-play").press("Enter");
    expect(await text(page, "memory-moment-value")).toBe("back at 5");
    expect(page.url()).toContain("memory.c=2");
    await page.close();
  });

  it("trains digits in a worker, says what it reads, and leaves the page free", async () => {
    const page = await open("?embed=digits&digits.k=4");
    await page.locator("#digits[data-open]").waitFor();
    // At rest, a recorded run.
    expect(await number(page, "digits-read")).toBeGreaterThan(90);
    await page.evaluate(
      "globalThis.blocked = []; new PerformanceObserver((list) => blocked.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' })",
    );
    const train = page.locator("#digits-train");
    let blocked: number[] = [];
    // Tasks of more than 50 ms, which include the time that other programs take from this one: twice as long, three times in a row,
    // they are the page's own.
    for (let attempt = 0; attempt < 3; attempt++) {
      await page.evaluate("blocked.length = 0");
      await train.press("Enter");
      // The first epoch has 112 steps; then the digits are read.
      const step = async () => Number(/^step (\d+)/.exec(await text(page, "digits-state"))?.[1]);
      await expect.poll(step, { timeout: 60_000 }).toBeGreaterThan(120);
      await train.press("Enter");
      await expect.poll(() => text(page, "digits-train"), { timeout: 60_000 }).toBe("Train again");
      blocked = ((await page.evaluate("blocked")) as number[]).filter((milliseconds) => milliseconds > 100);
      if (blocked.length === 0) break;
    }
    expect(blocked).toEqual([]);
    expect(await text(page, "digits-which")).toBe("your run");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator("#digits-save").press("Enter"),
    ]);
    expect(statSync(await download.path()).size).toBeGreaterThan(200_000);
    expect(await number(page, "digits-read")).toBeGreaterThan(60);
    expect(await text(page, "digits-guess")).toBe("nothing is drawn yet");
    await page.locator("#digits-next").press("Enter");
    await expect.poll(() => text(page, "digits-guess")).toMatch(/^\d \(\d+ %\)/);
    await page.locator("#digits-confusion button").first().press("Enter");
    expect(await text(page, "digits-shown")).toMatch(/^\d read as \d: \d+$/);
    await page.locator("#digits-estimator").selectOption("alone");
    await page.locator("#digits-command").press("Enter");
    expect(await page.locator("#digits-text").inputValue()).toBe(
      "npx forwardgrad train --data glyphs --model mlp --hidden 64 --epochs 4 --perturb activations --guess none --tangents 4",
    );
    await page.close();
  });

  it("did nothing on the way that it should not", () => {
    expect(wrongs).toEqual([]);
  });
});
