/**
 * The training command that a search was for: what was typed, without what belongs to the search alone, and with the rate
 * that was found.
 *
 * @param typed the words after the program's name, search first
 * @param options the flags that take a value, and the long names of those to leave out
 */
export function trainCommandLine(
  typed: readonly string[],
  options: {
    readonly flags: readonly { readonly long?: string | undefined }[];
    readonly leftOut: readonly string[];
  },
  learningRate: number,
): string {
  const takesValue = new Set(options.flags.map(({ long }) => long));
  const words = typed.slice(typed.indexOf("search") + 1);
  const kept: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string;
    const [name = ""] = word.split("=", 1);
    const both = takesValue.has(name) && !word.includes("=");
    if (!options.leftOut.includes(name)) kept.push(...words.slice(index, index + (both ? 2 : 1)));
    if (both) index++;
  }
  return ["forwardgrad", "train", ...kept.map(quoted), "--lr", learningRate.toPrecision(4)].join(" ");
}

/** A word as a POSIX shell reads it back. */
export function quoted(word: string): string {
  return /^[\w./:=,+@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
