/** Runs of several processes over a real server: the bytes of one process, also where processes are killed. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lastJson, run, temporaryFolder } from "./cli.ts";
import { noServer, type TemporaryServer, temporaryServer } from "./nats-server.ts";
import { startCli } from "./processes.ts";
import { modelSum, settings } from "./small-training.ts";

const seconds = 1000;
const folder = temporaryFolder();
const bytesOf = (out: string) => modelSum(join(folder, out));

const start = (args: readonly string[]) => startCli(args, folder);

describe.skipIf(noServer !== undefined)("a run of several processes", () => {
  let server: TemporaryServer;
  beforeAll(async () => {
    server = await temporaryServer();
    expect(run([...settings, "--out", "alone"], { cwd: folder }).status).toBe(0);
  }, 60 * seconds);
  afterAll(() => server.stop());

  it(
    "has the bytes of one process, with workers of its own",
    () => {
      const together = run([...settings, "--workers", "2", "--out", "together", "--json"], { cwd: folder });
      expect(together.stderr).toMatch(/worker \S+ joined[\s\S]*worker \S+ joined/);
      expect(lastJson(together.stdout)).toMatchObject({ steps: 300 });
      expect(bytesOf("together")).toBe(bytesOf("alone"));
    },
    60 * seconds,
  );

  it(
    "outlives SIGKILL of workers and of the coordinator: a worker goes on, and the coordinator's folder is completed",
    async () => {
      const spread = [
        ...settings,
        "--distribute",
        server.url,
        "--run",
        "kills",
        "--lease",
        "1",
        "--out",
        "killed",
      ];
      const coordinator = start(spread);
      await coordinator.says(/waiting for workers/);
      const work = ["worker", server.url, "--run", "kills", "--lease", "1", "--threads", "1", "--json"];
      const [first, second] = [start(work), start(work)];
      await Promise.all([first.says(/follows run kills/), second.says(/follows run kills/)]);
      first.child.kill("SIGKILL");
      const third = start(work);
      await third.says(/follows run kills/);
      coordinator.child.kill("SIGKILL");
      expect(await coordinator.ended).toBe(null);
      expect(await Promise.all([second.ended, third.ended])).toEqual([0, 0]);
      expect(second.said() + third.said()).toMatch(
        /the coordinator of run kills is gone: this worker goes on with it/,
      );
      const again = run([...spread, "--resume", "--json"], { cwd: folder });
      expect(again.status).toBe(0);
      expect(lastJson(again.stdout)).toMatchObject({ steps: 300 });
      expect(bytesOf("killed")).toBe(bytesOf("alone"));
    },
    120 * seconds,
  );

  it(
    "shares activations by parts of batches, and outlives SIGKILL of a worker and the coordinator, and a server that starts again",
    async () => {
      const parts = ["train", "--hidden", "8", "--threads", "1", "--tangents", "4", "--steps", "100"];
      const alone = run([...parts, "--accumulate", "4", "--out", "parts"], { cwd: folder });
      expect(alone.status).toBe(0);
      // Four parts where nothing is said.
      const own = run([...parts, "--workers", "2", "--out", "shared"], { cwd: folder });
      expect([own.status, bytesOf("shared")]).toEqual([0, bytesOf("parts")]);
      const where = ["--distribute", server.url, "--run", "parts", "--lease", "1"];
      const spread = [...parts, ...where, "--checkpoint-seconds", "1", "--out", "spread"];
      const coordinator = start(spread);
      await coordinator.says(/waiting for workers/);
      const work = ["worker", server.url, "--run", "parts", "--lease", "1", "--threads", "1"];
      const [first, second] = [start(work), start(work)];
      await Promise.all([first.says(/follows run parts/), second.says(/follows run parts/)]);
      first.child.kill("SIGKILL");
      const third = start(work);
      await third.says(/follows run parts/);
      await server.restart();
      coordinator.child.kill("SIGKILL");
      expect(await coordinator.ended).toBe(null);
      expect(await Promise.all([second.ended, third.ended])).toEqual([0, 0]);
      expect(second.said() + third.said()).toMatch(/this worker goes on with it/);
      const again = run([...spread, "--resume", "--json"], { cwd: folder });
      expect([again.status, bytesOf("spread")]).toEqual([0, bytesOf("parts")]);
    },
    120 * seconds,
  );

  it(
    "waits for a run that nobody has begun, names the flags of workers where there are none, and replaces a run of its own server",
    async () => {
      const early = start(["worker", server.url, "--run", "early", "--threads", "1"]);
      await early.says(/waiting for run early to begin on .*train --distribute .*--run early/);
      const begun = [...settings, "--distribute", server.url, "--run", "early", "--out", "begun"];
      expect(run(begun, { cwd: folder }).status).toBe(0);
      expect(await early.ended).toBe(0);
      const replaced = run([...settings, "--workers", "1", "--overwrite", "--out", "begun"], { cwd: folder });
      expect([replaced.status, bytesOf("begun")]).toEqual([0, bytesOf("alone")]);
      const kept = run([...begun, "--overwrite"], { cwd: folder });
      expect(kept.stderr).toMatch(
        /--overwrite does not remove its log.*--resume, without --overwrite.*--run NAME/,
      );
      const stray = run([...settings, "--quorum", "0.5", "--out", "stray"], { cwd: folder });
      expect(stray.stderr).toContain("--quorum goes with workers (--workers N, --distribute URL)");
      const granules = run(["train", "--workers", "2", "--granule", "2", "--out", "sites"], { cwd: folder });
      expect(granules.stderr).toMatch(/--granule 2 is about tangents of weights \(--perturb weights\)/);
    },
    120 * seconds,
  );
});
