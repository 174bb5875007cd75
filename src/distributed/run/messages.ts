/** What coordinator and workers say to each other between two records. Who says it, the transport vouches for. */
import { type Fingerprint, isSame } from "../weights/fingerprint.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { formatVersion } from "./records.ts";

/** The subjects of a run's messages. */
export const subjects = {
  /** From the coordinator: which granules of a step, or parts of its batch, it asks whom for. */
  ask: "ask",
  /** From the coordinator: the coefficients of a step, whose record follows once it has formed its own update. */
  formed: "formed",
  /** From the coordinator: who is there? */
  roll: "roll",
  /** From the coordinator: a worker is not asked any more, and why. */
  dropped: "dropped",
  /** From the coordinator: pieces of what a step begins with: parameters, and what its estimator remembers. */
  state: "state",
  /** From the coordinator: pieces of a part's answer that it lacks. */
  more: "more",
  /** From a worker: derivatives of a granule. */
  answer: "answer",
  /** From a worker: pieces of what a part of the batch gave. */
  part: "part",
  /** From a worker: pieces of what the step begins with that it lacks. */
  lacking: "lacking",
  /** From a worker: it is there. */
  here: "here",
  /** From a worker: it leaves. */
  gone: "gone",
} as const;

/** Where a run is: all records up to one were applied. */
export interface Position {
  /** The sequence of the last record. */
  readonly after: number;
  /** The step that comes next, counted from 0. */
  readonly step: number;
  /** Of the parameters then. */
  readonly before: Fingerprint;
}

/** Whether both are the same place of a run. */
export function isSamePosition(one: Position, other: Position): boolean {
  return one.after === other.after && one.step === other.step && isSame(one.before, other.before);
}

/** A question for pieces of a step, to all workers at once. */
export interface Question extends Position {
  /** Granules, or parts of the batch, by the participant that is asked for them. */
  readonly shares: ReadonlyMap<string, readonly number[]>;
}

/** A worker's answer. */
export interface Answer extends Position {
  /** The granule's number: all of the first part of the batch, then those of the next. */
  readonly granule: number;
  readonly loss: number;
  /** d, [count] */
  readonly derivatives: Float64Array;
}

export function encodeQuestion(question: Question): Uint8Array {
  const writer = writePosition(new ByteWriter().byte(formatVersion), question).word(question.shares.size);
  for (const [participant, granules] of question.shares) {
    writer.text(participant).word(granules.length);
    for (const granule of granules) writer.word(granule);
  }
  return writer.bytes();
}

/** @returns undefined for what is no question of this version */
export function decodeQuestion(bytes: Uint8Array): Question | undefined {
  return decoded(bytes, (reader) => {
    const position = readPosition(reader);
    const shares = new Map<string, number[]>();
    for (let left = reader.word(); left > 0; left--) {
      const participant = reader.text();
      const granules: number[] = [];
      for (let more = reader.word(); more > 0; more--) granules.push(reader.word());
      shares.set(participant, granules);
    }
    return { ...position, shares };
  });
}

/** An answer as bytes: 41 and 4 for each derivative, which the engine computes in float32. */
export function encodeAnswer(answer: Answer): Uint8Array {
  const { granule, loss, derivatives } = answer;
  const writer = writePosition(new ByteWriter().byte(formatVersion), answer);
  writer.word(granule).double(loss).word(derivatives.length);
  for (const derivative of derivatives) writer.float(derivative);
  return writer.bytes();
}

/** @returns undefined for what is no answer of this version */
export function decodeAnswer(bytes: Uint8Array): Answer | undefined {
  return decoded(bytes, (reader) => {
    const position = readPosition(reader);
    const [granule, loss] = [reader.word(), reader.double()];
    const derivatives: number[] = [];
    for (let left = reader.word(); left > 0; left--) derivatives.push(reader.float());
    return { ...position, granule, loss, derivatives: Float64Array.from(derivatives) };
  });
}

/** The coefficients of a step, ahead of its record, so that workers form the update while the coordinator does. */
export interface Foretold extends Position {
  /** c, [k] */
  readonly coefficients: Float32Array;
}

/** Coefficients as bytes: 29 and 4 for each. */
export function encodeForetold(foretold: Foretold): Uint8Array {
  const writer = writePosition(new ByteWriter().byte(formatVersion), foretold);
  writer.word(foretold.coefficients.length);
  for (const coefficient of foretold.coefficients) writer.float(coefficient);
  return writer.bytes();
}

/** @returns undefined for what is none of this version */
export function decodeForetold(bytes: Uint8Array): Foretold | undefined {
  return decoded(bytes, (reader) => {
    const position = readPosition(reader);
    const coefficients: number[] = [];
    for (let left = reader.word(); left > 0; left--) coefficients.push(reader.float());
    return { ...position, coefficients: Float32Array.from(coefficients) };
  });
}

/** Whom a word of the coordinator is for, and what it says in words. */
export function encodeNotice(participant: string, why: string): Uint8Array {
  return new ByteWriter().byte(formatVersion).text(participant).text(why).bytes();
}

export function decodeNotice(
  bytes: Uint8Array,
): { readonly participant: string; readonly why: string } | undefined {
  return decoded(bytes, (reader) => ({ participant: reader.text(), why: reader.text() }));
}

/** What nobody of this version wrote is no message: anybody may say anything. */
export function decoded<Message>(
  bytes: Uint8Array,
  read: (reader: ByteReader) => Message,
): Message | undefined {
  try {
    const reader = new ByteReader(bytes);
    if (reader.byte() !== formatVersion) return undefined;
    const message = read(reader);
    reader.end();
    return message;
  } catch {
    return undefined;
  }
}

export function writePosition(writer: ByteWriter, { after, step, before }: Position): ByteWriter {
  return writer.double(after).double(step).word(before[0]).word(before[1]);
}

export function readPosition(reader: ByteReader): Position {
  const [after, step] = [reader.double(), reader.double()];
  return { after, step, before: [reader.word(), reader.word()] };
}
