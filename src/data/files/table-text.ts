import { DataError } from "../../errors/errors.ts";
import { words } from "../../errors/words.ts";
import { howToRaise, type Limits } from "../../limits/limits.ts";
import type { SourceFile } from "../store.ts";
import { plainText } from "../text/plain-text.ts";
import { kindOfFile } from "./file-kinds.ts";
import { gunzipAtOnce, isGzip } from "./gzip.ts";

/** JavaScript's longest text, in characters; each takes at least a byte. */
const longestText = 2 ** 29 - 24;

/** How other kinds of tables become CSV, in words. */
const conversions: Readonly<Record<string, (name: string) => string>> = {
  Parquet: (name) => pandas(`read_parquet("${name}")`),
  Arrow: (name) => pandas(`read_feather("${name}")`),
  Feather: (name) => pandas(`read_feather("${name}")`),
  ORC: (name) => pandas(`read_orc("${name}")`),
  Avro: () => "convert it with a program that reads Avro, such as fastavro",
  HDF5: (name) => pandas(`read_hdf("${name}")`),
  "Excel (xls)": spreadsheet,
  "Excel (xlsx)": spreadsheet,
  "OpenDocument (ods)": spreadsheet,
  SQLite: (name) => `sqlite3 -header -csv ${name} "SELECT * FROM …" > table.csv`,
  Stata: (name) => pandas(`read_stata("${name}")`),
  SPSS: (name) => pandas(`read_spss("${name}")`),
  "Python pickle": (name) => pandas(`read_pickle("${name}")`),
  "NumPy array": () => "save its columns with a header (numpy.savetxt), or use npz for arrays",
  "NumPy archive (npz)": () => "choose npz as the kind of data",
  ZIP: (name) => `unpack it first (unzip ${name})`,
  bzip2: (name) => `unpack it first (bunzip2 ${name})`,
  xz: (name) => `unpack it first (unxz ${name})`,
  Zstandard: (name) => `unpack it first (unzstd ${name})`,
  "7-Zip": (name) => `unpack it first (7z x ${name})`,
  "tar archive": (name) => `unpack it first (tar xf ${name})`,
};

/**
 * The text of a table: UTF-8, or UTF-16 with a byte order mark, gzipped or not, which the bytes tell.
 * @throws when the bytes are of another kind, which is named with the way to convert it, or no text.
 */
export function tableText({ name, bytes: stored }: SourceFile, limits: Limits): string {
  if (stored.length === 0)
    throw new DataError(`${name}: the file is empty, expected a table; check that it is whole`, {
      source: name,
    });
  const bytes = isGzip(stored) ? gunzipAtOnce(stored, name, limits) : stored;
  refuseOtherKinds({ name, bytes });
  if (bytes.length > limits.unpackedBytes || bytes.length > longestText) {
    throw new DataError(
      words`${name}: the table has ${bytes.length.toLocaleString("en")} bytes of text, expected at most
        ${Math.min(limits.unpackedBytes, longestText).toLocaleString("en")}; split it, or use arrays (npz). As to
        limits: ${howToRaise("unpackedBytes", limits)}`,
      { source: name },
    );
  }
  const text = plainText({ name, bytes }, "CSV or JSON Lines");
  if (!text.includes("\0")) return text;
  const isWide = bytes.subarray(0, 1000).filter((byte) => byte === 0).length > 100;
  throw new DataError(
    `${name}: the file holds zero bytes, expected CSV text; ` +
      (isWide
        ? "it looks like UTF-16 without a byte order mark: save it in UTF-8"
        : "check that this is the right file"),
    { source: name },
  );
}

/** @throws DataError for bytes that begin like another kind of file, with the way to convert it */
export function refuseOtherKinds({ name, bytes }: SourceFile): void {
  const kind = kindOfTable(bytes);
  if (kind === undefined) return;
  const convert = conversions[kind]?.(name) ?? "check that this is the right file";
  throw new DataError(`${name}: the file is ${kind}, expected CSV or JSON Lines in UTF-8; ${convert}`, {
    source: name,
  });
}

function kindOfTable(bytes: Uint8Array): string | undefined {
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, 4096));
  if (start.startsWith("ustar", 257)) return "tar archive";
  if (/^\s*<(?:!doctype html|html|head|body|table|div)\b/i.test(start)) return "a web page (HTML)";
  if (/^\s*<\?xml/.test(start)) return "XML";
  if (/^(?:\s*%.*\n)*\s*@relation\b/i.test(start)) return "ARFF (Weka)";
  const kind = kindOfFile(bytes);
  // A column may be called BMI.
  if (kind === "BMP" && !start.includes("\0")) return undefined;
  if (kind === "ORC" && /^ORC[\w ]*[,;\t|]/.test(start)) return undefined;
  if (kind !== "ZIP") return kind;
  if (start.includes("application/vnd.oasis.opendocument.spreadsheet")) return "OpenDocument (ods)";
  if (start.includes("[Content_Types].xml") || start.includes("xl/") || start.includes("docProps/"))
    return "Excel (xlsx)";
  return start.includes(".npy") ? "NumPy archive (npz)" : kind;
}

function pandas(read: string): string {
  return `convert it: pandas.${read}.to_csv("table.csv", index=False)`;
}

function spreadsheet(name: string): string {
  return `save it as CSV in a spreadsheet program, or convert it: pandas.read_excel("${name}").to_csv("table.csv", index=False)`;
}
