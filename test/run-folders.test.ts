import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runFolder } from "../src/storage/node-run-folder.ts";
import { checkpointFiles } from "../src/storage/own-files.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { examples, model, runtime } from "./circle.ts";
import { temporaryFolder } from "./cli.ts";

const settings = { model, examples, runtime, batch: 32, steps: 60 };

/** Trains in a folder; `stopAt` ends the run after so many steps. Returns what it warned of. */
async function trainIn(
  folder: string,
  options: Partial<TrainOptions> = {},
  stopAt?: number,
): Promise<string[]> {
  const warnings: string[] = [];
  const controller = new AbortController();
  const events = train({ ...settings, store: runFolder(folder), signal: controller.signal, ...options });
  for await (const event of events) {
    if (event.kind === "warning") warnings.push(event.message);
    if (event.kind === "step" && event.step === stopAt) controller.abort();
  }
  return warnings;
}

/** A folder with a run: complete, or stopped after so many steps. */
async function madeRun(stopAt?: number): Promise<string> {
  const folder = join(temporaryFolder(), "run");
  await trainIn(folder, {}, stopAt);
  return folder;
}

const read = (folder: string, name: string) => readFileSync(join(folder, name));
const snapshot = (folder: string) =>
  Object.fromEntries(
    (readdirSync(folder, { recursive: true, encoding: "utf8" }) as string[])
      .filter((name) => lstatSync(join(folder, name)).isFile())
      .map((name) => [name, read(folder, name).toString("base64")]),
  );
const untimed = (folder: string) =>
  read(folder, "metrics.jsonl")
    .toString()
    .replace(/"(seconds|secondsPerStep)":[^,}]+,?/g, "");

const whole = madeRun();

describe("one process a folder", () => {
  it("keeps a second run out until the first has ended, naming who holds it", async () => {
    const folder = join(temporaryFolder(), "run");
    const first = train({ ...settings, store: runFolder(folder) });
    for (let step = 0; step < 5; step++) await first.next();
    for (const resume of [true, false])
      await expect(trainIn(folder, { resume })).rejects.toThrow(
        new RegExp(
          `run is in use: this process \\(${process.pid}\\) already writes to it since 2.*\\(store\\)`,
          "s",
        ),
      );
    for (;;) if ((await first.next()).done) break;
    expect(existsSync(join(folder, "lock.json"))).toBe(false);
    expect(read(folder, "model.onnx").equals(read(await whole, "model.onnx"))).toBe(true);
    await trainIn(folder, { resume: true });
  });

  it.skipIf(process.platform === "win32")("is let in where the owner died, and only there", async () => {
    const folder = await madeRun(20);
    // A process of our own that holds the lock as a run does, by flock, and says who it is.
    const lock = join(folder, "lock.json");
    const here = { host: hostname(), since: "2026-01-01T00:00:00.000Z" };
    const boot = existsSync("/proc/sys/kernel/random/boot_id")
      ? readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
      : undefined;
    if (spawnSync("flock", ["--version"]).status === 0) {
      writeFileSync(lock, JSON.stringify({ pid: 4242, ...here }));
      const holder = spawn("flock", ["-x", "-F", lock, "sh", "-c", "echo held; exec sleep 600"]);
      await new Promise((done) => holder.stdout.once("data", done));
      await expect(trainIn(folder, { resume: true })).rejects.toThrow(
        `in use: process 4242 on ${hostname()}`,
      );
      // Stopped, it still holds it: it could go on at any time.
      holder.kill("SIGSTOP");
      await expect(trainIn(folder, { resume: true })).rejects.toThrow("in use");
      const ended = new Promise((done) => holder.on("exit", done));
      holder.kill("SIGKILL");
      await ended;
    }
    // Left behind: by a process of this boot, of a boot before, by one that was killed while it wrote.
    for (const left of [
      JSON.stringify({ pid: process.pid, ...here, boot, started: "1" }),
      JSON.stringify({ pid: process.pid, ...here, boot: "11111111-2222-3333-4444-555555555555" }),
      '{"pid": 12',
      "",
    ]) {
      writeFileSync(lock, left);
      const store = runFolder(folder);
      const release = await store.lock?.();
      expect(JSON.parse(read(folder, "lock.json").toString())).toMatchObject({ pid: process.pid });
      await release?.();
      expect(existsSync(lock)).toBe(false);
    }
    // On another machine nobody can tell.
    writeFileSync(lock, JSON.stringify({ pid: 7, host: "elsewhere", since: here.since, boot: "other" }));
    await expect(trainIn(folder, { resume: true })).rejects.toThrow(
      /process 7 on another machine, elsewhere, took it at 2026.*delete .*lock\.json/s,
    );
    rmSync(lock);
    await trainIn(folder, { resume: true });
    expect(read(folder, "model.onnx").equals(read(await whole, "model.onnx"))).toBe(true);
  });

  it.skipIf(process.platform !== "linux")(
    "goes by process numbers and starts where flock(1) is missing",
    async () => {
      const folder = temporaryFolder();
      const { PATH } = process.env;
      process.env.PATH = "";
      try {
        const [first, second] = [runFolder(folder), runFolder(folder)];
        const release = await first.lock?.();
        await expect(second.lock?.()).rejects.toThrow(`this process (${process.pid}) already`);
        const own = JSON.parse(read(folder, "lock.json").toString()) as Record<string, unknown>;
        await release?.();
        // The same number, but another process; then one that has ended.
        for (const gone of [
          { ...own, started: "1" },
          { ...own, pid: 2 ** 22 + 1 },
        ]) {
          writeFileSync(join(folder, "lock.json"), JSON.stringify(gone));
          await (await second.lock?.())?.();
        }
        writeFileSync(join(folder, "lock.json"), JSON.stringify({ ...own, processes: "pid:[1]" }));
        await expect(second.lock?.()).rejects.toThrow(`in use: this process (${process.pid})`);
      } finally {
        process.env.PATH = PATH;
      }
    },
  );

  it("stops writing where its lock was taken away", async () => {
    const folder = join(temporaryFolder(), "run");
    const first = train({ ...settings, store: runFolder(folder) });
    for (let step = 0; step < 5; step++) await first.next();
    rmSync(join(folder, "lock.json"));
    // Somebody deleted the lock, finished the run, and left.
    await trainIn(folder, { resume: true });
    const finished = snapshot(folder);
    await expect(
      (async () => {
        for (;;) if ((await first.next()).done) return;
      })(),
    ).rejects.toThrow(/lock\.json was deleted or replaced while this process .* held it/);
    expect(snapshot(folder)).toEqual(finished);
  });

  it("never writes through a link, nor to what is no regular file", async () => {
    const folder = await madeRun(20);
    const foreign = join(folder, "..", "foreign.txt");
    writeFileSync(foreign, "mine");
    for (const name of ["lock.json", "metrics.jsonl"]) {
      const copy = join(temporaryFolder(), "run");
      cpSync(folder, copy, { recursive: true });
      rmSync(join(copy, name), { force: true });
      symlinkSync(foreign, join(copy, name));
      await expect(trainIn(copy, { resume: true })).rejects.toThrow(name);
    }
    const store = runFolder(folder);
    symlinkSync(foreign, join(folder, "notes"));
    await expect(store.append("notes", "x")).rejects.toThrow(/notes could not be written.*is a link/s);
    await expect(store.truncate("notes", 1)).rejects.toThrow("is a link");
    // A link in the place of a file that is replaced gives way; what it led to stays.
    await store.write("notes", new Uint8Array([1]));
    expect(lstatSync(join(folder, "notes")).isSymbolicLink()).toBe(false);
    expect(readFileSync(foreign, "utf8")).toBe("mine");
    if (spawnSync("mkfifo", [join(folder, "pipe")]).status === 0) {
      await expect(store.append("pipe", "x")).rejects.toThrow("pipe could not be written");
      await expect(store.read("pipe")).rejects.toThrow("no regular file");
    }
  });

  it("leaves a copy of hard links as it was", async () => {
    const folder = await madeRun(20);
    const copy = join(folder, "..", "metrics-of-yesterday.jsonl");
    linkSync(join(folder, "metrics.jsonl"), copy);
    writeFileSync(join(folder, "metrics.jsonl"), `${read(folder, "metrics.jsonl")}half a li`);
    const before = readFileSync(copy);
    await trainIn(folder, { resume: true });
    expect(readFileSync(copy).equals(before)).toBe(true);
    expect(statSync(copy).nlink).toBe(1);
    expect(untimed(folder)).toBe(untimed(await whole));
  });

  it("clears away what killed writers left, and nothing else", async () => {
    const folder = await madeRun(20);
    const uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    const left = [`model.onnx.${uuid}.tmp`, `checkpoint/state.safetensors.${uuid}.tmp`];
    const foreign = [
      "model.onnx.tmp",
      `mine.onnx.${uuid}.tmp`,
      `model.onnx.${uuid}.tmp.txt`,
      "model.onnx.1234.tmp",
    ];
    for (const name of [...left, ...foreign]) writeFileSync(join(folder, name), "half");
    await trainIn(folder, { resume: true });
    expect(left.filter((name) => existsSync(join(folder, name)))).toEqual([]);
    expect(foreign.filter((name) => !existsSync(join(folder, name)))).toEqual([]);
  });
});

describe("a run folder is known by all its files", () => {
  const lost: [string, readonly string[], RegExp][] = [
    [
      "the checkpoints",
      checkpointFiles,
      /holds metrics\.jsonl and model\.onnx of a run, but no checkpoint.*\(model\)/s,
    ],
    ["the metrics", ["metrics.jsonl"], /metrics\.jsonl is missing.*step 60 counts on.*allowChanges: true/s],
    [
      "everything but the model",
      ["config.json", "metrics.jsonl", ...checkpointFiles],
      /holds a model\.onnx but no config\.json/,
    ],
    [
      "configuration and checkpoints",
      ["config.json", ...checkpointFiles],
      /holds a metrics\.jsonl, model\.onnx but no config\.json/,
    ],
  ];
  it.each(lost)("names %s where they are lost, and changes nothing", async (_, names, message) => {
    const folder = join(temporaryFolder(), "run");
    cpSync(await whole, folder, { recursive: true });
    for (const name of names) rmSync(join(folder, name));
    const before = snapshot(folder);
    await expect(trainIn(folder, { resume: true })).rejects.toThrow(message);
    expect(snapshot(folder)).toEqual(before);
  });

  it("is not written to through a linked folder, where another run's checkpoints would be replaced", async () => {
    const [folder, other] = [await madeRun(), await madeRun()];
    const kept = snapshot(other);
    rmSync(join(folder, "checkpoint"), { recursive: true });
    symlinkSync(join(other, "checkpoint"), join(folder, "checkpoint"));
    for (const options of [{ resume: true }, { overwrite: true }])
      await expect(trainIn(folder, options)).rejects.toThrow("checkpoint is a link, and nothing is written");
    expect(snapshot(other)).toEqual(kept);
  });

  it.each([{}, { allowChanges: true }])("refuses a checkpoint of another run (%o)", async (options) => {
    const other = join(temporaryFolder(), "run");
    await trainIn(other, { seed: 7 });
    // Either the configuration of one run beside all else of another, or its checkpoints alone.
    const mixed = await madeRun();
    for (const name of checkpointFiles) copyFileSync(join(other, name), join(mixed, name));
    const before = snapshot(mixed);
    await expect(trainIn(mixed, { resume: true, ...options })).rejects.toThrow(
      "holds a checkpoint of another run: seed was 7, now 0",
    );
    expect(snapshot(mixed)).toEqual(before);
    copyFileSync(join(mixed, "config.json"), join(other, "config.json"));
    await expect(trainIn(other, { resume: true, ...options })).rejects.toThrow("a checkpoint of another run");
  });

  it("names a folder in the model's place before anything else, and changes nothing", async () => {
    const folder = await madeRun();
    // Steps would be repeated from the older checkpoint, and their model could not be written.
    writeFileSync(join(folder, checkpointFiles[1]), "damaged");
    rmSync(join(folder, "model.onnx"));
    mkdirSync(join(folder, "model.onnx"));
    const before = snapshot(folder);
    await expect(trainIn(folder, { resume: true })).rejects.toThrow("model.onnx is no regular file");
    expect(snapshot(folder)).toEqual(before);
  });

  it("takes a lost or damaged configuration from the checkpoint", async () => {
    for (const damage of [undefined, "{", '{"name": "another program"}', "\u0000"]) {
      const folder = await madeRun(20);
      const config = read(folder, "config.json");
      if (damage === undefined) rmSync(join(folder, "config.json"));
      else writeFileSync(join(folder, "config.json"), damage);
      await expect(trainIn(folder)).rejects.toThrow("the same run with resume: true goes on");
      await expect(
        trainIn(folder, { resume: true, optimizer: { name: "sgd", momentum: 0.5 } }),
      ).rejects.toThrow("momentum was 0, now 0.5");
      const warnings = await trainIn(folder, { resume: true });
      expect(warnings.join()).toMatch(/config\.json .*It was written again as the checkpoint has it/);
      expect(read(folder, "config.json").equals(config)).toBe(true);
      expect(read(folder, "model.onnx").equals(read(await whole, "model.onnx"))).toBe(true);
    }
  });

  it("goes on without lost metrics where it is told to", async () => {
    const folder = await madeRun(55);
    const line = read(folder, "metrics.jsonl").toString().split("\n")[0] as string;
    truncateSync(join(folder, "metrics.jsonl"), line.length + 3);
    const options = { resume: true, allowChanges: true };
    expect((await trainIn(folder, options)).join()).toMatch(
      /metrics\.jsonl has \d+ bytes; its first \d+ bytes are kept/,
    );
    expect(read(folder, "metrics.jsonl").toString().startsWith(`${line}\n{`)).toBe(true);
    expect(read(folder, "model.onnx").equals(read(await whole, "model.onnx"))).toBe(true);
  });

  it("writes a missing model of a complete run again, and leaves another one alone", async () => {
    const folder = join(temporaryFolder(), "run");
    cpSync(await whole, folder, { recursive: true });
    rmSync(join(folder, "model.onnx"));
    expect((await trainIn(folder, { resume: true })).join()).toContain("model.onnx was missing");
    expect(read(folder, "model.onnx").equals(read(await whole, "model.onnx"))).toBe(true);
    writeFileSync(join(folder, "model.onnx"), "mine");
    expect((await trainIn(folder, { resume: true })).join()).toContain(
      "model.onnx is not what this run wrote",
    );
    expect(read(folder, "model.onnx").toString()).toBe("mine");
  });

  it("leaves foreign files of the same names alone, unless told otherwise", async () => {
    for (const name of ["config.json", "metrics.jsonl", "model.onnx", ...checkpointFiles]) {
      const folder = join(temporaryFolder(), "mine");
      mkdirSync(join(folder, "checkpoint"), { recursive: true });
      writeFileSync(join(folder, name), '{"architectures": ["Bert"]}');
      writeFileSync(join(folder, "results.csv"), "mine");
      for (const resume of [false, true])
        await expect(trainIn(folder, { resume }), name).rejects.toThrow(name);
      expect(read(folder, name).toString()).toBe('{"architectures": ["Bert"]}');
      await trainIn(folder, { overwrite: true });
      expect(read(folder, "model.onnx").equals(read(await whole, "model.onnx"))).toBe(true);
      expect(read(folder, "results.csv").toString()).toBe("mine");
    }
    const folder = join(temporaryFolder(), "mine");
    mkdirSync(folder);
    symlinkSync(join(folder, "nowhere"), join(folder, "model.onnx"));
    await expect(trainIn(folder)).rejects.toThrow("model.onnx");
  });

  it("starts anew where it is told to, and not with resume", async () => {
    const folder = await madeRun(20);
    await expect(trainIn(folder)).rejects.toThrow(
      /already holds a run.*resume: true.*store.*overwrite: true/,
    );
    await expect(trainIn(folder, { resume: true, overwrite: true })).rejects.toThrow("choose one of them");
    // Settings that cannot be trained with cost nothing.
    const before = snapshot(folder);
    await expect(trainIn(folder, { overwrite: true, learningRate: -1 })).rejects.toThrow(
      "learningRate must be a number above 0",
    );
    expect(snapshot(folder)).toEqual(before);
    await trainIn(folder, { overwrite: true });
    expect(untimed(folder)).toBe(untimed(await whole));
  });
});
