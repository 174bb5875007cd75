/** Runs a study, unit by unit, into its store: here, or wherever units are measured. */
import * as z from "zod/mini";
import { ForwardgradError, SettingError, StorageError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { claimStore, fingerprint, type RunConfig } from "../storage/run-config.ts";
import type { RunStore } from "../storage/run-store.ts";
import { decodeRows, encodeHeader, encodeRows } from "./results.ts";
import type { Environment, Results, Row, Settings, Study, Unit } from "./study.ts";

const resultsFile = "results.csv";
const stateFile = "state.json";

/**
 * What `runStudy` yields: at the start the number of `units`; for each unit that has ended its `key`; at the end the `results`, and
 * the `seconds` spent measuring, all sessions together. `finished` counts units that are done, and `share` is the part of the whole
 * work that is done, 0 to 1.
 */
export type StudyEvent =
  | { readonly kind: "start"; readonly units: number; readonly finished: number; readonly share: number }
  | { readonly kind: "unit"; readonly key: string; readonly finished: number; readonly share: number }
  | { readonly kind: "interrupted"; readonly finished: number }
  | { readonly kind: "done"; readonly results: Results; readonly seconds: number };

/** A study under way: what is measured, with what, and where it is kept. */
export interface StudyRun {
  /** The study to run. */
  readonly study: Study;
  /** From `resolveSettings`. */
  readonly settings: Settings;
  /** Where its files are kept. */
  readonly store: RunStore;
  /** What it gets from outside. */
  readonly environment: Omit<Environment, "advance">;
  /** Measures units elsewhere; default: here, one after the other. It is asked for one after the other, too. */
  readonly elsewhere?: (units: readonly Unit[]) => Promise<UnitsElsewhere>;
  /** Goes on with the run in the store. */
  readonly resume: boolean;
  /** Starts anew in a store that holds a run, or files of the names of a study's: these are removed first. */
  readonly overwrite?: boolean;
  /** Called while a unit works, with the part of the whole work that is done. */
  readonly onAdvance?: (share: number) => void;
  /** Seconds between writes of finished units; 0 writes each at once. Default 1. */
  readonly commitSeconds?: number;
}

/** Units that others measure. */
export interface UnitsElsewhere {
  /** A unit's rows, once they are there; undefined where the user stopped it. */
  measure(unit: Unit): Promise<readonly Row[] | undefined>;
  /** All rows are kept. */
  finish(): Promise<void>;
  /** The study ends before its last unit. */
  stop(): Promise<void>;
}

/** What is on disk for sure: the first bytes of results.csv. */
interface Committed {
  /** Finished units, the first of the plan. */
  readonly finished: number;
  /** Key of the last of them. */
  readonly last?: string;
  /** Length and SHA-256 of the part of results.csv that they wrote. */
  readonly bytes: number;
  readonly sha256: string;
  /** Time spent measuring, all sessions together. */
  readonly seconds: number;
}

const committedSchema = z.object({
  finished: z.int().check(z.minimum(0)),
  last: z.optional(z.string()),
  bytes: z.int().check(z.minimum(0)),
  sha256: z.string(),
  seconds: z.number().check(z.minimum(0)),
});

/**
 * Runs a study, unit by unit. Rows go to results.csv; state.json counts what is whole, so that a killed run loses at most
 * the unit it was in and one second, and a resumed one ends with the same rows.
 *
 * @throws when the store holds another run, or its files are damaged; nothing in the store is then changed
 */
export async function* runStudy(run: StudyRun): AsyncGenerator<StudyEvent, void> {
  const release = await run.store.lock?.();
  try {
    yield* measureUnits(run);
  } finally {
    await release?.();
  }
}

async function* measureUnits(run: StudyRun): AsyncGenerator<StudyEvent, void> {
  const { study, settings, store, environment } = run;
  const units = study.plan(settings);
  requireDistinctKeys(study, units);
  const { resume, overwrite } = run;
  const claim = await claimStore(store, "study", describe(study, settings), { resume, overwrite });
  const before = claim.isOld ? await readCommitted(run, units) : undefined;
  await claim.take();
  const file = new ResultsFile(store, study, before);
  await file.open();
  const costs = units.map(({ cost }) => cost);
  const total = costs.reduce((sum, cost) => sum + cost, 0) || 1;
  let finished = before?.state.finished ?? 0;
  let done = costs.slice(0, finished).reduce((sum, cost) => sum + cost, 0);
  yield { kind: "start", units: units.length, finished, share: done / total };
  const started = performance.now();
  const earlier = before?.state.seconds ?? 0;
  const seconds = () => earlier + (performance.now() - started) / 1000;
  const elsewhere = await run.elsewhere?.(units.slice(finished));
  for (const unit of units.slice(finished)) {
    const share = (fraction: number) => (done + unit.cost * Math.min(Math.max(fraction, 0), 1)) / total;
    const advance = (fraction: number) => run.onAdvance?.(share(fraction));
    let rows: readonly Row[] | undefined;
    if (!environment.signal.aborted) {
      try {
        rows = await (elsewhere?.measure(unit) ?? unit.measure({ ...environment, advance }));
      } catch (cause) {
        await elsewhere?.stop();
        await file.commit(seconds());
        throw new ForwardgradError(words`${study.name}, ${unit.key}: ${cause}`, { cause });
      }
    }
    if (!rows) {
      await elsewhere?.stop();
      await file.commit(seconds());
      yield { kind: "interrupted", finished };
      return;
    }
    finished += 1;
    done += unit.cost;
    await file.add(unit.key, rows, seconds(), run.commitSeconds ?? 1);
    yield { kind: "unit", key: unit.key, finished, share: done / total };
  }
  await file.commit(seconds());
  await elsewhere?.finish();
  const rows = decodeRows(`${store.describe}/${resultsFile}`, file.bytes(), study.columns);
  const summary = study.summarize(rows, settings);
  yield { kind: "done", results: { settings, rows, summary }, seconds: seconds() };
}

/** What config.json says: two runs with the same measure the same. */
function describe(study: Study, settings: Settings): RunConfig {
  const flat = Object.entries(settings).map(([name, value]) => [
    name,
    typeof value === "object" ? value.join(",") : value,
  ]);
  return { study: study.name, ...Object.fromEntries(flat) };
}

function requireDistinctKeys(study: Study, units: readonly Unit[]): void {
  const keys = new Set<string>();
  for (const { key } of units) {
    if (keys.has(key))
      throw new SettingError(
        `The study '${study.name}' has two units '${key}'; leave repeated values out of the settings.`,
        { option: "settings" },
      );
    keys.add(key);
  }
}

interface Before {
  readonly state: Committed;
  readonly text: string;
}

/** Reads what an earlier run finished, and checks every byte of it. */
async function readCommitted(
  { study, store }: StudyRun,
  units: readonly Unit[],
): Promise<Before | undefined> {
  const where = `${store.describe}/${resultsFile}`;
  const remedy = words`restore the file, or start again in another folder (${option("store")}).`;
  const [bytes, stateBytes] = [await store.read(resultsFile), await store.read(stateFile)];
  if (!stateBytes) {
    if (!bytes || bytes.length === 0) return undefined;
    throw new StorageError(
      words`${store.describe}/${stateFile} is missing, and only it tells which rows of ${resultsFile} are whole;
        ${remedy}`,
      { path: store.describe },
    );
  }
  let state: Committed;
  try {
    state = committedSchema.parse(JSON.parse(new TextDecoder().decode(stateBytes)));
  } catch (cause) {
    throw new StorageError(words`${store.describe}/${stateFile} is damaged (${cause}); ${remedy}`, {
      path: store.describe,
      cause,
    });
  }
  if (state.bytes === 0) return { state, text: "" };
  if (!bytes || bytes.length < state.bytes) {
    throw new StorageError(
      words`${where} has ${bytes?.length ?? 0} bytes, expected at least the ${state.bytes} that ${stateFile} counts on;
        ${remedy}`,
      { path: where },
    );
  }
  const whole = bytes.slice(0, state.bytes);
  // A damaged field is named where it can be; the sum finds the rest.
  decodeRows(where, whole, study.columns);
  if ((await fingerprint(whole)) !== state.sha256)
    throw new StorageError(
      words`${where} was changed since it was written (its SHA-256 differs from the one in ${stateFile}); ${remedy}`,
      { path: where },
    );
  if (state.finished > units.length || units[state.finished - 1]?.key !== state.last) {
    throw new StorageError(
      words`${store.describe} was measured by another version of the study '${study.name}': its unit ${state.finished}
        is '${state.last}', here '${units[state.finished - 1]?.key}'. Start again in another folder
        (${option("store")}).`,
      { path: store.describe },
    );
  }
  return { state, text: new TextDecoder().decode(whole) };
}

/** results.csv and the state that says how much of it is whole. */
class ResultsFile {
  readonly #store: RunStore;
  readonly #study: Study;
  #state: Committed;
  #text: string;
  #waiting = "";
  #finished: number;
  #last: string | undefined;
  #committed = performance.now();

  constructor(store: RunStore, study: Study, before: Before | undefined) {
    this.#store = store;
    this.#study = study;
    this.#state = before?.state ?? { finished: 0, bytes: 0, sha256: "", seconds: 0 };
    this.#text = before?.text ?? "";
    this.#finished = this.#state.finished;
    this.#last = this.#state.last;
  }

  /** Cuts off what a killed run wrote of an unfinished commit. */
  async open(): Promise<void> {
    if (this.#state.bytes === 0) await this.#writeState();
    await this.#store.truncate(resultsFile, this.#state.bytes);
    if (this.#state.bytes === 0) this.#waiting = encodeHeader(this.#study.columns);
  }

  async add(key: string, rows: readonly Row[], seconds: number, commitSeconds: number): Promise<void> {
    this.#waiting += encodeRows(this.#study.columns, rows);
    this.#finished += 1;
    this.#last = key;
    if (performance.now() - this.#committed >= 1000 * commitSeconds) await this.commit(seconds);
  }

  async commit(seconds: number): Promise<void> {
    if (this.#waiting === "") return;
    await this.#store.append(resultsFile, this.#waiting);
    this.#text += this.#waiting;
    this.#waiting = "";
    const bytes = this.bytes();
    this.#state = {
      finished: this.#finished,
      last: this.#last,
      bytes: bytes.length,
      sha256: await fingerprint(bytes),
      seconds,
    };
    await this.#writeState();
    this.#committed = performance.now();
  }

  /** All that is committed. */
  bytes(): Uint8Array {
    return new TextEncoder().encode(this.#text);
  }

  async #writeState(): Promise<void> {
    await this.#store.write(
      stateFile,
      new TextEncoder().encode(`${JSON.stringify(this.#state, undefined, 2)}\n`),
    );
  }
}
