import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { parseTar } from "./tar.ts";

const folder = mkdtempSync(join(tmpdir(), "forwardgrad-tar-"));
afterAll(() => rmSync(folder, { recursive: true }));

const content = Uint8Array.from({ length: 700 }, (_, index) => (index * 7) % 256);
mkdirSync(join(folder, "inside"));
writeFileSync(join(folder, "inside", "a.bin"), content);
writeFileSync(join(folder, "inside", "empty"), "");
execFileSync("tar", ["--format=ustar", "-cf", "archive.tar", "inside"], { cwd: folder });
const archive = new Uint8Array(readFileSync(join(folder, "archive.tar")));

test("reads what tar wrote, folders left out", () => {
  const files = parseTar(archive, "archive.tar");
  expect([...files.keys()].sort()).toEqual(["inside/a.bin", "inside/empty"]);
  expect(files.get("inside/a.bin")).toEqual(content);
  expect(files.get("inside/empty")).toEqual(new Uint8Array());
});

test("any truncation before the empty block at the end is a named error", () => {
  const end = archive.findLastIndex((byte) => byte !== 0);
  for (let length = 0; length <= end; length++)
    expect(() => parseTar(archive.subarray(0, length), "archive.tar")).toThrow(/^archive.tar: truncated/);
});

test("any flipped bit of a header is a named error", () => {
  fc.assert(
    fc.property(fc.nat(512 * 8 - 1), (bit) => {
      const bytes = archive.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      let files: Map<string, Uint8Array>;
      try {
        files = parseTar(bytes, "archive.tar");
      } catch (error) {
        expect((error as Error).message).toMatch(/^archive.tar: (tar header at byte 0|truncated)/);
        return;
      }
      // Only the checksum's own unread padding may change unseen.
      expect(files).toEqual(parseTar(archive, "archive.tar"));
    }),
    { numRuns: 2000 },
  );
});

test("something else is refused", () => {
  expect(() => parseTar(new TextEncoder().encode("x".repeat(600)), "page.html")).toThrow(
    "page.html: tar header at byte 0 does not match its checksum, expected a tar archive",
  );
});
