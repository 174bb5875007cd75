/** Study: how a step of k numbers scales over machines, beside one of averaged gradients. */
import * as z from "zod/mini";
import { count, some } from "../rules.ts";
import type { Study } from "../study.ts";
import { planScale, type ScaleSettings, scaleColumns, scaleSummaryColumns, summarizeScale } from "./cells.ts";
import { scaleCharts } from "./charts.ts";
import { type HostName, hosts } from "./hosts.ts";
import { measuredRuns } from "./measured.ts";
import { scaleVerdicts } from "./verdicts.ts";

const names = Object.keys(hosts) as [HostName, ...HostName[]];
const positive = z.number().check(z.gt(0));
const powers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));

const settings: ScaleSettings = {
  workers: powers(0, 6),
  parameters: powers(5, 11),
  tangents: 16,
  granule: 4,
  batch: 1024,
  hosts: names,
  curved: powers(2, 8),
  spread: 0.3,
  quorum: 0.9,
  messages: 2e5,
  draws: 20,
  seed: 0,
};

/** Where is one machine not enough, and what should cross between many? */
export const scale: Study<ScaleSettings> = {
  name: "scale",
  title: "Across machines: k numbers or a gradient?",
  source: "this project; a simulation whose pieces are measured",
  claim:
    "Workers that exchange k numbers a step send the same bytes whatever the network's size, those that average gradients 8n. On slow lines " +
    "that makes steps far shorter. Training is only faster where the steps that k numbers take more do not outweigh it.",
  equation: [
    "k numbers: t = ⌈G·S/W⌉ · s · 2n(B/S)(1 + g)/F + 2L + bytes/β + 2W/μ + n·k/ρ,  G = k/g granules, S shards of the batch",
    "sliced: n·g/ρ in the place of n·k/ρ",
    "all-reduce: t = s · 3 · 2n(B/W)/F + 2⌈log₂W⌉ L + 8n(W−1)/(W β)",
    "s = 1 + σ E₍m₎, the m-th of W exponential delays in order: m = ⌈qW⌉ for k numbers, W for gradients",
    "steps that get as far as one exact step: 1 + r/k,  r = tr H/λ",
  ],
  method:
    "Four kinds of hosts stand for machines (F operations and ρ draws a second) and lines (latency L, β bytes a second); one server and coordinator " +
    "handle μ messages a second. Work takes s times as long as undisturbed, by exponential delays of mean σ; k numbers wait for a share q " +
    "of the workers. Means over draws of the delays with 95 % intervals. Real runs of 1, 2 and 4 workers on one machine are held to the " +
    "same formula with their own pieces.",
  settings: {
    workers: some(count(1)).check(z.describe("W, numbers of workers")),
    parameters: some(count(1)).check(z.describe("n, numbers of parameters")),
    tangents: count(1).check(z.describe("k, tangents of a step")),
    granule: count(1).check(z.describe("g, tangents of one pass")),
    batch: count(1).check(z.describe("B, examples (or tokens) of a step")),
    hosts: some(z.enum(names)).check(z.describe(`where workers stand: ${names.join(", ")}`)),
    curved: some(positive).check(z.describe("r, directions in which the loss is curved")),
    spread: z.number().check(z.minimum(0), z.describe("σ, mean delay of a worker in units of its work")),
    quorum: positive.check(z.maximum(1), z.describe("q, share of the workers that k numbers wait for")),
    messages: positive.check(
      z.describe("μ, messages that the server and the coordinator handle in a second"),
    ),
    draws: count(1).check(z.describe("draws of the workers' delays")),
    seed: count(0).check(z.describe("decides the delays")),
  },
  full: settings,
  quick: { ...settings, draws: 5 },
  quickLeavesOut: "Left out: 15 of 20 draws of the delays. Every verdict is decided all the same.",
  tiny: {
    ...settings,
    ...{ workers: [1, 10, 1000], parameters: [1e5, 1e8], curved: [100, 1e8], draws: 2 },
  },
  columns: scaleColumns,
  summaryColumns: scaleSummaryColumns,
  plan: planScale,
  summarize: summarizeScale,
  charts: scaleCharts,
  verdicts: scaleVerdicts,
  notes: () => [
    "Left out: memory (no machine of homes holds 10¹¹ parameters), failures, batches that grow with the workers, gradients in fewer bits, " +
      "and outer steps with local ones between, which divide what gradients send.",
    "Slices of parameters are simulated, and not built yet: real runs draw every tangent in every worker.",
    ...measuredRuns.map(({ about }) => `Measured: ${about}.`),
  ],
};
