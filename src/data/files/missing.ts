/** What programs write for a value that is missing, or that a spreadsheet could not compute. */
const marks: readonly RegExp[] = [
  /^$/,
  // R, pandas, SQL, Weka; also #N/A and <NA>, and -nan as C writes it.
  /^(?:\?|#?n\/?a|#n\/a n\/a|n\.\s?a\.|<na>|[-+]?nan|nat|null|none|\\n)$/i,
  // C libraries of Windows.
  /^-?1\.#(?:ind|qnan|snan)\d*$/i,
  // Spreadsheets, in the languages of their users: #DIV/0!, #WERT!, #NAME?, #NV.
  /^#(?:[\p{Lu}\d/._ ]{1,20}[!?]|NV|ND)$/u,
  // Dashes and points alone.
  /^(?:[-\u2010-\u2015\u2212]{1,3}|\.{1,3}|\u2026)$/,
];

/** Whether a field says that its value is missing. */
export function isMissing(text: string): boolean {
  const code = text.charCodeAt(0);
  // Most values begin with a digit, and then only 1.#IND says so.
  if (text.length > 22 || (code >= 48 && code <= 57 && !text.includes("#"))) return false;
  return marks.some((mark) => mark.test(text));
}
