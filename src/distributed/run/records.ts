/** The records of a run's log: what every replica does, in one order. */
import { StorageError } from "../../errors/errors.ts";
import type { Fingerprint } from "../weights/fingerprint.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";

/** An estimate as numbers: with the step's key, all of ĝ follows from it. */
export interface RecordedEstimate {
  /** The loss before the step. */
  readonly loss: number;
  /** Which granules counted. */
  readonly counted: readonly boolean[];
  /** c, [k] */
  readonly coefficients: Float32Array;
}

/** A step that was taken. */
export interface StepRecord extends RecordedEstimate {
  readonly kind: "step";
  /** Counted from 0. */
  readonly step: number;
  /** The learning rate, exactly. */
  readonly rate: number;
  /** Of the parameters before the step. */
  readonly before: Fingerprint;
}

/** The run goes on from the newest snapshot: at its beginning, and where a run that diverged went back. */
export interface StateRecord {
  readonly kind: "state";
  /** The step that comes next. */
  readonly step: number;
  /** Of the parameters that it begins with. */
  readonly before: Fingerprint;
  /** The estimate that was no step, because the run diverged at it. Default: none. */
  readonly refused?: (RecordedEstimate & { readonly step: number }) | undefined;
}

/** The coordinator left on purpose. */
export interface EndRecord {
  readonly kind: "end";
  /** The run is complete, stopped for now, or failed for good. */
  readonly how: "done" | "paused" | "failed";
  /** In words, for people. */
  readonly why: string;
}

/** Any record. */
export type RunRecord = StepRecord | StateRecord | EndRecord;

/** The version of records, answers and questions. */
export const formatVersion = 1;

const kinds = ["step", "state", "end"] as const;
const ends = ["done", "paused", "failed"] as const;

/** A record as bytes: of a step, 43 and 4 for each of k tangents. */
export function encodeRecord(record: RunRecord): Uint8Array {
  const writer = new ByteWriter().byte(formatVersion).byte(kinds.indexOf(record.kind));
  if (record.kind === "end") return writer.byte(ends.indexOf(record.how)).text(record.why).bytes();
  writer.double(record.step).word(record.before[0]).word(record.before[1]);
  if (record.kind === "step") return writeEstimate(writer.double(record.rate), record).bytes();
  const { refused } = record;
  writer.byte(refused ? 1 : 0);
  if (refused) writeEstimate(writer.double(refused.step), refused);
  return writer.bytes();
}

/** @throws StorageError for what is no record of this version */
export function decodeRecord(bytes: Uint8Array): RunRecord {
  try {
    const reader = new ByteReader(bytes);
    const version = reader.byte();
    if (version !== formatVersion)
      throw new StorageError(
        `The run's log has records of version ${version}, and this program reads ${formatVersion}; use the same version of forwardgrad everywhere.`,
      );
    const kind = kinds[reader.byte()];
    const record = kind === "end" ? readEnd(reader) : kind === "step" ? readStep(reader) : readState(reader);
    reader.end();
    return record;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new StorageError(
      `A record of ${bytes.length} bytes in the run's log is damaged, or none of forwardgrad's; name another run.`,
      { cause },
    );
  }
}

function readEnd(reader: ByteReader): EndRecord {
  return { kind: "end", how: ends[reader.byte()] ?? "failed", why: reader.text() };
}

function readStep(reader: ByteReader): StepRecord {
  const [step, before] = [reader.double(), [reader.word(), reader.word()] as const];
  const rate = reader.double();
  return { kind: "step", step, before, rate, ...readEstimate(reader) };
}

function readState(reader: ByteReader): StateRecord {
  const [step, before] = [reader.double(), [reader.word(), reader.word()] as const];
  const refused = reader.byte() === 1 ? { step: reader.double(), ...readEstimate(reader) } : undefined;
  return { kind: "state", step, before, refused };
}

function writeEstimate(writer: ByteWriter, { loss, counted, coefficients }: RecordedEstimate): ByteWriter {
  writer.double(loss).word(counted.length);
  for (let index = 0; index < counted.length; index += 8)
    writer.byte(counted.slice(index, index + 8).reduce((bits, is, bit) => bits | (is ? 1 << bit : 0), 0));
  writer.word(coefficients.length);
  for (const coefficient of coefficients) writer.float(coefficient);
  return writer;
}

function readEstimate(reader: ByteReader): RecordedEstimate {
  const loss = reader.double();
  const granules = reader.word();
  const counted: boolean[] = [];
  while (counted.length < granules) {
    const bits = reader.byte();
    for (let bit = 0; bit < 8 && counted.length < granules; bit++) counted.push((bits & (1 << bit)) !== 0);
  }
  const tangents = reader.word();
  const coefficients: number[] = [];
  while (coefficients.length < tangents) coefficients.push(reader.float());
  return { loss, counted, coefficients: Float32Array.from(coefficients) };
}
