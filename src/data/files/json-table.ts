import { DataError } from "../../errors/errors.ts";
/** Columns and their values as text. */
export interface JsonTable {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Lines of JSON Lines, positions in an array, from 1. */
  readonly rowNumbers: readonly number[];
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a table from JSON Lines (an object a line) or from an array of objects. Columns are the objects' keys, in the order
 * in which they come up; a key that an object lacks, or null, is a missing value.
 * @param rowsBefore lines of the file before this text, where it is a part of one
 * @returns undefined where the text is no JSON.
 * @throws when it is JSON of another form, a line of JSON Lines is none, or a value is a list or an object.
 */
export function parseJsonTable(text: string, source: string, rowsBefore = 0): JsonTable | undefined {
  const start = text.trimStart()[0];
  if (start !== "{" && start !== "[") return undefined;
  const whole = parsed(text);
  if (Array.isArray(whole))
    return asTable(
      whole,
      whole.map((_, index) => index + 1),
      source,
    );
  const lines = text.split("\n");
  const numbers = [...lines.keys()].filter((line) => lines[line]?.trim() !== "");
  const first = parsed(lines[numbers[0] ?? 0] ?? "");
  if (first === undefined) {
    if (whole === undefined) {
      // A field of CSV may begin with a bracket.
      if (!/^\s*(?:\{\s*"|\[\s*[[{])/.test(text)) return undefined;
      throw new DataError(
        `${source}: row ${rowsBefore + (numbers[0] ?? 0) + 1} is no JSON${problemOf(text)}, expected an object a line (JSON Lines) or one array ` +
          "of objects; correct it",
        { source },
      );
    }
    throw new DataError(
      `${source}: one JSON object, expected an object a line (JSON Lines) or an array of objects; convert it ` +
        '(pandas: to_json(…, orient="records", lines=True))',
      { source },
    );
  }
  const records = numbers.map((line) => {
    const record = parsed(lines[line] ?? "");
    if (record !== undefined) return record;
    throw new DataError(
      `${source}: row ${rowsBefore + line + 1} is no JSON${problemOf(lines[line] ?? "")}, expected an object as in row 1; correct the row`,
      { source },
    );
  });
  return asTable(
    records,
    numbers.map((line) => rowsBefore + line + 1),
    source,
  );
}

function asTable(records: readonly unknown[], rowNumbers: readonly number[], source: string): JsonTable {
  const columns = new Map<string, number>();
  for (const [index, record] of records.entries()) {
    if (!isFields(record)) {
      throw new DataError(
        `${source}: row ${rowNumbers[index]} is ${what(record)}, expected an object with a value for each column; ` +
          'convert it (pandas: to_json(…, orient="records", lines=True))',
        { source },
      );
    }
    for (const name of Object.keys(record)) if (!columns.has(name)) columns.set(name, columns.size);
  }
  const header = [...columns.keys()];
  const rows = (records as readonly Fields[]).map((record, index) =>
    header.map((name) => {
      const value = Object.hasOwn(record, name) ? record[name] : null;
      if (value === null) return "";
      if (typeof value !== "object") return String(value).trim();
      throw new DataError(
        `${source}: row ${rowNumbers[index]}, column '${name}': ${what(value)}, expected a number or text; ` +
          (records.length === 1
            ? 'the file is one object, so write an object for each row (pandas: to_json(…, orient="records", lines=True))'
            : "give its parts columns of their own, or leave the key out"),
        { source },
      );
    }),
  );
  return { header, rows, rowNumbers };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What Python writes and JSON has not. */
function problemOf(text: string): string {
  const number = /[:[,]\s*(-?Infinity|NaN)\b/.exec(text)?.[1];
  if (number !== undefined) return ` (it holds ${number}, for which JSON has null)`;
  return /\}\s*,\s*$/m.test(text) ? " (there is a comma behind the object)" : "";
}

function what(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : JSON.stringify(value);
}

/** Undefined where the text is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
