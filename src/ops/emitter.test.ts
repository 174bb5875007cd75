/** The ops as methods: each has one, with types of its own. */
import { describe, expect, expectTypeOf, it } from "vitest";
import type { Value } from "../onnx/graph.ts";
import { float64 } from "../onnx/tensor.ts";
import { methodName } from "./builder.ts";
import { type OpName, opNames } from "./catalogue.ts";
import { GraphBuilder } from "./full-builder.ts";
import type { Operators, Term } from "./operators.ts";

/** `RMSNormalization` → `rmsNormalization`, as `methodName` does it. */
type MethodName<Name extends string> =
  Name extends Uppercase<Name>
    ? Lowercase<Name>
    : Name extends `RMS${infer Rest}`
      ? `rms${Rest}`
      : Uncapitalize<Name>;

const builder = () => {
  const g = new GraphBuilder("methods");
  return { g, x: g.input("x", "float64", [2, 4]) };
};

describe("operators", () => {
  it("are typed methods, one for each op of the catalogue", () => {
    expectTypeOf<keyof Operators>().toEqualTypeOf<MethodName<Exclude<OpName, "Constant">>>();
    const methods = opNames.filter((op) => op !== "Constant").map(methodName);
    expect(new Set(methods).size).toBe(opNames.length - 1);
    const { g } = builder();
    for (const name of methods) expect(g[name as keyof Operators], name).toBeTypeOf("function");
    expect(methodName("PRelu")).toBe("pRelu");
    expect(methodName("GRU")).toBe("gru");
    expect(methodName("RMSNormalization")).toBe("rmsNormalization");
  });

  it("append the node that `emit` appends", () => {
    const emitted = (build: (g: GraphBuilder) => unknown) => {
      const { g } = builder();
      build(g);
      return g.nodesAfter(0);
    };
    expect(emitted((g) => g.sub(1, g.value("x")))).toEqual(emitted((g) => g.emit("Sub", [1, g.value("x")])));
    expect(emitted((g) => g.gemm(g.value("x"), g.value("x"), { transB: 1 }))).toEqual(
      emitted((g) => g.emit("Gemm", [g.value("x"), g.value("x")], { transB: 1 })),
    );
    expect(emitted((g) => g.clip(g.value("x"), undefined, 2))).toEqual(
      emitted((g) => g.emit("Clip", [g.value("x"), undefined, 2])),
    );
  });

  it("make constants of the type of the values that a number meets", () => {
    const { g, x } = builder();
    g.where(g.greater(x, 0), x, -1);
    const constants = g.nodesAfter(0).flatMap((node) => node.inputs.filter((name) => name !== "x"));
    expect(constants.map((name) => g.value(name).dtype)).toEqual(["float64", "bool", "float64"]);
    expect(g.constantOf(g.value(constants[2] as string))?.data).toEqual(float64([-1]).data);
  });

  it("give numbers that meet last axes of size 1 as many axes", () => {
    const { g, x } = builder();
    const narrow = g.mul(g.reduceSum(x, [1]), 3);
    const numbers = [narrow, g.mul(x, 3)].map((value) => g.producer(value)?.inputs[1]?.shape);
    expect(numbers).toEqual([[1, 1], []]);
    expect(narrow.shape).toEqual([2, 1]);
  });

  it("give all outputs of Split and TopK", () => {
    const { g, x } = builder();
    expect(g.split(x, [1, 3], { axis: 1 }).map(({ shape }) => shape)).toEqual([
      [2, 1],
      [2, 3],
    ]);
    expect(g.split(x, { axis: 0, num_outputs: 2 }).map(({ shape }) => shape)).toEqual([
      [1, 4],
      [1, 4],
    ]);
    const [values, indices] = g.topK(x, [3]);
    expect([values.shape, indices.shape, indices.dtype]).toEqual([[2, 3], [2, 3], "int64"]);
  });

  it("know their operands and attributes", () => {
    expectTypeOf<Parameters<Operators["sub"]>>().toEqualTypeOf<[a: Term, b: Term]>();
    expectTypeOf<[Value, Value, { transB: 1 }]>().toExtend<Parameters<Operators["gemm"]>>();
    expectTypeOf<[Value, Value, undefined, { transB: 1 }]>().toExtend<Parameters<Operators["gemm"]>>();
    expectTypeOf<[Value, Value, { transposed: 1 }]>().not.toExtend<Parameters<Operators["gemm"]>>();
    expectTypeOf<[Value]>().not.toExtend<Parameters<Operators["gemm"]>>();
    expectTypeOf<[Value, { axis: string }]>().not.toExtend<Parameters<Operators["softmax"]>>();
  });
});
