/**
 * How a column writes its numbers. Spreadsheets and programs of other countries write 1.234,5 or 1 234,5 or 1'234.5 or
 * 1,23,456.5 for what programs write 1234.5, with signs of currencies and percent beside it. A column is read as numbers
 * where one notation fits all of its values.
 */
export interface Notation {
  readonly decimal: "." | ",";
  /** What may stand between thousands; empty for nothing. */
  readonly group: string;
  /** A sign of currency, which is dropped. */
  readonly currency: string;
  /** What numbers are divided by: 100 for percent, 1000 for permille. */
  readonly divisor: number;
  readonly isHexadecimal: boolean;
}

const plain: Notation = { decimal: ".", group: "", currency: "", divisor: 1, isHexadecimal: false };

/** Signs between thousands, of which the members of a class count as one. */
const groups = ["", ",", ".", " ", "'", "_"] as const;
const groupPatterns: Readonly<Record<string, string>> = {
  "": "(?!)",
  ",": ",",
  ".": "\\.",
  // Space, no-break space, thin space, narrow no-break space.
  " ": "[ \\u00a0\\u2009\\u202f]",
  "'": "['\\u2019]",
  _: "_",
};

/** Forms of a number's body, by decimal sign and sign between thousands. Groups have three digits, India's two and three. */
const forms = ([".", ","] as const).flatMap((decimal) =>
  groups
    .filter((group) => group !== decimal)
    .map((group) => {
      const point = decimal === "." ? "\\." : ",";
      const between = groupPatterns[group];
      // Groups begin with no 0, and no power of ten follows them.
      const grouped = `[1-9]\\d{0,2}(?:${between}\\d{2,3})*${between}\\d{3}(?:${point}\\d*)?`;
      const body = `(?:${grouped}|(?:\\d+(?:${point}\\d*)?|${point}\\d+)(?:e[+-]?\\d+)?)`;
      return {
        decimal,
        group,
        pattern: new RegExp(`^${body}$`, "i"),
        /** With a sign alone, as most numbers are. */
        bare: new RegExp(`^[-+]?${body}$`, "i"),
        between: new RegExp(between ?? "(?!)", "g"),
      };
    }),
);

/** A decimal number, written with a point. */
export function parseNumber(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** A value taken apart: what stands around its number. */
interface Parts {
  readonly isNegative: boolean;
  readonly currency: string;
  readonly divisor: number;
  readonly isHexadecimal: boolean;
  /** Digits, signs between them, and an exponent. */
  readonly body: string;
}

/** Codes of currencies (ISO 4217), and names of those without a sign of their own. */
const currencyNames = new Set([
  ...Intl.supportedValuesOf("currency"),
  ...[
    "kr",
    "kr.",
    "zł",
    "Kč",
    "Ft",
    "lei",
    "Fr",
    "Fr.",
    "Rs",
    "Rs.",
    "RM",
    "Rp",
    "R$",
    "US$",
    "A$",
    "C$",
    "NT$",
    "HK$",
  ],
]);

/** Takes a value apart; undefined where it does not look like a number with signs around it. */
function partsOf(text: string): Parts | undefined {
  const match =
    /^(?<outer>\p{Sc}(?=\s*\())?\s*(?<open>\()?(?<sign>[-+\u2212])?\s*(?<before>[\p{L}\p{Sc}.]{1,4}?)?\s*(?<inner>[-+\u2212])?(?<body>0x[\da-f]+|[\d.,'\u2019_](?:[\d.,'\u2019_]|[ \u00a0\u2009\u202f](?=\d))*(?:e[-+\u2212]?\d+)?)\s*(?<percent>[%\u2030])?\s*(?<after>[\p{L}\p{Sc}.$]{1,4})?(?<trailing>[-\u2212])?(?<close>\))?$/iu.exec(
      text,
    )?.groups;
  if (match === undefined) return undefined;
  const { outer = "", open, sign, inner, body = "", percent, after = "", trailing, close } = match;
  const before = outer + (match.before ?? "");
  if ((open === undefined) !== (close === undefined) || (before !== "" && after !== "")) return undefined;
  const currency = before || after;
  const isKnown = currency === "" || /^\p{Sc}$/u.test(currency) || currencyNames.has(currency);
  const signs = [sign, inner, trailing, open].filter((mark) => mark !== undefined);
  if (!isKnown || signs.length > 1 || !/\d/.test(body)) return undefined;
  const isHexadecimal = /^0x/i.test(body);
  return {
    isNegative: signs.length > 0 && signs[0] !== "+",
    currency,
    divisor: percent === undefined ? 1 : percent === "%" ? 100 : 1000,
    isHexadecimal,
    body: isHexadecimal ? body : body.replace("\u2212", "-"),
  };
}

/** Whether a value looks like a number in some notation, be it none that is read. */
export function looksLikeNumber(text: string): boolean {
  return (
    parseNumber(text) !== undefined ||
    partsOf(text) !== undefined ||
    // Digits with signs around and between them, but none that dates, times and ranges have; Fortran's 1.5D+03.
    /^[-+\u2212('\p{Sc}\s]*[\p{Nd}.,'\u2019_\s]*\p{Nd}[\p{Nd}.,'\u2019_\s]*(?:[de][-+]?\d+)?[-+\u2212)'%\u2030\p{Sc}\s]*$/iu.test(
      text,
    )
  );
}

/**
 * The notations that fit all values of a column; more than one where they do not tell. Empty where none fits.
 * @param values none of them missing.
 */
export function fittingNotations(values: readonly string[]): Notation[] {
  if (values.every((value) => parseNumber(value) !== undefined)) {
    const german = (value: string) =>
      /^[+-]?[1-9]\d{0,2}(?:\.\d{3})+$/.test(value) || /^[+-]?\d{1,3}$/.test(value);
    const isGrouped = values.some((value) => value.includes(".")) && values.every(german);
    return isGrouped ? [plain, { ...plain, decimal: ",", group: "." }] : [plain];
  }
  const first = partsOf(values[0] ?? "");
  if (first === undefined) return [];
  const bare = first.currency === "" && first.divisor === 1 ? formsOfBare(values) : [];
  if (bare.length > 0) return distinctForms(bare, values, first);
  const { currency, divisor, isHexadecimal } = first;
  let fitting = forms;
  for (const value of values) {
    const parts = partsOf(value);
    if (parts === undefined || !isOfOneKind(parts, first)) return [];
    if (!isHexadecimal) fitting = fitting.filter(({ pattern }) => pattern.test(parts.body));
    if (fitting.length === 0) return [];
  }
  if (isHexadecimal) return [{ ...plain, currency, divisor, isHexadecimal }];
  return distinctForms(fitting, values, first);
}

/** The forms that fit all values, where these have a sign alone around their digits. */
function formsOfBare(values: readonly string[]): typeof forms {
  let fitting = forms;
  for (const value of values) {
    fitting = fitting.filter(({ bare }) => bare.test(value));
    if (fitting.length === 0) break;
  }
  return fitting;
}

/** One form with a point and one with a comma; without either sign in the values, both read the same numbers. */
function distinctForms(
  fitting: typeof forms,
  values: readonly string[],
  { currency, divisor, isHexadecimal }: Parts,
): Notation[] {
  const [point, comma] = [".", ","].map((decimal) => fitting.find((form) => form.decimal === decimal));
  const isClear = point !== undefined && values.every((value) => !/[.,]/.test(partsOf(value)?.body ?? ""));
  return [point, isClear ? undefined : comma].flatMap((form) =>
    form ? [{ decimal: form.decimal, group: form.group, currency, divisor, isHexadecimal }] : [],
  );
}

function isOfOneKind(parts: Parts, first: Parts): boolean {
  return (
    parts.currency === first.currency &&
    parts.divisor === first.divisor &&
    parts.isHexadecimal === first.isHexadecimal
  );
}

/** The number that a value is in a notation, if it is one. */
export function read(text: string, notation: Notation): number | undefined {
  if (notation === plain) return parseNumber(text);
  const { decimal, group, currency, divisor, isHexadecimal } = notation;
  const form = forms.find((one) => one.decimal === decimal && one.group === group);
  if (form === undefined) return undefined;
  const value = (body: string) => Number(body.replace(form.between, "").replace(decimal, "."));
  if (currency === "" && divisor === 1 && !isHexadecimal && form.bare.test(text)) return value(text);
  const parts = partsOf(text);
  if (parts === undefined || !isOfOneKind(parts, { ...parts, ...notation })) return undefined;
  if (isHexadecimal) return signed(parts, Number(parts.body));
  return form.pattern.test(parts.body) ? signed(parts, value(parts.body) / divisor) : undefined;
}

function signed({ isNegative }: Parts, value: number): number {
  return isNegative ? -value : value;
}

/** A notation in words, by the way it writes a number. */
export function describeNotation({ decimal, group, currency, divisor, isHexadecimal }: Notation): string {
  if (isHexadecimal) return "hexadecimal (0x1f)";
  const signs = `${currency}${divisor === 100 ? "%" : divisor === 1000 ? "‰" : ""}`;
  return `1${group}234${decimal}5${signs === "" ? "" : ` with ${signs}`}`;
}

/** The first value that does not go with those before it, and what is wrong with it. */
export function firstMisfit(
  values: readonly string[],
): { readonly row: number; readonly problem: string } | undefined {
  const first = partsOf(values[0] ?? "");
  let fitting = forms;
  for (const [row, value] of values.entries()) {
    const parts = partsOf(value);
    if (parts === undefined) return { row, problem: "is a number in no notation that is read" };
    if (first && !isOfOneKind(parts, first))
      return { row, problem: `is written otherwise than '${values[0]}'` };
    const left = fitting.filter(({ pattern }) => parts.isHexadecimal || pattern.test(parts.body));
    if (left.length === 0) {
      const before = fitting.length === forms.length ? undefined : fitting[0];
      return {
        row,
        problem: before
          ? `does not go with the values before it, which are written like 1${before.group}234${before.decimal}5`
          : "is a number in no notation that is read",
      };
    }
    fitting = left;
  }
  return undefined;
}
