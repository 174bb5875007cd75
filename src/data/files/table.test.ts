import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCsv } from "./csv.ts";
import { tableDataset } from "./table.ts";

const file = (text: string, name = "own.csv") => ({ name, bytes: new TextEncoder().encode(text) });
const classes = { target: "kind", targets: "classes" } as const;
const animals = `size,color,age,kind
1.5,red,3,cat
-2e1,blue,4,dog
.5,red,5,cat
7,green,6,dog
0,red,8,owl
`;

describe("parsing", () => {
  const field = fc.string({ unit: fc.constantFrom(..."ab1,;\t|\"\n\r 'é") });

  test("gives back any table of quoted fields", () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 2, max: 5 })
          .chain((width) =>
            fc.array(fc.array(field, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 8 }),
          ),
        (rows) => {
          const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
          const header = rows[0]?.map((_, column) => `c${column}`) ?? [];
          const text = [header, ...rows].map((fields) => fields.map(quoted).join(",")).join("\n");
          const table = parseCsv(file(text));
          expect(table.header).toEqual(header);
          expect(table.rows).toEqual(rows.map((fields) => fields.map((value) => value.trim())));
        },
      ),
    );
  });

  test("passes over the index that pandas writes, and no other column without a name", () => {
    // DataFrame.to_csv("own.csv"), of a whole frame and of frame[3:].
    for (const first of [0, 3]) {
      const table = parseCsv(file(`,size,kind\n${first},1.5,cat\n${first + 1},2.0,dog\n`));
      expect(table.header).toEqual(["size", "kind"]);
      expect(table.rows).toEqual([
        ["1.5", "cat"],
        ["2.0", "dog"],
      ]);
    }
    for (const text of [",size,kind\n0,1.5,cat\n2,2.0,dog\n", ",size,kind\nx,1.5,cat\ny,2.0,dog\n"])
      expect(() => parseCsv(file(text))).toThrow("column 1 has no name");
  });

  test("takes commas, semicolons, tabs and bars, line ends of both kinds, and a byte order mark", () => {
    const expected = parseCsv(file(animals)).rows;
    for (const separator of [";", "\t", "|"])
      expect(parseCsv(file(animals.replaceAll(",", separator))).rows).toEqual(expected);
    expect(parseCsv(file(animals.replaceAll("\n", "\r\n"))).rows).toEqual(expected);
    expect(parseCsv(file(`\uFEFF${animals}`)).header[0]).toBe("size");
  });

  test("counts rows as spreadsheets do, and passes over empty ones", () => {
    const { rows, rowNumbers } = parseCsv(file('a,b\n\n1,"x\ny"\n\n2,z\n\n'));
    expect(rows).toEqual([
      ["1", "x\ny"],
      ["2", "z"],
    ]);
    expect(rowNumbers).toEqual([3, 5]);
  });

  test("what is no table is refused by row", () => {
    const refused = (text: string) => expect(() => parseCsv(file(text)));
    refused("a,b\n1,2\n3\n").toThrow("own.csv: row 3 has 1 fields, expected 2 as in the header");
    refused('a,b\n1,"2\n3,4\n').toThrow(/^own.csv: row 2: Quoted field unterminated/);
    refused("a,,c\n1,2,3\n").toThrow("own.csv: column 2 has no name");
    refused("a,b,a\n1,2,3\n").toThrow("own.csv: two columns are called 'a'");
    refused("1,2\n3,4\n").toThrow("own.csv: row 1 holds numbers alone, expected the names of the columns");
    refused("a,b\n").toThrow("own.csv: no rows below the header");
    refused("").toThrow(/^own.csv: /);
    refused("a,b\n1,\0\n").toThrow("own.csv: the file holds zero bytes");
    expect(() => parseCsv({ name: "own.csv", bytes: Uint8Array.of(0x61, 0xff, 0x0a) })).toThrow(
      "own.csv: the file is no UTF-8 text",
    );
  });

  test("any truncation inside a row is a named error, or a table of fewer or shorter last fields", () => {
    const bytes = new TextEncoder().encode(animals);
    const whole = parseCsv(file(animals)).rows;
    for (let length = 0; length < bytes.length; length++) {
      try {
        const { rows } = parseCsv({ name: "cut.csv", bytes: bytes.subarray(0, length) });
        expect(rows.slice(0, -1)).toEqual(whole.slice(0, rows.length - 1));
      } catch (error) {
        expect((error as Error).message).toMatch(/^cut.csv: /);
      }
    }
  });
});

describe("examples", () => {
  test("hold numbers as they are, categories one-hot, and classes sorted", () => {
    const { train, test: held, ...about } = tableDataset(file(animals), { ...classes, testFraction: 1 });
    expect(train.count).toBe(0);
    expect(held.shape).toEqual([5]);
    expect(held.inputs).toEqual(
      // size; blue, green, red; age
      Float32Array.of(
        ...[1.5, 0, 0, 1, 3],
        ...[-20, 1, 0, 0, 4],
        ...[0.5, 0, 0, 1, 5],
        ...[7, 0, 1, 0, 6],
        ...[0, 0, 0, 1, 8],
      ),
    );
    expect(held.labels).toEqual(Int32Array.of(0, 1, 0, 1, 2));
    expect(about).toMatchObject({ classes: 3, classNames: ["cat", "dog", "owl"] });
    expect(about.columns).toEqual([
      { name: "size", kind: "number" },
      { name: "color", kind: "category", categories: ["blue", "green", "red"] },
      { name: "age", kind: "number" },
    ]);
  });

  test("are split the same way each time, and normalized by the training part, categories excepted", () => {
    const dataset = tableDataset(file(animals), { ...classes, testFraction: 0.4 });
    expect([dataset.train.count, dataset.test.count]).toEqual([3, 2]);
    expect(tableDataset(file(animals), { ...classes, testFraction: 0.4 })).toEqual(dataset);
    const { mean, standardDeviation } = dataset.normalization;
    const ages = [4, 9, 14].map((at) => dataset.train.inputs[at] as number);
    const center = ages.reduce((sum, age) => sum + age) / 3;
    expect((mean as number[])[4]).toBeCloseTo(center, 12);
    expect((standardDeviation as number[])[4]).toBeCloseTo(
      Math.sqrt(ages.reduce((sum, age) => sum + (age - center) ** 2, 0) / 3),
      12,
    );
    expect((mean as number[]).slice(1, 4)).toEqual([0, 0, 0]);
    expect((standardDeviation as number[]).slice(1, 4)).toEqual([1, 1, 1]);
  });

  test("have numbers to learn where asked", () => {
    const options = {
      target: "age",
      targets: "values",
      ignore: ["kind"],
      test: file(animals, "t.csv"),
    } as const;
    const { train, test: held, classes: count, targetNormalization } = tableDataset(file(animals), options);
    expect(train.labels).toEqual(Float32Array.of(3, 4, 5, 6, 8));
    expect(held).toEqual(train);
    expect(count).toBe(0);
    expect(targetNormalization?.mean).toEqual([26 / 5]);
    expect([targetNormalization?.standardDeviation].flat()[0]).toBeCloseTo(Math.sqrt(2.96), 12);
  });

  test("take the columns and classes of a trained model, in its order", () => {
    const { columns, classNames } = tableDataset(file(animals), classes);
    const other = "kind,extra,age,color,size\nowl,9,8,red,0\n";
    const { test: held } = tableDataset(file(other), { ...classes, columns, classNames, testFraction: 1 });
    expect(held.inputs).toEqual(Float32Array.of(0, 0, 0, 1, 8));
    expect(held.labels).toEqual(Int32Array.of(2));
    const unknown = (text: string) =>
      expect(() => tableDataset(file(text), { ...classes, columns, classNames, testFraction: 1 }));
    unknown(other.replace("red", "pink")).toThrow(
      "own.csv: row 2, column 'color': 'pink' is new, expected one of blue, green, red",
    );
    unknown(other.replace("owl", "cow")).toThrow(
      "row 2, column 'kind': 'cow' is new, expected one of cat, dog, owl",
    );
    unknown(other.replace("age", "years")).toThrow(
      "own.csv: no column 'age', expected one of kind, extra, years",
    );
  });

  test("number classes that are numbers by their values", () => {
    const text = `x,kind\n${[10, 9, 2, 10, 9, 2].map((kind, at) => `${at},${kind}`).join("\n")}`;
    expect(tableDataset(file(text), classes).classNames).toEqual(["2", "9", "10"]);
  });

  test("that cannot be used are refused by row and column, with the remedy", () => {
    const refused = (text: string, options = {}) =>
      expect(() => tableDataset(file(text), { ...classes, ...options }));
    refused(animals.replace("7,", ",")).toThrow(
      "own.csv: row 5, column 'size': the value is missing (''); expected one in each row. Fill it in, take the row out, " +
        'or leave the column out (ignore: ["size"])',
    );
    refused(animals.replaceAll("red", "NA")).toThrow(
      "row 2, column 'color': the value is missing ('NA'), as in 2 more rows",
    );
    refused(animals.replace("7,", "7 kg,")).toThrow(
      "row 5, column 'size': '7 kg' is no number, expected one as in most rows (with a decimal point); correct it, or take " +
        'the column for categories (categorical: ["size"])',
    );
    refused(animals.replace("7,", "1e99,")).toThrow(
      "row 5, column 'size': '1e99' is no number that 32-bit floats hold",
    );
    refused(animals, { target: "kinds" }).toThrow(
      "own.csv: no column 'kinds', expected one of size, color, age, kind",
    );
    refused(animals, { ignore: ["weight"] }).toThrow("no column 'weight'");
    refused(animals, { categorical: ["weight"] }).toThrow("correct categorical");
    refused(animals, { ignore: ["size", "color", "age"] }).toThrow(
      "no column is left beside the target 'kind'",
    );
    refused(animals, { target: "size" }).toThrow(
      "own.csv: row 2, column 'size': the target holds '1.5', expected the names or numbers of classes; for target values " +
        'use targets: "values"',
    );
    refused(animals, { targets: "values" }).toThrow("row 2, column 'kind': 'cat' is no number");
    refused("x,kind\n1,a\n2,a\n").toThrow("the target 'kind' is 'a' in every row");
    refused("x,kind\n1,a\n").toThrow("the target 'kind' is 'a' in every row");
    const names = Array.from({ length: 150 }, (_, at) => `n${at},${at % 2}`).join("\n");
    refused(`name,kind\n${names}`).toThrow(
      "own.csv: column 'name' has 150 different values, expected at most 100 categories; leave it out (ignore: [\"name\"])",
    );
    expect(
      tableDataset(file(`name,kind\n${names}`), { ...classes, categorical: ["name"] }).train.shape,
    ).toEqual([150]);
    const many = Array.from({ length: 150 }, (_, at) => `${at % 7},${at}`).join("\n");
    refused(`x,kind\n${many}`).toThrow("the target holds 150 different values");
  });
});
