/** A study over worker processes on a real server, some of which are killed: its rows are those that it has alone. */
import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import { joinOnServer } from "../src/distributed/node-nats.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import { runStudy } from "../src/studies/run.ts";
import { resolveSettings } from "../src/studies/settings.ts";
import { offerUnits } from "../src/studies/spread/offer.ts";
import { studies } from "../src/studies/studies.ts";
import type { Study } from "../src/studies/study.ts";
import { cli } from "./cli.ts";
import { noServer, temporaryServer } from "./nats-server.ts";

const study = studies.functions as Study;
/** Of some seconds, so that nobody measures all of it while another is killed. */
const settings = resolveSettings(study, "tiny", {
  dimensions: "1,4,16,64",
  tangents: "1,2,4,16",
  seeds: "5",
});
const signal = new AbortController().signal;

/** The rows of the study without what was measured by a clock; measured here where nobody else does. */
async function rowsOf(elsewhere?: Parameters<typeof runStudy>[0]["elsewhere"]): Promise<readonly string[]> {
  const store = memoryStore();
  const environment = {
    // The study of closed forms runs no graph.
    runtime: {} as Runtime,
    signal,
    dataset: () => Promise.reject(new Error("no study of a dataset")),
    scratch: () => memoryStore(),
  };
  const events = runStudy({
    study,
    settings,
    store,
    environment,
    resume: false,
    ...(elsewhere && { elsewhere }),
  });
  for await (const event of events) expect(event.kind).not.toBe("interrupted");
  const lines = store
    .text("results.csv")
    .split("\n")
    .map((line) => line.split(","));
  const seconds = lines[0]?.indexOf("seconds") ?? -1;
  expect(seconds).toBeGreaterThan(0);
  return lines.map((line) => line.filter((_, index) => index !== seconds).join());
}

/** A worker process, and the moment at which it measures. */
function startWorker(url: string) {
  const args = [cli, "worker", url, "--run", "spread", "--threads", "1"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise<number | string | null>((resolve) =>
    child.on("close", (code, killed) => resolve(killed ?? code)),
  );
  let said = "";
  const measures = new Promise<void>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      said += String(chunk);
      if (said.includes("measures")) resolve();
    });
    void ended.then(() => reject(new Error(`It ended before it measured: ${said}`)));
  });
  measures.catch(() => undefined);
  return { child, ended, measures };
}

describe.skipIf(noServer !== undefined)("a study over three worker processes", () => {
  it("of which two are killed while they measure: the rows that it has alone, none lost, none twice", async () => {
    const expected = await rowsOf();
    const server = await temporaryServer();
    const transport = await joinOnServer({
      url: server.url,
      run: "spread",
      create: true,
      taskMilliseconds: 1500,
    });
    const spread = rowsOf((units) =>
      offerUnits(units, { study, settings, transport, ahead: memoryStore(), signal }),
    );
    // One after the other: where a process starts late, the one before it would have measured everything.
    for (let killed = 0; killed < 2; killed++) {
      const { child, ended, measures } = startWorker(server.url);
      await measures;
      child.kill("SIGKILL");
      expect(await ended).toBe("SIGKILL");
    }
    const last = startWorker(server.url);
    expect(await spread).toEqual(expected);
    expect(await last.ended).toBe(0);
    await transport.close();
    await server.stop();
  }, 60_000);
});
