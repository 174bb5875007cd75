/** What the process that runs a study and its workers say to each other. */
import * as z from "zod/mini";
import { version } from "../../distributed/run/version.ts";
import { describingObjects } from "../../distributed/run-kind.ts";
import { fingerprint } from "../../storage/run-config.ts";
import type { Settings, Study } from "../study.ts";

/** The object that says what is measured. */
export const objectName = describingObjects.study;

/** Subjects: what workers say of a unit, what is answered, and how far all is. */
export const subjects = {
  rows: "unit.rows",
  failed: "unit.failed",
  working: "unit.working",
  /** To one worker, whose name has two words. */
  stored: (participant: string) => `unit.stored.${participant}`,
} as const;

const settingSchema = z.union([
  z.number(),
  z.string(),
  z.boolean(),
  z.array(z.union([z.number(), z.string()])),
]);

const describedSchema = z.object({
  version: z.string(),
  study: z.string(),
  settings: z.record(z.string(), settingSchema),
  /** SHA-256 of these three: rows of the same are the same, whoever measures them. */
  identity: z.string(),
  isOver: z.boolean(),
});

/** What is measured. */
export type DescribedStudy = z.infer<typeof describedSchema>;

/** A unit that somebody is to measure, or says something of. */
const unitSchema = z.object({
  identity: z.string(),
  key: z.string(),
  /** A worker's rows as lines of a CSV file, header included. */
  rows: z.optional(z.string()),
  /** Why it could not be measured. */
  error: z.optional(z.string()),
});

/** A message about a unit. */
export type UnitMessage = z.infer<typeof unitSchema>;

/** What is measured, by this version of the program. */
export async function describeStudy(study: Study, settings: Settings): Promise<DescribedStudy> {
  const described = { version, study: study.name, settings };
  const identity = await fingerprint(new TextEncoder().encode(JSON.stringify(described)));
  return describedSchema.parse({ ...described, identity, isOver: false });
}

/** A message's bytes. */
export function encode(message: DescribedStudy | UnitMessage): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(message));
}

/** A message about a unit; undefined where it is none. */
export function decodeUnit(bytes: Uint8Array): UnitMessage | undefined {
  return decode(bytes, unitSchema);
}

/** What is measured; undefined where the bytes do not say it. */
export function decodeStudy(bytes: Uint8Array): DescribedStudy | undefined {
  return decode(bytes, describedSchema);
}

function decode<Value>(bytes: Uint8Array, schema: z.ZodMiniType<Value>): Value | undefined {
  try {
    return schema.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}
