/** What breaks around a run of several workers, on a real server: lines, disks, versions, owners, and a server that is gone for good. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { joinOnServer } from "../src/distributed/node-nats.ts";
import { pack, unpack } from "../src/distributed/run/packed.ts";
import { trainTogether } from "../src/distributed/run/train-together.ts";
import { work } from "../src/distributed/run/work.ts";
import type { Transport } from "../src/distributed/transport.ts";
import { inGranules } from "../src/distributed/weights/granules.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { TrainEvent } from "../src/train/events.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { examples, model, runtime } from "./circle.ts";
import { run, temporaryFolder } from "./cli.ts";
import { noServer, temporaryServer } from "./nats-server.ts";
import { startCli } from "./processes.ts";
import { canMount, fill, mountDisk, unmount } from "./small-disk.ts";
import { modelSum, settings, training } from "./small-training.ts";
import { tcpProxy } from "./tcp-proxy.ts";

const options: TrainOptions = {
  ...{ model, examples, runtime, perturb: "weights", tangents: 4, batch: 8, steps: 30, validation: 8 },
};
const granule = 2;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function end(
  events: AsyncIterable<TrainEvent>,
  onStep: (step: number) => unknown = () => undefined,
): Promise<Uint8Array> {
  let trained = new Uint8Array();
  for await (const event of events) {
    if (event.kind === "step") await onStep(event.step);
    if (event.kind === "done") trained = event.model;
  }
  return trained;
}
const alone = end(train({ ...options, gradient: inGranules({ size: granule }) }));
const worker = (transport: Transport) => work({ transport, runtime, takesOver: false });

describe.skipIf(noServer !== undefined)("a run over a real server, where", () => {
  it("the line between coordinator and server is parted for a while, has the bytes of one process", async () => {
    const server = await temporaryServer();
    const proxy = await tcpProxy(Number(new URL(server.url).port));
    const transport = await joinOnServer({
      url: `nats://127.0.0.1:${proxy.port}`,
      run: "parted",
      create: true,
    });
    const others = [1, 2].map(() => joinOnServer({ url: server.url, run: "parted" }));
    const working = (await Promise.all(others)).map(worker);
    const lost: string[] = [];
    transport.onState((state) => lost.push(state));
    const trained = await end(trainTogether(options, { transport, granule, lease: 30_000 }), async (step) => {
      if (step === 5) {
        proxy.part();
        setTimeout(() => proxy.heal(), 1500);
      }
      if (step === 15) {
        proxy.cut();
        setTimeout(() => proxy.heal(), 500);
      }
    });
    expect(trained).toEqual(await alone);
    expect(lost).toContain("disconnected");
    expect((await Promise.all(working)).map(({ how }) => how)).toEqual(["done", "done"]);
    await Promise.all([transport, ...(await Promise.all(others))].map((each) => each.close()));
    await proxy.close();
    await server.stop();
  }, 60_000);

  it("the server's disk is full, ends by name with what it has, and goes on to the same bytes when there is room", async () => {
    const server = await temporaryServer({ storage: "max_file_store: 4MB" });
    const join = (create: boolean) => joinOnServer({ url: server.url, run: "full", create });
    const transport = await join(true);
    const [first, filler] = [await join(false), await join(false)];
    const working = worker(first).catch((error: Error) => error);
    const store = memoryStore();
    const ballast = Array.from({ length: 8 * 16 }, (_, index) => `ballast ${index}`);
    const spread = end(trainTogether({ ...options, store }, { transport, granule }), async (step) => {
      // Until not even a record has room.
      if (step === 10)
        for (const [index, name] of ballast.entries())
          await filler.objects
            .put(name, new Uint8Array(2 ** (19 - Math.floor(index / 8))))
            .catch(() => undefined);
    });
    await expect(spread).rejects.toMatchObject({ name: "TransportError", reason: "full" });
    for (const name of ballast) await filler.objects.remove(name);
    // Server 2.9 takes nothing more until it is started again.
    await server.restart();
    await Promise.all([transport, first, filler].map((each) => each.close()));
    await working;
    const [again, late] = [await join(true), await join(false)];
    const helped = worker(late);
    const resumed = trainTogether({ ...options, store, resume: true }, { transport: again, granule });
    expect(await end(resumed)).toEqual(await alone);
    expect(await helped).toMatchObject({ how: "done" });
    await Promise.all([again, late].map((each) => each.close()));
    await server.stop();
  }, 90_000);

  it.skipIf(!canMount())(
    "the server's file system is full, says that nothing is kept, and goes on to the same bytes when there is room",
    async () => {
      const disk = temporaryFolder();
      mountDisk(disk, "6m");
      const server = await temporaryServer({}, disk);
      try {
        const join = (create: boolean) => joinOnServer({ url: server.url, run: "small-disk", create });
        const [transport, other] = [await join(true), await join(false)];
        const working = worker(other);
        let makeRoom: (() => void) | undefined;
        let repaired: Promise<void> | undefined;
        const said: string[] = [];
        transport.onState((state, detail) => {
          said.push(state);
          if (state !== "silent") return;
          expect(detail).toMatch(/answers nothing that is to be kept.*disk is full.*start it again/);
          repaired ??= server.restart(async () => makeRoom?.());
        });
        const spread = trainTogether(options, { transport, granule, lease: 60_000 });
        const trained = await end(spread, (step) => {
          if (step === 10) makeRoom = fill(disk);
        });
        expect(trained).toEqual(await alone);
        expect(said).toContain("silent");
        expect(said.at(-1)).toBe("connected");
        await repaired;
        expect(await working).toMatchObject({ how: "done" });
        await Promise.all([transport, other].map((each) => each.close()));
      } finally {
        await server.stop();
        unmount(disk);
      }
    },
    120_000,
  );

  it("a worker is of another version, refuses it", async () => {
    const server = await temporaryServer();
    const join = (create: boolean) => joinOnServer({ url: server.url, run: "versions", create });
    const transport = await join(true);
    const stop = new AbortController();
    const running = end(trainTogether({ ...options, signal: stop.signal }, { transport, granule })).catch(
      () => undefined,
    );
    let described: Uint8Array | undefined;
    while (!described) {
      await pause(20);
      described = await transport.objects.get("run");
    }
    await transport.objects.put("run", pack({ ...unpack(described, "run"), version: "0.0.9" }));
    const other = await join(false);
    await expect(worker(other)).rejects.toThrow(/begun by forwardgrad 0\.0\.9.*Install forwardgrad@0\.0\.9/);
    stop.abort();
    await running;
    await Promise.all([transport.close(), other.close()]);
    await server.stop();
  }, 60_000);
});

const folder = temporaryFolder();
const bytesOf = (out: string) => modelSum(join(folder, out));
const start = (args: readonly string[]) => startCli(args, folder);

/** Processes that one started, and those that these did, on Linux. */
function descendantsOf(pid: number): readonly number[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name): [number, number][] => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        return [[Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])]];
      } catch {
        return [];
      }
    });
  const children = parents.filter(([, parent]) => parent === pid).map(([child]) => child);
  return [...children, ...children.flatMap(descendantsOf)];
}

function lives(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe.skipIf(noServer !== undefined)("processes of a run, where", () => {
  it("a worker is stopped (SIGSTOP) and goes on, have the bytes of one process", async () => {
    expect(run([...settings, "--out", "alone"], { cwd: folder }).status).toBe(0);
    const server = await temporaryServer();
    const coordinator = start([
      ...settings,
      "--distribute",
      server.url,
      "--run",
      "stopped",
      "--out",
      "stopped",
    ]);
    await coordinator.says(/waiting for workers/);
    const workers = [1, 2].map(() => start(["worker", server.url, "--run", "stopped", "--threads", "1"]));
    const [first] = workers;
    await first?.says(/follows run stopped/);
    first?.child.kill("SIGSTOP");
    expect(await coordinator.ended).toBe(0);
    first?.child.kill("SIGCONT");
    expect(await Promise.all(workers.map(({ ended }) => ended))).toEqual([0, 0]);
    expect(bytesOf("stopped")).toBe(bytesOf("alone"));
    await server.stop();
  }, 120_000);

  it.skipIf(process.platform !== "linux")(
    "the owner of server and workers is killed, all end, and it goes on",
    async () => {
      const owned = [...settings, "--workers", "2", "--out", "owned"];
      const owner = start(owned);
      await owner.says(/worker \S+ joined[\s\S]*worker \S+ joined/);
      const others = descendantsOf(owner.child.pid ?? 0);
      expect(others.length).toBeGreaterThanOrEqual(3);
      owner.child.kill("SIGKILL");
      await expect.poll(() => others.filter(lives), { timeout: 20_000 }).toEqual([]);
      expect(run([...owned, "--resume"], { cwd: folder, timeout: 150_000 }).status).toBe(0);
      expect(bytesOf("owned")).toBe(bytesOf("alone"));
    },
    240_000,
  );

  it("the server is gone for good, end in time after Ctrl-C, by 130; what is refused is so before anybody is invited", async () => {
    const server = await temporaryServer();
    const spread = [...training, "--steps", "3000", "--distribute", server.url, "--run", "gone"];
    const refused = start([...spread, "--low-memory", "--out", "refused"]);
    expect(await refused.ended).toBe(1);
    expect(refused.said()).toContain("--low-memory");
    expect(refused.said()).not.toContain("joins it");
    const coordinator = start([...spread, "--out", "gone"]);
    await coordinator.says(/run gone on nats.* joins it/);
    const helper = start(["worker", server.url, "--run", "gone", "--threads", "1"]);
    await helper.says(/follows run gone/);
    await server.stop();
    const all = [coordinator, helper];
    await Promise.all(all.map(({ says }) => says(/is lost: waiting until it is back/)));
    const began = performance.now();
    for (const { child } of all) child.kill("SIGINT");
    expect(await Promise.all(all.map(({ ended }) => ended))).toEqual([130, 130]);
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(coordinator.said()).toMatch(/Stopped at step \d+ of 3000, while the server was gone.*--resume/);
    expect(readdirSync(join(folder, "gone"))).toContain("checkpoint");
  }, 120_000);
});

describe.skipIf(noServer !== undefined)("a program that is typed (node -e)", () => {
  it("joins a run as any other", async () => {
    const server = await temporaryServer();
    const entry = join(import.meta.dirname, "../dist/node.js");
    const code = `import { joinByThread } from ${JSON.stringify(entry)};
      const transport = await joinByThread({ url: "${server.url}", run: "typed", create: true });
      console.log(await transport.log.append(new Uint8Array(1), 0, "1"));
      await transport.close();`;
    const { execFileSync } = await import("node:child_process");
    const args = ["--input-type=module", "-e", code];
    expect(execFileSync(process.execPath, args, { encoding: "utf8" }).trim()).toBe("1");
    await server.stop();
  }, 60_000);
});
