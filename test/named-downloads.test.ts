import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Dataset } from "../src/data/dataset.ts";
import { downloadStore } from "../src/data/download.ts";
import golden from "../src/data/files.golden.json" with { type: "json" };
import { folderCache } from "../src/data/node-store.ts";
import { datasets } from "../src/data/sets/list.ts";
import { sha256 } from "../src/storage/sha256.ts";
import { listen } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "forwardgrad-named-"));
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));

/** What the mirrors serve: small files in the form of the real ones. */
const served: Record<string, Record<string, Uint8Array>> = {
  mnist: idxFiles(),
  "fashion-mnist": idxFiles(),
  cifar10: { "cifar-10-binary.tar.gz": cifarArchive() },
  svhn: {
    "train_32x32.mat": bytesOf(golden.mat.svhn.file),
    "test_32x32.mat": bytesOf(golden.mat.svhnTest.file),
  },
};

function idxFiles(): Record<string, Uint8Array> {
  const images = Uint8Array.of(
    0,
    0,
    8,
    3,
    0,
    0,
    0,
    2,
    0,
    0,
    0,
    28,
    0,
    0,
    0,
    28,
    ...new Uint8Array(1568).fill(9),
  );
  const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 5, 6);
  return Object.fromEntries(
    ["train", "t10k"].flatMap((split) => [
      [`${split}-images-idx3-ubyte.gz`, new Uint8Array(gzipSync(images))],
      [`${split}-labels-idx1-ubyte.gz`, new Uint8Array(gzipSync(labels))],
    ]),
  );
}

function cifarArchive(): Uint8Array {
  mkdirSync(join(folder, "cifar-10-batches-bin"));
  for (const name of ["data_batch_1", "data_batch_2", "test_batch"])
    writeFileSync(
      join(folder, "cifar-10-batches-bin", `${name}.bin`),
      new Uint8Array(2 * 3073).fill(name.length % 10),
    );
  execFileSync("tar", ["-czf", "archive.tar.gz", "cifar-10-batches-bin"], { cwd: folder });
  return new Uint8Array(readFileSync(join(folder, "archive.tar.gz")));
}

let address = "";
const server = createServer((request, response) => {
  const [, name = "", file = ""] = (request.url ?? "").split("/");
  const bytes = served[name]?.[file];
  if (bytes) response.end(bytes);
  else response.writeHead(404).end();
});

beforeAll(async () => {
  address = `http://127.0.0.1:${await listen(server)}`;
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const expected: Record<string, (dataset: Dataset) => void> = {
  mnist: ({ train }) => expect(train).toMatchObject({ count: 2, labels: Int32Array.of(5, 6) }),
  "fashion-mnist": ({ train, classNames }) => {
    expect(train).toMatchObject({ count: 2, labels: Int32Array.of(5, 6) });
    expect(classNames?.[9]).toBe("Ankle boot");
  },
  cifar10: ({ train, test: held }) => expect([train.count, held.count]).toEqual([4, 2]),
  svhn: ({ train }) => expect(Array.from(train.labels)).toEqual(golden.mat.svhn.labels),
};

for (const { name, files, load } of datasets) {
  if (files === undefined) continue;
  describe(name, () => {
    const mirrors = () => [`${address}/nowhere/`, `${address}/${name}/`];
    type Sums = Readonly<Record<string, string>>;
    const open = (sums: Sums, packedSums: Sums | undefined, cache: string) =>
      load({
        seed: 0,
        store: downloadStore({
          files: { ...files, mirrors: mirrors(), sha256: sums, packedSha256: packedSums },
          cache: folderCache(join(folder, cache)),
          fetch,
        }),
      });

    test("loads from a mirror with its own file names, and then from the cache", async () => {
      const sums: Record<string, string> = {};
      const packedSums: Record<string, string> = {};
      for (const file of Object.keys(files.sha256)) {
        const bytes = served[name]?.[files.packing === "none" ? file : `${file}.gz`];
        if (bytes === undefined) throw new Error(`the test serves no ${file}`);
        // The sum is of the uncompressed bytes unless the file counts as it is.
        packedSums[file] = await sha256(bytes);
        sums[file] = await sha256(files.packing === "none" ? bytes : new Uint8Array(gunzipSync(bytes)));
      }
      const check = expected[name];
      if (check === undefined) throw new Error(`say what ${name} must hold`);
      check(await open(sums, packedSums, name));
      const first = await open(sums, packedSums, name);
      await new Promise((closed) => server.close(closed));
      try {
        expect(await open(sums, packedSums, name)).toEqual(first);
      } finally {
        const port = Number(address.split(":").at(-1));
        await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
      }
    });

    test("refuses anything but the published files", async () => {
      const [file = "", unpackedSum] = Object.entries(files.sha256)[0] ?? [];
      const sum = files.packedSha256?.[file] ?? unpackedSum;
      await expect(open(files.sha256, files.packedSha256, `${name}-wrong`)).rejects.toThrow(
        new RegExp(
          `no mirror gave the file:\\n.*HTTP status 404.*\\n.*SHA-256 of the .* is [0-9a-f]{64}, expected ${sum}\\n`,
        ),
      );
    });
  });
}
