/** Subjects: words with points between, of which a pattern leaves some open. */
import { SettingError } from "../errors/errors.ts";

/** Whether a text is words of letters, digits, `_` and `-` with points between. */
export function isSubject(text: string): boolean {
  return /^[\w-]+(\.[\w-]+)*$/.test(text);
}

/** @throws SettingError when a subject, or a pattern, is none */
export function checkSubject(text: string, isPattern = false): void {
  if (!isSubject(isPattern ? text.replace(/(?<=^|\.)\*(?=\.|$)/g, "any") : text))
    throw new SettingError(
      `A subject must be words of letters, digits, "_" and "-" with points between, received ${JSON.stringify(text)}.`,
      { option: "subject" },
    );
}

/** Whether a subject is one that a pattern names: `*` is any one word. */
export function matches(pattern: string, subject: string): boolean {
  const [wanted, given] = [pattern.split("."), subject.split(".")];
  return (
    wanted.length === given.length && wanted.every((word, index) => word === "*" || word === given[index])
  );
}
