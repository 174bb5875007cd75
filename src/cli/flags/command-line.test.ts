import { describe, expect, it } from "vitest";
import { trainCommandLine } from "./command-line.ts";

const options = {
  flags: [{ long: "--epochs" }, { long: "--trainable" }, { long: "--out" }, { long: "--lowest" }],
  leftOut: ["--out", "--lowest", "--json"],
};
const lineFor = (...typed: string[]) => trainCommandLine(typed, options, 0.123456);

describe("the training command of a search", () => {
  it("keeps what train knows, leaves out what belongs to the search, and adds the rate", () => {
    expect(lineFor("search", "--epochs", "2", "--nesterov", "--out", "runs/a", "--json")).toBe(
      "forwardgrad train --epochs 2 --nesterov --lr 0.1235",
    );
    expect(lineFor("--debug", "search", "--lowest=1e-3", "--epochs=2")).toBe(
      "forwardgrad train --epochs=2 --lr 0.1235",
    );
  });

  it("quotes what a shell would read otherwise", () => {
    expect(lineFor("search", "--trainable", "^(it's|head)$")).toBe(
      "forwardgrad train --trainable '^(it'\\''s|head)$' --lr 0.1235",
    );
  });

  it("keeps a value that looks like a flag with its flag", () => {
    expect(lineFor("search", "--trainable", "--out", "--epochs", "1")).toBe(
      "forwardgrad train --trainable --out --epochs 1 --lr 0.1235",
    );
  });
});
