// Runs benches by name and prints tables (--markdown for Markdown), or data with --json:
//
//     npm run bench                         # the quick ones
//     node bench/index.mjs steps tangents   # by name, after npm run build
//     npm run bench -- --compare DIST       # this build next to another one
//
// Ctrl-C ends the run after the round at hand and prints what is complete; a second one ends it at once.
import { parseArgs } from "node:util";

const names = ["steps", "peers", "tangents", "convolutions", "guesses", "long", "depth-width", "compare"];
const quick = ["steps", "tangents", "convolutions"];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
    widths: { type: "string" },
    depths: { type: "string" },
    threads: { type: "string" },
    steps: { type: "string" },
    seconds: { type: "string" },
    only: { type: "string" },
    networks: { type: "string" },
    python: { type: "string", default: process.env.BENCH_PYTHON ?? "python3" },
    frog: { type: "string", default: process.env.FROG_DIR },
    "jax-js": { type: "string", default: process.env.JAX_JS_DIR },
    compare: { type: "string" },
    chart: { type: "string" },
    spin: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const unknown = positionals.find((name) => !names.includes(name));
if (flags.help || unknown !== undefined) {
  console.error(
    `${unknown === undefined ? "" : `There is no bench '${unknown}'. `}Benches: ${names.join(", ")}; ` +
      "bench/README.md describes them and their flags.",
  );
  process.exit(unknown === undefined ? 0 : 2);
}

if (positionals.includes("compare") && flags.compare === undefined) {
  console.error("compare: give the other build's dist folder, --compare DIST.");
  process.exit(2);
}
const chosen = positionals.length > 0 ? positionals : flags.compare === undefined ? quick : ["compare"];

const numbers = (text) => text?.split(",").map(Number);
const number = (text) => (text === undefined ? undefined : Number(text));
const stop = new AbortController();
process.on("SIGINT", () => {
  if (stop.signal.aborted) process.exit(130);
  console.error("Stopping after this round; Ctrl-C again ends at once.");
  stop.abort();
});
const options = {
  widths: numbers(flags.widths),
  depths: numbers(flags.depths),
  threads: number(flags.threads),
  steps: number(flags.steps),
  seconds: number(flags.seconds),
  only: flags.only?.split(","),
  networks: flags.networks?.split(","),
  python: flags.python,
  frog: flags.frog,
  jaxJs: flags["jax-js"],
  compare: flags.compare,
  chart: flags.chart,
  spin: flags.spin,
  signal: stop.signal,
};

const report = {};
const endings = [];
for (const name of chosen) {
  const bench = await import(`./${name}.mjs`);
  if (!flags.json) console.log(`${bench.title}\n`);
  const results = [];
  report[name] = results;
  try {
    for await (const row of bench.rows(options)) results.push(row);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  if (!flags.json)
    console.log(`${results.length > 0 ? bench.print(results, options) : "Nothing measured."}\n`);
  if (bench.finish) endings.push(() => bench.finish(results, options));
  if (stop.signal.aborted) break;
}
if (flags.json) console.log(JSON.stringify(report));
for (const end of endings) await end();
if (stop.signal.aborted) process.exit(130);
