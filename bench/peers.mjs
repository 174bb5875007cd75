// Whole steps of this library next to other programs' steps on the same problem: one process each, in turns. Peers that are not
// installed are left out, with a note. bench/README.md says how to install them.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { breathe, median, medianRatio, quantile, short, table } from "./measure.mjs";

export const title = "A training step next to other programs";

const folder = join(import.meta.dirname, "peers");
const python = (file) => (options) => [options.python, ["-W", "ignore", join(folder, file)]];
const torch = (options, { network }) => python(network ? "torch_networks.py" : "torch_func.py")(options);
const node = (file) => () => [process.execPath, [join(folder, file)]];

const peers = {
  forwardgrad: {
    command: node("forwardgrad.mjs"),
    estimators: [
      "forward",
      "dense",
      "dense, signs",
      "low-rank",
      "activations",
      "activations, signs",
      "activations, feedback",
      "exact",
    ],
  },
  frog: {
    command: python("frog.py"),
    estimators: ["dense"],
    ofNetworks: [],
    missing: ({ frog }) =>
      existsSync(join(frog ?? "", "nn_training")) ? undefined : "no checkout given (--frog DIR or FROG_DIR)",
  },
  "torch.func": { command: torch, estimators: ["dense", "low-rank", "activations"], ofNetworks: ["dense"] },
  PyTorch: { command: torch, estimators: ["exact"], ofNetworks: ["forward", "exact"] },
  JAX: {
    command: (options, { network }) => python(network ? "jax_networks.py" : "jax_func.py")(options),
    estimators: ["dense", "low-rank", "activations", "exact"],
    ofNetworks: ["exact"],
  },
  "jax-js": {
    command: node("jax-js.mjs"),
    estimators: ["dense"],
    ofNetworks: [],
    threads: [1],
    missing: ({ jaxJs }) =>
      existsSync(join(jaxJs ?? "", "node_modules/@jax-js/jax"))
        ? undefined
        : "no folder with its node_modules given (--jax-js DIR or JAX_JS_DIR)",
  },
};
/** What each estimator of ours stands next to: tangents of signs next to the others' normal numbers, too. */
const comparisons = ["dense", "low-rank", "activations", "exact"];

/** The processes that were started and have not ended. */
const running = new Set();

/**
 * Starts a peer.
 *
 * @returns run, which answers with the milliseconds of each step; close
 * @throws with the last line that it wrote when it cannot start
 */
async function start(name, config, options) {
  const [program, given] = peers[name].command(options, config);
  const env = { ...process.env, FROG_DIR: options.frog, JAX_JS_DIR: options.jaxJs };
  const child = spawn(program, [...given, JSON.stringify(config)], { env, stdio: ["pipe", "pipe", "pipe"] });
  running.add(child);
  let complaint = "";
  child.stderr.on("data", (data) => {
    complaint = `${complaint}${data}`.slice(-2000);
  });
  const failed = new Promise((_, reject) => {
    child.on("error", reject);
    child.on("close", (code) =>
      reject(new Error(complaint.trim().split("\n").at(-1) || `it ended with ${code}`)),
    );
  });
  // Ends of children that are no longer asked are no errors.
  failed.catch(() => {});
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () =>
    JSON.parse(await Promise.race([lines.next().then(({ value }) => value ?? failed), failed]));
  const ready = await next();
  return {
    ...ready,
    threads: config.threads,
    async run(steps) {
      child.stdin.write(`${JSON.stringify({ steps })}\n`);
      return (await next()).milliseconds;
    },
    close: () => child.kill(),
  };
}

/**
 * Starts a peer with each number of threads and keeps the faster; both where they are close, because other work on the machine
 * slows threads that wait for each other most.
 */
async function startFaster(name, config, options) {
  const tried = [];
  const most = options.threads ?? 2;
  // Steps of networks along tangents take gigabytes.
  const isLarge = config.network && !["forward", "exact"].includes(config.estimator);
  for (const threads of peers[name].threads ?? (isLarge ? [most] : [1, most])) {
    const peer = await start(name, { ...config, threads }, options);
    const [first] = await peer.run(1);
    tried.push({ peer, time: first > 1000 ? first : quantile(await peer.run(5), 0) });
  }
  const fastest = Math.min(...tried.map(({ time }) => time));
  for (const { peer } of tried.filter(({ time }) => time > 1.5 * fastest)) peer.close();
  return tried.filter(({ time }) => time <= 1.5 * fastest);
}

export async function* rows(options) {
  const { widths = [256, 1024], batch = 64, k = 16, seconds = 8, only, networks, spin, signal } = options;
  const noted = new Set();
  const problems = networks?.map((network) => ({ network })) ?? widths.map((width) => ({ width }));
  for (const problem of problems) {
    const compared = problem.network ? (only ?? ["exact"]) : comparisons;
    const forward = new Map();
    for (const comparison of compared) {
      if (only && !only.includes(comparison)) continue;
      const started = [];
      try {
        for (const [name, { estimators: ofLayers, ofNetworks = ofLayers, missing }] of Object.entries(
          peers,
        )) {
          await breathe(signal);
          const estimators = problem.network ? ofNetworks : ofLayers;
          // The authors' code has one kind of tangents, whose step stands next to each kind of ours.
          const own =
            name === "frog" && comparison !== "exact"
              ? ["dense"]
              : [comparison, `${comparison}, signs`, `${comparison}, feedback`];
          for (const estimator of own.filter((one) => estimators.includes(one))) {
            try {
              const reason = missing?.(options);
              if (reason) throw new Error(reason);
              const config = { peer: name, estimator, width: 256, ...problem, batch, tangents: k, spin };
              const variants = await startFaster(name, config, options);
              const error = Math.max(...variants.map(({ peer }) => peer.derivativeError));
              if (!(error < 1e-3)) {
                for (const { peer } of variants) peer.close();
                throw new Error(`its derivatives differ from the exact gradient's by ${error}`);
              }
              started.push(...variants.map((variant) => ({ name, estimator, ...variant, times: [] })));
            } catch (error) {
              if (name === "forwardgrad") throw error;
              if (!noted.has(name)) console.error(`${name} is left out: ${error.message}`);
              noted.add(name);
            }
          }
        }
        // Bursts of about 150 ms, so that a process is warm when it counts.
        const budget = performance.now() + 1000 * seconds;
        for (let round = 0; round < 15 && (round < 3 || performance.now() < budget); round++) {
          for (const one of started) {
            await breathe(signal);
            const times = await one.peer.run(Math.max(1, Math.min(20, Math.round(150 / one.time))));
            one.times.push(median(times));
          }
        }
        const chosen = new Map();
        for (const one of started) {
          const label = `${one.name} ${one.estimator}`;
          const best = chosen.get(label);
          if (!best || median(one.times) < median(best.times)) chosen.set(label, one);
        }
        const [ours] = chosen.values();
        for (const { name, estimator, peer, times } of chosen.values()) {
          const library = name === "torch.func" ? "PyTorch" : name;
          if (comparison === "forward") forward.set(library, median(times));
          yield {
            ...problem,
            comparison,
            passes: median(times) / (forward.get(library) ?? Number.NaN),
            program: name,
            estimator,
            version: peer.version,
            threads: peer.threads,
            rounds: times.length,
            milliseconds: median(times),
            fastest: quantile(times, 0),
            overOurs: medianRatio(times, ours.times),
            fastestOverOurs: quantile(times, 0) / quantile(ours.times, 0),
          };
        }
      } finally {
        for (const child of running) child.kill();
      }
    }
  }
}

export function print(results) {
  return (
    "784-w-w-10 (or the network of bench/networks.mjs), batch 64, k = 16, projection, whole steps; each program with the number of threads that suits it better\n\n" +
    table(
      [
        "program",
        "tangents",
        "width or network",
        "threads",
        "ms a step",
        "÷ ours",
        "fastest ms",
        "÷ ours",
        "forward passes",
        "version",
      ],
      results.map((row) => [
        row.program,
        row.estimator,
        row.network ?? row.width,
        row.threads,
        short(row.milliseconds),
        short(row.overOurs),
        short(row.fastest),
        short(row.fastestOverOurs),
        short(row.passes),
        row.version,
      ]),
    )
  );
}
