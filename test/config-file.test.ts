/** Configuration files: what --print-config prints asks for the same run, and errors name file and option. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { run, temporaryFolder } from "./cli.ts";

const folder = temporaryFolder();
const small = ["--hidden", "8", "--threads", "1", "--steps", "3", "--batch", "16"];
const file = (name: string, content: string) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const modelOf = (out: string) => readFileSync(join(out, "model.onnx"));
const configOf = (out: string) => readFileSync(join(out, "config.json"), "utf8");

describe("a configuration file", () => {
  it("that was printed asks for the same run, and flags win over it", () => {
    const flags = [
      ...small,
      ..."--optimizer adam --beta1 0.8 --schedule step --decay 0.5 --sampler fixed-angle --angle 60".split(
        " ",
      ),
      ..."--perturb blocks --blocks ^(layer.) --trainable weight --smoothing 0.1 --tangents 5".split(" "),
    ];
    const printed = run(["train", ...flags, "--print-config"]);
    expect(printed.status, printed.stderr).toBe(0);
    const path = file("run.json", printed.stdout);
    expect(JSON.parse(printed.stdout)).toMatchObject({
      hidden: [8],
      optimizer: { name: "adam", beta1: 0.8, beta2: 0.999 },
      sampler: { name: "fixed-angle", degrees: 60 },
      tangents: 5,
    });
    const again = run(["train", "--config", path, "--print-config"]);
    expect(again.stdout).toBe(printed.stdout);
    const outs = ["flags", "file"].map((name) => join(folder, name));
    const results = [
      run(["train", ...flags, "--out", `${outs[0]}`]),
      run(["train", "--config", path, "--out", `${outs[1]}`]),
    ];
    for (const { status, stderr } of results) expect(status, stderr).toBe(0);
    expect(modelOf(`${outs[1]}`).equals(modelOf(`${outs[0]}`))).toBe(true);
    expect(configOf(`${outs[1]}`)).toBe(configOf(`${outs[0]}`));
    const other = run(["train", "--config", path, "--optimizer", "sgd", "--tangents", "7", "--print-config"]);
    const { optimizer, tangents } = JSON.parse(other.stdout) as { optimizer: object; tangents: number };
    expect(optimizer).toEqual({ name: "sgd", momentum: 0, nesterov: false, weightDecay: 0 });
    expect(tangents).toBe(7);
  });

  it("may begin with a mark of its byte order, and end lines as Windows does", () => {
    const path = file("windows.json", '\uFEFF{\r\n"tangents": 9\r\n}\r\n');
    const { stdout, stderr } = run(["train", "--config", path, "--print-config"]);
    expect(JSON.parse(stdout), stderr).toMatchObject({ tangents: 9 });
  });

  it.each([
    ["no JSON", "{", /cannot be read as JSON/],
    ["a value out of range", '{"tangents": 0}', /tangents must be a whole number from 1, received 0/],
    [
      "an option of a thing",
      '{"optimizer": {"name": "adam", "beta": 1}}',
      /adam has no option 'beta'.*Did you mean/,
    ],
    ["a name of nothing", '{"lr": 1}', /has no option 'lr'\. Did you mean learningRate\?/],
    ["another flag's value", '{"data": "mnits"}', /data: .*Did you mean mnist/],
  ])("is refused with file and option: %s", (name, content, message) => {
    const path = file(`${name}.json`, content);
    const { status, stderr } = run(["train", ...small, "--config", path, "--out", join(folder, "never")]);
    expect(status).toBe(1);
    expect(stderr).toContain(path);
    expect(stderr).toMatch(message);
  });
});
