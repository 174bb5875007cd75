/** What a file may ask for at most. */
import { SettingError } from "../errors/errors.ts";
import { option, type Words, words } from "../errors/words.ts";
/**
 * What a file may ask for before it is refused: each limit is checked before memory is taken or work is done. A file can
 * name any size in a few bytes, and one that asks for more than these is more often damaged or hostile than large.
 */
export interface Limits {
  /** Bytes of a model, those of its data files included. */
  readonly modelBytes: number;
  /** Nodes of a model, those inside of branches, loops and local functions included. */
  readonly nodes: number;
  /** Levels of graphs inside of nodes. */
  readonly nesting: number;
  /** Axes of a value. */
  readonly rank: number;
  /** Bytes of one value that a model stores or computes. */
  readonly valueBytes: number;
  /** Turns of a loop, where the model says how many there are. */
  readonly loopTurns: number;
  /** Nodes that a model may have when its loops are written out iteration by iteration. */
  readonly unrolledNodes: number;
  /** Classes that labels may count: the largest class number, plus 1. */
  readonly classes: number;
  /** Pixels of one picture. */
  readonly pixels: number;
  /** Bytes that one compressed file may unpack to. */
  readonly unpackedBytes: number;
  /** Fields of a table: rows × columns. */
  readonly cells: number;
  /** Bytes of one download. */
  readonly downloadBytes: number;
  /** Seconds that `inspect` lets a model run in a process of its own, for shapes that its rules do not tell. */
  readonly inspectSeconds: number;
  /** Bytes of memory that this process may take. */
  readonly inspectBytes: number;
}

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

/** The limits where nothing else is said. */
export const defaultLimits: Limits = {
  modelBytes: 16 * gibibyte,
  nodes: 200_000,
  nesting: 32,
  rank: 64,
  valueBytes: 16 * gibibyte,
  loopTurns: 1_000_000,
  unrolledNodes: 20_000,
  classes: 1_000_000,
  pixels: 100 * mebibyte,
  // No array of JavaScript is longer.
  unpackedBytes: 4 * gibibyte,
  cells: 200_000_000,
  downloadBytes: 4 * gibibyte,
  inspectSeconds: 20,
  inspectBytes: 4 * gibibyte,
};

/**
 * The default limits with some of them changed.
 *
 * @throws when a limit has an unknown name or is no whole number from 1
 */
export function limitsWith(changed: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(changed)) {
    if (!Object.hasOwn(defaultLimits, name)) {
      throw new SettingError(
        `There is no limit '${name}'; the limits are ${Object.keys(defaultLimits).join(", ")}.`,
        { option: "limits" },
      );
    }
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new SettingError(`The limit ${name} must be a whole number from 1, received ${value}.`, {
        option: "limits",
      });
    }
  }
  return { ...defaultLimits, ...changed };
}

/** How messages end that refuse something for its size. */
export function howToRaise(name: keyof Limits, limits: Limits): Words {
  return words`the limit ${name} is ${limits[name].toLocaleString("en")}. If the file is to be trusted, raise it
    (${option("limits", { [name]: null })}).`;
}
