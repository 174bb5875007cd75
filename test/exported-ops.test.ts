import { describe, it } from "vitest";
import { casesOf, useEverywhere } from "./cases.ts";

describe("ops as PyTorch's exporters write them have its gradients", () => {
  it.each(casesOf("exported-ops"))("%s", (name) => useEverywhere("exported-ops", name));
});
