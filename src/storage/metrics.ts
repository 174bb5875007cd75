/** The lines of metrics.jsonl, and how far a file of them is sound. */
import * as z from "zod/mini";

/** Where the metrics of a run are at one of its steps. */
export interface MetricsPosition {
  /** Steps done. */
  readonly step: number;
  /** Bytes of metrics.jsonl that belong to these steps. */
  readonly metricsBytes: number;
  /** CRC-32 of these bytes; absent in checkpoints of version 0.1.0. */
  readonly metricsSum?: number | undefined;
}

/** One line of metrics.jsonl. */
export type MetricsLine =
  | {
      readonly kind: "train";
      readonly step: number;
      readonly epoch: number;
      /** Mean loss of the steps since the line before. */
      readonly loss: number;
      /** Of the last of these steps, schedules included; absent in runs that an earlier version began. */
      readonly learningRate?: number;
      readonly seconds: number;
    }
  | {
      readonly kind: "epoch";
      readonly step: number;
      readonly epoch: number;
      /** Mean loss of the epoch's steps. */
      readonly trainLoss: number;
      readonly validationLoss?: number;
      readonly validationAccuracy?: number;
      /** All metrics of the validation examples by name; absent in runs that an earlier version began. */
      readonly validation?: Readonly<Record<string, number>>;
      readonly seconds: number;
    }
  | {
      readonly kind: "quality";
      readonly step: number;
      /** Mean over draws of the tangents, the step's own among them, as `Quality` has it; that draw alone in version 0.1. */
      readonly cosine: number;
      /** ‖ĝ‖ / ‖∇f‖, as the cosine. */
      readonly normRatio: number;
      /** Shares of ‖∇f‖², with the standard errors that so many draws allow; absent in version 0.1. */
      readonly biasSquared?: number;
      readonly variance?: number;
      readonly cosineError?: number;
      readonly biasSquaredError?: number;
      readonly varianceError?: number;
    }
  | {
      readonly kind: "recovery";
      /** The step that the run went back to, */
      readonly step: number;
      /** because this one diverged; its lines are gone. */
      readonly divergedAt: number;
      readonly reason: string;
      /** Before schedules, from then on. */
      readonly learningRate: number;
    }
  | { readonly kind: "result"; readonly step: number; readonly [key: string]: unknown };

export function encodeLine(line: MetricsLine): string {
  return `${JSON.stringify(line)}\n`;
}

const schema = z.looseObject({
  kind: z.enum(["train", "epoch", "quality", "recovery", "result"]),
  step: z.int().check(z.minimum(0)),
});

/**
 * Checks the lines that a checkpoint counts on, the first bytes of metrics.jsonl.
 *
 * @param bytes what the file holds; more than the checkpoint counts on may follow
 * @returns undefined where they are as they were written, else what is wrong with them
 */
export function faultOfMetrics(
  bytes: Uint8Array | undefined,
  { step, metricsBytes, metricsSum }: MetricsPosition,
): string | undefined {
  if (!bytes?.length) return metricsBytes === 0 ? undefined : "is missing";
  if (bytes.length < metricsBytes) return `has ${bytes.length} bytes`;
  const whole = bytes.subarray(0, metricsBytes);
  const fault = faultOfLines(whole, step);
  if (fault !== undefined) return fault;
  const isChanged = metricsSum !== undefined && crc32(whole) !== metricsSum;
  return isChanged ? "was changed since it was written (its checksum differs)" : undefined;
}

function faultOfLines(bytes: Uint8Array, lastStep: number): string | undefined {
  let before = 0;
  const lines = new TextDecoder().decode(bytes).split("\n");
  const rest = lines.pop();
  for (const [index, line] of lines.entries()) {
    const step = stepOf(line);
    if (step === undefined) return `has a line ${index + 1} that is none of a run's: ${shorten(line)}`;
    if (step < before || step > lastStep)
      return `has step ${step} in line ${index + 1}, expected one from ${before} to ${lastStep}`;
    before = step;
  }
  return rest === "" ? undefined : `has a line ${lines.length + 1} that is cut off`;
}

/** The first lines, as far as they can be read and go no further than a step. */
export function soundLines(bytes: Uint8Array, lastStep: number): Omit<MetricsPosition, "step"> {
  const newline = "\n".charCodeAt(0);
  let [end, before] = [0, 0];
  for (;;) {
    const next = bytes.indexOf(newline, end) + 1;
    const step = next > 0 ? stepOf(new TextDecoder().decode(bytes.subarray(end, next))) : undefined;
    if (step === undefined || step < before || step > lastStep) break;
    [end, before] = [next, step];
  }
  return { metricsBytes: end, metricsSum: crc32(bytes.subarray(0, end)) };
}

/** The step of a line; undefined where it is none of a run's. */
function stepOf(line: string): number | undefined {
  const parsed = schema.safeParse(parseJson(line));
  return parsed.success ? parsed.data.step : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function shorten(line: string): string {
  return JSON.stringify(line.length > 60 ? `${line.slice(0, 60)}…` : line);
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

/** CRC-32 as in gzip and PNG (ISO 3309); with the sum of what came before, that of both. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let sum = ~before;
  for (const byte of bytes) sum = (sum >>> 8) ^ (crcTable[(sum ^ byte) & 0xff] as number);
  return ~sum >>> 0;
}
