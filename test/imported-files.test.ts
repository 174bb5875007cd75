import { describe, it } from "vitest";
import { casesOf, useEverywhere } from "./cases.ts";

describe("files that leave every optional field unset", () => {
  it.each(casesOf("unset-fields"))("%s is trained, adapted, measured and derived", (name) =>
    useEverywhere("unset-fields", name),
  );
});
