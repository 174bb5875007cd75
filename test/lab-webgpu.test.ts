/** The lab's panel of digits on WebGPU, in software, on a phone. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildLab, hasBrowser, type LabSite, number, openLabSite, softwareWebgpu, text } from "./lab-site.ts";

describe.skipIf(!hasBrowser)("digits on WebGPU", () => {
  let site: LabSite;
  beforeAll(async () => {
    site = await openLabSite(buildLab(), softwareWebgpu);
  });
  afterAll(() => site?.close());

  it("are learned where directions and weights stay, also by more directions than float32 is for", async () => {
    const page = await site.open("?embed=digits&digits.device=webgpu", {
      ...{ viewport: { width: 360, height: 740 }, colorScheme: "dark", reducedMotion: "reduce" },
    });
    await page.locator("#digits[data-open]").waitFor();
    const train = page.locator("#digits-train");
    await train.press("Enter");
    const state = () => text(page, "digits-state");
    const step = async () => Number(/^step (\d+)/.exec(await state())?.[1]);
    await expect.poll(step, { timeout: 280_000 }).toBeGreaterThan(10);
    // Up, 64 pictures and 16 directions for each of them; down, their derivatives, and which of 64 numbers are active: never the
    // 51,000 weights of 4 bytes.
    expect(await state()).toMatch(/loss \d\.\d+; to the card and back, 467 kB and 25 kB$/);
    const loss = Number(/loss ([\d.]+)/.exec(await state())?.[1]);
    expect(loss).toBeLessThan(2);
    await train.press("Enter");
    await expect.poll(() => text(page, "digits-train"), { timeout: 120_000 }).toBe("Train again");
    expect(await number(page, "digits-read")).toBeGreaterThan(25);
    await page.locator("#digits-next").press("Enter");
    await expect.poll(() => text(page, "digits-guess"), { timeout: 30_000 }).toMatch(/^\d \(\d+ %\)/);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
    await page.close();
    expect(site.wrongs).toEqual([]);
  }, 600_000);
});
