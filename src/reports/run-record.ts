/** What a run leaves, read again for its report. */
import * as z from "zod/mini";
import { StorageError } from "../errors/errors.ts";
import type { MetricsLine } from "../storage/metrics.ts";
import type { RunConfig } from "../storage/run-config.ts";
import { keptConfig } from "../storage/run-config.ts";
import { type ReadableRun, readFilled } from "../storage/run-store.ts";
import type { Judgement } from "./judgement.ts";

/** report.json: what a report says beside the metrics. */
export interface RunNotes {
  readonly format: 1;
  /** "forwardgrad 0.1.0, onnxruntime-node 1.30.0" */
  readonly software?: string;
  /** What was typed. */
  readonly command?: string;
  /** A program that does the same. */
  readonly code?: string;
  /** The data in words. */
  readonly data?: string;
  /** The data as flags chose them, by the flags' names without dashes (`dataFile`), with paths as seen from the run's folder. */
  readonly dataFlags?: Readonly<Record<string, unknown>>;
  /** What the run said of itself before it trained, line by line: "inputs: …". */
  readonly understood?: readonly string[];
  /** Names of the classes. */
  readonly classNames?: readonly string[];
  /** Of the model before it was trained. */
  readonly before?: Judgement;
  /** Of the trained model. */
  readonly after?: Judgement;
}

/** All that a report is made of. */
export interface RunRecord {
  /** Where the run is kept. */
  readonly name: string;
  /** All that decides what it computes. */
  readonly config: RunConfig;
  /** Its metrics, in the order in which they were written. */
  readonly lines: readonly MetricsLine[];
  /** What its report says beside them. */
  readonly notes: RunNotes;
}

const notesSchema = z.looseObject({ format: z.literal(1) });

/** Reads what a store, or a folder that was opened, holds of a run. @throws StorageError where it holds none, or what it holds is damaged */
export async function readRun(store: ReadableRun): Promise<RunRecord> {
  const config = await keptConfig(store);
  if (!config || !("perturb" in config)) {
    const what = config
      ? "a run of another kind (a search or a study)"
      : "no run, or one whose config.json is damaged";
    throw new StorageError(`${store.describe} holds ${what}; expected the folder of a training run.`, {
      path: store.describe,
    });
  }
  const text = new TextDecoder().decode(await readFilled(store, "metrics.jsonl"));
  const lines = text
    .split("\n")
    .flatMap((line) => (line === "" ? [] : (parsed(line) ?? [])) as MetricsLine[])
    .filter((line) => typeof line.kind === "string" && typeof line.step === "number");
  return { name: store.describe, config, lines, notes: await readNotes(store) };
}

/** What report.json says; nothing where it is missing or is not ours. */
export async function readNotes(store: ReadableRun): Promise<RunNotes> {
  const bytes = await readFilled(store, "report.json");
  const notes = bytes && parsed(new TextDecoder().decode(bytes));
  return notesSchema.safeParse(notes).success ? (notes as RunNotes) : { format: 1 };
}

/** Lines of one kind. */
export function linesOf<Kind extends MetricsLine["kind"]>(
  { lines }: Pick<RunRecord, "lines">,
  kind: Kind,
): Extract<MetricsLine, { kind: Kind }>[] {
  return lines.filter((line): line is Extract<MetricsLine, { kind: Kind }> => line.kind === kind);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
