import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { npzDataset } from "../src/data/files/npz.ts";
import { type TableOptions, tableDataset } from "../src/data/files/table.ts";
import { imageFolder } from "../src/data/pictures/image-folder.ts";
import { decodePicture } from "../src/data/pictures/node-picture.ts";
import { mlp } from "../src/models/mlp.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { imageChannels } from "../src/objective/model-data.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { train } from "../src/train/train.ts";
import amounts from "./cases/exports/amounts.golden.json" with { type: "json" };
import marks from "./cases/exports/marks.golden.json" with { type: "json" };

const cases = join(import.meta.dirname, "cases");
const file = (name: string) => ({ name, bytes: new Uint8Array(readFileSync(join(cases, "exports", name))) });
const table = (name: string, options: Partial<TableOptions> = {}) =>
  tableDataset(file(name), { target: "kind", targets: "classes", testFraction: 1, ...options });
const written = (text: string, options: Partial<TableOptions> = {}) =>
  tableDataset(
    { name: "t.csv", bytes: new TextEncoder().encode(text) },
    { target: "kind", targets: "classes", testFraction: 1, ...options },
  );

describe("what pandas and spreadsheets write for a missing value", () => {
  it("is refused in numbers, categories and classes", () => {
    for (const mark of marks) {
      const missing = /^t\.csv: (row 3|row 3, .*): the value is missing/;
      expect(() => written(`x,kind\n1,a\n${mark},b\n3,a\n4,b\n`), mark).toThrow(missing);
      expect(() => written(`x,kind\nred,a\n${mark},b\nblue,a\nred,b\n`), mark).toThrow(missing);
      expect(() => written(`x,kind\n1,a\n2,${mark}\n3,a\n4,b\n`), mark).toThrow(missing);
    }
  });

  it("is a category where that is said, also for other data", () => {
    expect(() => table("categories.csv")).toThrow(
      /row 2, column 'country': the value is missing \('NA'\), as in 3 more rows.* is a category, say so \(categorical: \["country"\]\)/,
    );
    const { columns, classNames, test } = table("categories.csv", { categorical: ["country"] });
    expect(columns).toEqual([{ name: "country", kind: "category", categories: ["DE", "FR", "NA"] }]);
    expect(Array.from(test.inputs.slice(0, 6))).toEqual([0, 0, 1, 1, 0, 0]);
    expect(table("categories.csv", { columns, classNames }).test).toEqual(test);
    const classes = written("x,kind\n1,-\n2,+\n3,-\n", { categorical: ["kind"] });
    expect(classes.classNames).toEqual(["+", "-"]);
    expect(() => written("x,kind\n1,a\n,b\n", { categorical: ["x"] })).toThrow(/value is missing \(''\)/);
  });

  it("is not what merely looks like one", () => {
    const { columns } = written("x,kind\n#1,a\n#GO,b\n-a,a\nNAN-1,b\n");
    expect(columns?.[0]).toMatchObject({ categories: ["#1", "#GO", "-a", "NAN-1"] });
  });
});

describe("numbers", () => {
  for (const name of ["accounting.csv", "accounting-euros.csv", "formulas.csv", "cleared.csv"]) {
    it(`are read as they were before they were written: ${name}`, () => {
      expect(Array.from(table(name).test.inputs)).toEqual(amounts.map(Math.fround));
    });
  }
  for (const name of ["fortran.csv", "apostrophes.csv"]) {
    it(`in notations that are not read never become categories in silence: ${name}`, () => {
      expect(() => table(name)).toThrow(/row 2, column 'amount': .* in no notation that is read/);
    });
  }

  it("that are said to be targets but are words point to classes", () => {
    expect(() => written("x,kind\n1,yes\n2,no\n", { targets: "values" })).toThrow(
      /row 2, column 'kind': 'yes' is no number, .* names classes, use targets: "classes"/,
    );
    expect(() => written("x,kind\n1,1e300\n2,2\n", { targets: "values" })).toThrow(
      /'1e300' is no number that 32-bit floats hold/,
    );
  });
});

describe("rows that were cleared", () => {
  it("are passed over, and count in messages", () => {
    expect(() => written(",\nx,kind\n1,a\n,\nNA,b\n,\n")).toThrow(/row 5, column 'x': the value is missing/);
  });
});

describe("what is read but may not be meant", () => {
  const warned = {
    "index.jsonl": /column 'index' counts the rows \(0, 1, …\).*ignore: \["index"\]/,
    "zip-codes.csv": /row 2, column 'zip': '01234' is read as the number 1234\..*categorical: \["zip"\]/,
    "days.csv": /column 'day' has 12 different values in 12 rows \('2024-01-28'/,
    "names.csv": /column 'name' has 12 different values in 12 rows/,
    "capitals.csv": /column 'color' has 'RED' and 'Red', which count as two/,
    "capital-classes.csv": /column 'kind' has 'No' and 'no', which count as two/,
    "disease.csv": /the target 'kind' has 214 different numbers in 442 rows, .*targets: "values"/,
    "offset.csv": /column 'seconds' differs from row to row by less than 32-bit floats tell apart/,
    "point-groups.csv": /row 2, column 'count': '1\.234' is read as 1\.234, .*decimal: "comma"/,
  };
  for (const [name, message] of Object.entries(warned)) {
    it(`is warned of: ${name}`, () => {
      expect(table(name).warnings?.map(String)).toEqual([expect.stringMatching(message)]);
    });
  }

  it("is not, where it was asked for", () => {
    expect(table("zip-codes.csv", { categorical: ["zip"] }).warnings).toEqual([]);
    expect(table("point-groups.csv", { decimal: "point" }).warnings).toEqual([]);
    expect(table("point-groups.csv", { decimal: "comma" }).warnings).toEqual([]);
    expect(table("accounting.csv").warnings).toEqual([]);
  });
});

describe("tables that are not read", () => {
  const refused = {
    "latin1-accents.csv": /byte 0xe9 in row 3, which is 'é'/,
    "latin1-end.csv": /byte 0xe9 in row 3, which is 'é'/,
    "latin1-after.csv": /byte 0xe9 in row 3, which is 'é'/,
    "latin1-mixed.csv": /byte 0xe9 in row 2, which is 'é'/,
    "nan.jsonl": /row 2 is no JSON \(it holds NaN, for which JSON has null\)/,
    "commas.jsonl": /row 1 is no JSON \(there is a comma behind the object\)/,
    "columns.json": /column 'x': an object, .* an object for each row \(pandas: to_json\(…, orient="records"/,
    "survey.dta": /is Stata, .*read_stata\("survey\.dta"\)/,
    "report.html": /is a web page \(HTML\)/,
    "spaces.csv": /row 2 has 4 fields, expected 3 .*quotes count where a field begins with them/,
    "comments.csv": /row 2 has 2 fields, expected 1 .*row 1 is '# written by a logger': take out the lines/,
  };
  for (const [name, message] of Object.entries(refused)) {
    it(`say what they are, where, and what to do: ${name}`, () => {
      expect(() => table(name)).toThrow(message);
    });
  }
});

describe("arrays", () => {
  const dataset = (name: string) => npzDataset(file(name), { targets: "classes", testFraction: 1 });

  it("are found under scikit-learn's names", async () => {
    const { test, warnings } = await dataset("capitals.npz");
    expect([test.count, test.shape, warnings]).toEqual([10, [3], []]);
    const parts = await dataset("capital-parts.npz");
    expect([parts.train.count, parts.test.count]).toEqual([6, 4]);
    expect(Array.from(parts.test.inputs)).toEqual(Array.from(test.inputs.slice(18)));
  });

  const warned = {
    "channels-last.npz": /examples of the shape \[6,5,3\], .*numpy\.moveaxis\(x, -1, 1\)/,
    "from-one.npz": /'y' holds class numbers up to 2, which makes 3 classes, and begins above 0/,
    "gap.npz":
      /'y' holds class numbers up to 255, .* leaves out 254 of them.*labels that do not count are -100/,
    "offset.npz": /'x' \(float64\) holds numbers that differ .* less than 32-bit floats tell apart/,
    "tiny.npz": /'x' \(float64\) holds numbers that differ .* less than 32-bit floats tell apart/,
  };
  for (const [name, message] of Object.entries(warned)) {
    it(`that may not be what was meant are warned of: ${name}`, async () => {
      expect((await dataset(name)).warnings?.map(String)).toEqual([expect.stringMatching(message)]);
    });
  }

  const refused = {
    "words.npz":
      /'y\.npy': elements of type '<U3' \(text\), .*numpy\.unique\(array, return_inverse=True\)\[1\]/,
    "tensors.npz": /a ZIP archive without NumPy arrays, .*PyTorch's tensors: x=x\.numpy\(\)/,
    "matlab.npz": /the file is MATLAB, expected a \.npz archive/,
    "packed.npz": /the file is gzip, expected a \.npz archive/,
    "text.npz.txt": /the file is no ZIP, expected a \.npz archive/,
  };
  for (const [name, message] of Object.entries(refused)) {
    it(`that cannot be read are named: ${name}`, async () => {
      await expect(dataset(name)).rejects.toThrow(message);
    });
  }
});

describe("folders of parts", () => {
  const picture = new Uint8Array(readFileSync(join(cases, "pictures", "gray-8-interlaced.png")));
  const read = (paths: readonly string[]) =>
    imageFolder(
      {
        describe: "memory",
        list: async () => [...paths].sort(),
        read: async () => picture,
      },
      { decode: decodePicture, testFraction: 0.5 },
    );

  it("are known by the names that people give them", async () => {
    for (const [train, test] of [
      ["training_set", "test_set"],
      ["Train-Images", "Test-Images"],
      ["trainset", "valset"],
      ["train data", "Validation Data"],
    ]) {
      const paths = [train, test].flatMap((part) =>
        ["cat/1.png", "dog/2.png"].map((path) => `${part}/${path}`),
      );
      const data = await read(paths);
      expect([data.classNames, data.train.count, data.test.count, data.warnings]).toEqual([
        ["cat", "dog"],
        2,
        2,
        [],
      ]);
    }
  });

  it("are no classes where images lie right in them", async () => {
    for (const [train, test] of [
      ["train", "test"],
      ["Training", "Validation"],
      ["train_set", "test_set"],
    ])
      await expect(
        read([`${train}/cat.1.png`, `${train}/dog.2.png`, `${test}/cat.1.png`, `${test}/dog.2.png`]),
      ).rejects.toThrow(
        `${train}/cat.1.png (memory): the image lies right in ${train}/, expected a folder for each class inside of ` +
          `${train}/ and ${test}/`,
      );
  });

  it("may be classes beside others, and sets alone", async () => {
    const { classNames } = await read(["cats/1.png", "test/2.png", "sets/1.png", "data/2.png"]);
    expect(classNames).toEqual(["cats", "data", "sets", "test"]);
  });
});

describe("gray images", () => {
  const folder = (name: string, kinds: readonly string[]) => ({
    describe: name,
    list: async () => ["cat/1.png", "dog/1.png"],
    read: async (path: string) =>
      new Uint8Array(readFileSync(join(cases, "pictures", kinds[path.startsWith("cat") ? 0 : 1] ?? ""))),
  });
  for (const kind of ["gray-8-interlaced.png", "gray-2-gamma.png", "gray-16-interlaced.png"]) {
    it(`become RGB, of three equal channels, where that is asked for: ${kind}`, async () => {
      const files = folder("gray", [kind, kind]);
      const options = { decode: decodePicture, testFraction: 1 };
      const gray = (await imageFolder(files, options)).test;
      const color = (await imageFolder(files, { ...options, channels: 3 })).test;
      const [, height = 0, width = 0] = gray.shape;
      const plane = height * width;
      expect([gray.shape, color.shape]).toEqual([
        [1, height, width],
        [3, height, width],
      ]);
      for (let channel = 0; channel < 3; channel++)
        expect(color.inputs.slice(channel * plane, (channel + 1) * plane)).toEqual(
          gray.inputs.slice(0, plane),
        );
    });
  }

  it("are asked for as RGB by models that take it", () => {
    const model = (...input: number[]) =>
      decodeModel(encodeModelFile(mlp({ input, hidden: [], outputs: 2 })));
    expect(imageChannels(model(3, 4, 5), undefined)).toBe(3);
    expect(imageChannels(model(1, 4, 5), undefined)).toBeUndefined();
    expect(imageChannels(model(3), undefined)).toBeUndefined();
  });
});

describe("rows as lists of their own", () => {
  it("are refused with the way to flatten them", async () => {
    const events = train({
      model: mlp({ input: [2], hidden: [], outputs: 2 }),
      // As JavaScript passes them.
      examples: {
        inputs: [
          [1, 2],
          [3, 4],
        ] as unknown as number[],
        labels: [0, 1],
      },
      runtime: nodeRuntime({ threads: 1 }),
    });
    await expect(events.next()).rejects.toThrow(
      /inputs\[0\] is a list, expected numbers, all examples one after the other; flatten rows/,
    );
  });
});
