/** The cells of the study of scale: what is simulated, and what of it is kept. */
import { fold, keyFromSeed } from "../../random/threefry.ts";
import { uniform64 } from "../../random/uniform.ts";
import { number, text } from "../columns.ts";
import { summarizeBy } from "../statistics.ts";
import type { Column, Row, Unit } from "../study.ts";
import { type HostName, hosts } from "./hosts.ts";
import { foretold, measuredRuns } from "./measured.ts";
import { type SharingName, secondsOf, sharings, slownessOf } from "./step.ts";

export type ScaleSettings = {
  workers: number[];
  parameters: number[];
  tangents: number;
  granule: number;
  batch: number;
  hosts: HostName[];
  curved: number[];
  spread: number;
  quorum: number;
  messages: number;
  draws: number;
  seed: number;
};

const optional = true;
export const scaleColumns: readonly Column[] = [
  text("part", "simulated, or measured: a real run beside what the simulator says of it"),
  number("workers", "W"),
  text("host", "where workers stand: what their machines and lines can do"),
  number("parameters", "n"),
  text("sharing", "what workers exchange: k numbers, or gradients that are averaged"),
  { ...number("draw", "which draw of the workers' delays"), optional },
  { ...number("compute", "seconds of it: passes of the network"), optional },
  { ...number("exchange", "seconds of it: what is on its way"), optional },
  { ...number("rebuild", "seconds of it: tangents drawn again and added"), optional },
  { ...number("bytes", "that one worker sends and receives in a step"), optional },
  { ...number("measured", "seconds of a step of the real run"), optional },
  number("seconds", "of a step, by the simulator"),
];

const cell = ["part", "workers", "host", "parameters", "sharing"];
const values = ["seconds", "compute", "exchange", "rebuild", "bytes", "measured"];

export const scaleSummaryColumns: readonly Column[] = [
  ...scaleColumns.filter(({ name }) => cell.includes(name)),
  number("count", "draws"),
  ...values.flatMap((value) => [
    { ...number(`${value}_mean`, `mean of ${value}`), optional },
    { ...number(`${value}_sd`, `standard deviation of ${value}`), optional },
    { ...number(`${value}_ci95`, `half of the 95 % interval of the mean of ${value}`), optional },
  ]),
];

/** One row a cell; a value that its rows do not have stays empty. */
export function summarizeScale(rows: readonly Row[]): readonly Row[] {
  const part = (name: string, names: readonly string[]) =>
    summarizeBy(
      rows.filter((row) => row.part === name),
      cell,
      names,
    );
  return [...part("simulated", values.slice(0, -1)), ...part("measured", ["seconds", "measured"])];
}

export const planScale = (settings: ScaleSettings): readonly Unit[] => [
  ...settings.workers.map((workers) => simulatedUnit(settings, workers)),
  ...measuredRuns.map(
    (runs, index): Unit => ({
      key: `measured=${index}`,
      cost: 1e-3,
      measure: async () =>
        Object.entries(runs.steps).map(([workers, measured]) => ({
          ...{ part: "measured", workers: Number(workers), host: runs.host, parameters: runs.parameters },
          ...{ sharing: "k numbers", seconds: foretold(runs, Number(workers)), measured },
        })),
    }),
  ),
];

/** All cells of one number of workers, which share its draws of delays. */
function simulatedUnit(settings: ScaleSettings, workers: number): Unit {
  const { tangents, granule, batch, messages, spread, quorum } = settings;
  return {
    key: `workers=${workers}`,
    cost: 1 + workers / 1e4,
    async measure({ signal }) {
      const rows: Row[] = [];
      for (let draw = 0; draw < settings.draws; draw++) {
        if (signal.aborted) return undefined;
        const uniform = uniform64(fold(fold(keyFromSeed(settings.seed), workers), draw), workers);
        const slow = slownessOf(uniform, spread, quorum);
        for (const host of settings.hosts)
          for (const parameters of settings.parameters)
            for (const sharing of Object.keys(sharings) as SharingName[]) {
              const time = sharings[sharing](
                { parameters, tangents, granule, batch, workers, messages, host: hosts[host] },
                slow,
              );
              rows.push({
                ...{ part: "simulated", workers, host, parameters, sharing, draw },
                ...{ seconds: secondsOf(time), ...time },
              });
            }
      }
      return rows;
    },
  };
}
