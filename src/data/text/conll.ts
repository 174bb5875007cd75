/** Sentences whose words have labels, in columns: a word a line, and an empty line behind each sentence. */
import { DataError, SettingError } from "../../errors/errors.ts";
import { option, words as worded } from "../../errors/words.ts";
import type { SourceFile } from "../store.ts";
import { unpackedText } from "./unpacked-text.ts";

/** A sentence, word by word. */
export interface LabelledWords {
  /** In their order. */
  readonly words: readonly string[];
  /** Of each word. */
  readonly labels: readonly string[];
  /** Where it begins, for messages: "train.conll, line 12". */
  readonly at?: string;
}

/** Which columns hold what, counted from 1. */
export interface ConllColumns {
  /** Default: the first. */
  readonly word?: number;
  /** Default: the last. */
  readonly label?: number;
}

/**
 * Reads a file in the columns of the CoNLL tasks, which tabs or spaces separate. Lines that begin with `-DOCSTART-` separate documents, and
 * lines that begin with `# ` and have another number of columns are comments.
 *
 * @throws DataError for bytes that are no text (UTF-8, or UTF-16 with a byte order mark, gzipped or not), and a row with another number of columns than the first, by file and line; SettingError for a column that there
 * is not
 */
export function conllSentences(file: SourceFile, { word = 1, label }: ConllColumns = {}): LabelledWords[] {
  const { name } = file;
  const lines = unpackedText(file, "columns of words").split(/\r\n|\n|\r/);
  type Open = { readonly words: string[]; readonly labels: string[]; readonly at: string };
  const sentences: Open[] = [];
  let open: Open | undefined;
  let width: number | undefined;
  for (const [index, line] of lines.entries()) {
    const fields = line.includes("\t")
      ? line.split("\t").map((field) => field.trim())
      : line.trim().split(/ +/);
    const isComment = line.startsWith("# ") && width !== undefined && fields.length !== width;
    if (line.trim() === "" || line.startsWith("-DOCSTART-")) open = undefined;
    else if (!isComment && !(line.startsWith("# ") && width === undefined)) {
      width ??= checkedWidth(fields.length, { word, label, name });
      if (fields.length !== width) {
        throw new DataError(
          `${name}, line ${index + 1} has ${fields.length} columns, expected ${width} as in the lines before; correct it, or leave it out.`,
          { source: name },
        );
      }
      if (!open) {
        open = { words: [], labels: [], at: `${name}, line ${index + 1}` };
        sentences.push(open);
      }
      open.words.push(fields[word - 1] as string);
      open.labels.push(fields[(label ?? width) - 1] as string);
    }
  }
  if (sentences.length > 0) return sentences;
  throw new DataError(
    `${name} has no sentences; expected a word with its label on each line, and an empty line behind each sentence.`,
    { source: name },
  );
}

function checkedWidth(
  width: number,
  { word, label, name }: { readonly word: number; readonly label: number | undefined; readonly name: string },
): number {
  const wrong = Object.entries({ text: word, label: label ?? 2 }).find(
    ([, column]) => !(Number.isInteger(column) && column >= 1 && column <= width),
  );
  if (!wrong) return width;
  throw new SettingError(
    worded`${name} has ${width} columns, and ${option(wrong[0], wrong[1])} is none of them; count from 1.`,
    { option: wrong[0] },
  );
}
