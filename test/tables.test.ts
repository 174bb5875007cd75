import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { numbersOf } from "../src/data/files/columns.ts";
import { parseCsv } from "../src/data/files/csv.ts";
import { type TableOptions, tableDataset } from "../src/data/files/table.ts";
import expected from "./cases/tables/expected.golden.json" with { type: "json" };

const file = (name: string) => ({
  name,
  bytes: new Uint8Array(readFileSync(join(import.meta.dirname, "cases/tables", name))),
});
const dataset = (name: string, options: Partial<TableOptions> = {}) =>
  tableDataset(file(name), { target: "kind", targets: "classes", testFraction: 1, ...options });

describe("numbers as programs and spreadsheets write them", () => {
  for (const [name, columns] of Object.entries(expected)) {
    it(`are read: ${name}`, () => {
      const table = parseCsv(file(name));
      for (const [column, numbers] of Object.entries(columns)) {
        const read = Array.from(numbersOf(table, column));
        expect(read.length).toBe(numbers.length);
        // A division by 100 rounds once.
        read.forEach((value, row) => {
          expect(Math.abs(value - (numbers[row] ?? 0))).toBeLessThanOrEqual(1e-15 * Math.abs(value));
        });
      }
      if (!table.header.includes("kind")) return;
      const { train, test, columns: kinds } = dataset(name);
      expect(train.count).toBe(0);
      expect(kinds?.map(({ kind }) => kind)).toEqual(Object.keys(columns).map(() => "number"));
      expect(test.shape).toEqual([Object.keys(columns).length]);
    });
  }

  it("stand for the same inputs in the notation of other data", () => {
    const { columns, classNames, train } = dataset("german.csv", { testFraction: 0.2 });
    expect(train.count).toBe(5);
    const american = dataset("american.csv", { columns, classNames });
    const german = dataset("german.csv", { columns, classNames });
    expect(american.test).toEqual(german.test);
  });

  it("are targets, too", () => {
    const { test } = dataset("euros.csv", { target: "price", targets: "values" });
    expect(Array.from(test.labels)).toEqual(expected["euros.csv"].price);
  });

  it("may be told to have a decimal comma where they do not tell", () => {
    expect(Array.from(dataset("ambiguous.csv", { decimal: "comma" }).test.inputs)).toEqual(
      [1.234, 5.678].map(Math.fround),
    );
    expect(Array.from(dataset("ambiguous.csv", { decimal: "point" }).test.inputs)).toEqual([1234, 5678]);
    const { warnings } = dataset("german-groups.csv");
    expect(warnings?.map(String)[0]).toMatch(
      /row 2, column 'count': '1\.200' is read as 1200, because other columns/,
    );
    expect(dataset("german-groups.csv", { decimal: "comma" }).warnings).toEqual([]);
  });
});

describe("columns that are no numbers of one notation", () => {
  const refused = {
    "mixed.csv": /row 4, column 'price': '3,456\.50' does not go with the values before it, .* like 1\.234,5/,
    "mixed-currency.csv": /row 4, column 'price': '€7' is written otherwise than '\$5'/,
    "mixed-percent.csv": /row 4, column 'rate': '0\.07' is written otherwise than '5%'/,
    "units.csv": /row 2, column 'weight': '5 kg' is a number with the unit 'kg', as in all rows/,
    "dates.csv": /row 2, column 'day': '05\.01\.2024' is a number in no notation that is read/,
    "ambiguous.csv": /row 2, column 'price': '1,234' is 1234 or 1\.234, .*decimal: "point", decimal: "comma"/,
  };
  for (const [name, message] of Object.entries(refused)) {
    it(`are refused by row, column and notation: ${name}`, () => {
      expect(() => dataset(name)).toThrow(message);
      const asked = parseCsv(file(name)).header[0] ?? "";
      expect(dataset(name, { categorical: [asked] }).columns?.[0]).toMatchObject({ kind: "category" });
    });
  }
});

describe("tables without a header", () => {
  for (const name of ["headless-iris.csv", "headless-numbers.csv", "headless-words.csv"]) {
    it(`are noticed, and read where that is said: ${name}`, () => {
      expect(() => parseCsv(file(name))).toThrow(/row 1 holds .*header: false/);
      const { header, rows, rowNumbers } = parseCsv(file(name), { header: false });
      expect(header).toEqual(header.map((_, column) => `${column + 1}`));
      expect(rowNumbers).toEqual(rows.map((_, row) => row + 1));
    });
  }

  it("are none where numbers name columns, or where it is said", () => {
    expect(parseCsv(file("years.csv")).header).toEqual(["2019", "2020", "country"]);
    expect(parseCsv(file("headless-words.csv"), { header: true }).header).toEqual(["p", "x", "s"]);
    expect(dataset("headless-iris.csv", { header: false, target: "5" }).test.shape).toEqual([4]);
  });
});

describe("files of other kinds", () => {
  const kinds = {
    "book.xlsx":
      /is Excel \(xlsx\), expected CSV or JSON Lines in UTF-8; save it as CSV .*read_excel\("book.xlsx"\)/,
    "base.sqlite": /is SQLite, .*sqlite3 -header -csv base\.sqlite/,
    "table.parquet": /is Parquet, .*read_parquet/,
    "table.feather": /is Arrow, .*read_feather/,
    "stream.arrow": /is Arrow/,
    "old.xls": /is Excel \(xls\), .*read_excel/,
    "sheet.ods": /is OpenDocument \(ods\), .*read_excel/,
    "store.h5": /is HDF5, .*read_hdf/,
    "latin1.csv": /no UTF-8 text \(byte 0xf6 in row 1, which is 'ö' .*iconv -f WINDOWS-1252/,
    "nested.jsonl": /row 1, column 'x': a list, expected a number or text/,
  };
  for (const [name, message] of Object.entries(kinds)) {
    it(`are named by what they hold, with the way to convert them: ${name}`, () => {
      expect(() => parseCsv(file(name))).toThrow(message);
    });
  }

  it("are refused for their size before they are unpacked or taken apart", () => {
    expect(() => dataset("pandas.csv.gz", { limits: { unpackedBytes: 50 } })).toThrow(
      /pandas\.csv\.gz: unpacks to more bytes than allowed; the limit unpackedBytes is 50/,
    );
    expect(() => dataset("german.csv", { limits: { cells: 8 } })).toThrow(
      /german\.csv: about \d+ fields; the limit cells is 8/,
    );
  });

  it("that are damaged gzip are refused", () => {
    const { name, bytes } = file("pandas.csv.gz");
    for (let length = 2; length < bytes.length; length++)
      expect(() => parseCsv({ name, bytes: bytes.subarray(0, length) }), `${length}`).toThrow(
        /^pandas\.csv\.gz: /,
      );
    const flipped = bytes.slice();
    flipped[60] = (flipped[60] as number) ^ 4;
    expect(() => parseCsv({ name, bytes: flipped })).toThrow(/^pandas\.csv\.gz: truncated or damaged gzip/);
  });
});

describe("whole numbers that float32 does not tell apart", () => {
  const warned = {
    "times.csv": /row 2, column 't': '1700000000001' and '1700000000002' \(row 3\) are the same number/,
    "identifiers.csv": /column 'id': '9007199254740992' and '9007199254740993' \(row 3\)/,
    "thousands.csv": /column 'n': '16,777,216' and '16,777,217' \(row 3\)/,
  };
  for (const [name, message] of Object.entries(warned)) {
    it(`are warned of by the column's name: ${name}`, () => {
      expect(dataset(name).warnings?.map(String)).toEqual([expect.stringMatching(message)]);
    });
  }

  it("and no others are", () => {
    for (const name of ["american.csv", "pandas.csv.gz", "hexadecimal.csv"])
      expect(dataset(name).warnings).toEqual([]);
  });
});
