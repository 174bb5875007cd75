/** What a Python literal may hold; tuples and lists are both arrays. */
export type PythonValue =
  | string
  | number
  | boolean
  | null
  | readonly PythonValue[]
  | ReadonlyMap<string, PythonValue>;

/**
 * Reads a literal as Python's ast.literal_eval does: dictionaries with text for keys, tuples, lists, text, whole numbers
 * (also with the L of Python 2), True, False and None. Whether brackets held a tuple or a list makes no difference.
 * Source: The Python Language Reference, sections 2.4 and 6.2.
 * @throws when the text is no such literal.
 */
export function parsePythonLiteral(text: string): PythonValue {
  const reader = { text, at: 0 };
  const value = readValue(reader);
  skipSpace(reader);
  if (reader.at < text.length) throw unexpected(reader);
  return value;
}

interface Reader {
  readonly text: string;
  at: number;
}

function readValue(reader: Reader): PythonValue {
  skipSpace(reader);
  if (take(reader, /\{/y)) return readDictionary(reader);
  if (take(reader, /\[/y)) return readItems(reader, /\]/y).items;
  if (take(reader, /\(/y)) {
    const { items, commas } = readItems(reader, /\)/y);
    // Brackets around one value without a comma only group.
    return items.length === 1 && commas === 0 ? (items[0] as PythonValue) : items;
  }
  const word = take(reader, /(?:True|False|None)\b/y);
  if (word) return word === "None" ? null : word === "True";
  const number = take(reader, /[+-]?(?:0[xX][\da-fA-F_]+|\d[\d_]*)L?(?![\w.])/y);
  if (number) return Number(number.replaceAll(/[_L+]/g, ""));
  return readText(reader);
}

function readDictionary(reader: Reader): ReadonlyMap<string, PythonValue> {
  const entries = new Map<string, PythonValue>();
  for (;;) {
    skipSpace(reader);
    if (take(reader, /\}/y)) return entries;
    const key = readText(reader);
    skipSpace(reader);
    if (!take(reader, /:/y)) throw unexpected(reader);
    entries.set(key, readValue(reader));
    skipSpace(reader);
    if (!take(reader, /,|(?=\})/y) && reader.text[reader.at] !== "}") throw unexpected(reader);
  }
}

function readItems(reader: Reader, end: RegExp): { items: PythonValue[]; commas: number } {
  const items: PythonValue[] = [];
  for (let commas = 0; ; ) {
    skipSpace(reader);
    if (take(reader, end)) return { items, commas };
    if (items.length > commas) throw unexpected(reader);
    items.push(readValue(reader));
    skipSpace(reader);
    if (take(reader, /,/y)) commas++;
  }
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\n": "" };

/** One string, or several beside each other. */
function readText(reader: Reader): string {
  let text: string | undefined;
  for (;;) {
    skipSpace(reader);
    const quoted = take(reader, /[bBuU]?(?:'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*")/y);
    if (!quoted) break;
    const inside = quoted.slice(quoted.search(/['"]/) + 1, -1);
    text = `${text ?? ""}${inside.replaceAll(
      /\\x([\da-fA-F]{2})|\\([\s\S])/g,
      (_, code: string | undefined, letter: string) =>
        code ? String.fromCharCode(Number.parseInt(code, 16)) : (escapes[letter] ?? letter),
    )}`;
  }
  if (text === undefined) throw unexpected(reader);
  return text;
}

/** Spaces, line ends and comments. */
function skipSpace(reader: Reader): void {
  take(reader, /(?:\s|#[^\n]*)*/y);
}

/** The text that matches here, if any; the reader moves behind it. */
function take(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text)?.[0];
  reader.at += found?.length ?? 0;
  return found;
}

function unexpected({ text, at }: Reader): Error {
  return new Error(`unexpected ${JSON.stringify(text.slice(at, at + 20))} at character ${at}`);
}
