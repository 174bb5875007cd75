/**
 * One line of text as it can be printed: control characters, ends of lines, marks that turn the direction of writing,
 * invisible characters and halves of surrogate pairs are shown as escapes, and what is too long is shortened. Names come
 * from files; a terminal obeys them, and a reader is misled, if they are printed as they are.
 */
export function printable(line: string): string {
  const text =
    line.length > longestLine
      ? `${line.slice(0, longestLine)} … ${line.length - longestLine} more characters`
      : line;
  return text
    .replace(longWord, (word) => `${word.slice(0, wordStart)}…${word.slice(-wordEnd)}`)
    .replace(unprintable, escaped);
}

/** Text that others may read as well, such as JSON, with what a terminal obeys as JSON's own escapes. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(unprintable, (character) =>
    Array.from({ length: character.length }, (_, index) => unit(character.charCodeAt(index))).join(""),
  );
}

const longestLine = 8000;
const [wordStart, wordEnd] = [200, 60];
const longWord = new RegExp(`\\S{${wordStart + wordEnd + 40},}`, "g");

// Controls, formats (bidirectional marks, invisible characters), separators of lines, lone surrogates.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function escaped(character: string): string {
  const short: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return short[character] ?? `\\x${code.toString(16).padStart(2, "0")}`;
  return code <= 0xffff ? unit(code) : `\\u{${code.toString(16)}}`;
}

function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}
