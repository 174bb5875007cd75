/** Which of a table's columns is likely the one to learn, and which the one of texts. */
import type { SeenData } from "./asked.ts";

const usual = /^(labels?|class(es)?|targets?|y|category|species|kind|sentiment)$/i;

/**
 * What is learned is called so, or is the only column of words beside numbers, or stands last, as a rule; a text is the longest of
 * the first row.
 */
export function likelyColumns(
  columns: SeenData["columns"],
  isTexts: boolean,
): { readonly target: string; readonly text: string } {
  const text = isTexts
    ? columns.toSorted((a, b) => b.first.length - a.first.length)[0]?.name
    : columns[0]?.name;
  const others = isTexts ? columns.filter(({ name }) => name !== text) : columns;
  const words = others.filter(
    ({ first }) => first.trim() !== "" && Number.isNaN(Number(first.replace(",", "."))),
  );
  const named = others.filter(({ name }) => usual.test(name)).at(-1);
  const target = named ?? (words.length === 1 ? words[0] : others.at(-1));
  return { target: target?.name ?? "", text: text ?? "" };
}
