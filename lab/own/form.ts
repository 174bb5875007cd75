/** The form of the panel of one's own model: what can be chosen, and what was understood. */
import type { TrainEvent } from "forwardgrad";
import { isWhole, settings } from "../address.ts";
import { element, say } from "../elements.ts";
import type { Answers, ReadData } from "./asked.ts";
import { type Choices, defaults } from "./choices.ts";
import { likelyColumns } from "./columns.ts";

/** What does not depend on the files. */
const address = settings(
  "own",
  {
    targets: String(defaults.targets),
    trained: String(defaults.trained),
    epochs: defaults.epochs,
    k: defaults.k,
  },
  (name, value) => {
    if (name === "epochs") return Number(value) > 0 && Number.isFinite(value);
    if (name === "k") return isWhole(value, 1, 64);
    return [...fields[name].options].some((option) => option.value === value);
  },
);

const fields = {
  target: element("own-target", HTMLSelectElement),
  text: element("own-text", HTMLSelectElement),
  ignored: element("own-ignored", HTMLInputElement),
  targets: element("own-targets", HTMLSelectElement),
  trained: element("own-trained", HTMLSelectElement),
  epochs: element("own-epochs", HTMLInputElement),
  k: element("own-k", HTMLInputElement),
};

/** What the form says. */
export function chosen(): Choices {
  const { target, text, ignored, targets, trained, epochs, k } = fields;
  return {
    target: target.value,
    text: text.value,
    ignored: ignored.value,
    targets: targets.value === "values" ? "values" : "classes",
    trained: trained.value === "lora" || trained.value === "head" ? trained.value : "all",
    epochs: Number(epochs.value) > 0 ? Number(epochs.value) : defaults.epochs,
    k: Number(k.value),
  };
}

/** Puts choices into the form. */
export function choose(choices: Choices): void {
  for (const [name, field] of Object.entries(fields))
    field.value = String(choices[name as keyof Choices] ?? "");
  say("own-k-value", fields.k.value);
}

/** Puts into the form what the address says. */
export function chooseByAddress(): void {
  choose({ ...chosen(), ...(address.read() as Partial<Choices>) });
}

/** Calls when a choice changes that decides what is read and trained, after the reader is done with it. */
export function onChoice(act: (name: string) => void): void {
  for (const [name, field] of Object.entries(fields))
    field.addEventListener("change", () => {
      const { targets, trained, epochs, k } = chosen();
      address.write({ targets, trained, epochs, k });
      act(name);
    });
  fields.k.addEventListener("input", () => say("own-k-value", fields.k.value));
}

/** What the columns that are offered are of. */
let offered: string | undefined;

/** Offers the columns of a table; what was chosen stays where they are the same. */
export function offerColumns({ data }: Answers["look"]): void {
  const columns = data?.columns ?? [];
  const isTexts = data?.kind === "texts";
  const { target, text, ignored } = fields;
  const names = columns.map(({ name }) => name);
  const isSame =
    offered === data?.kind && [...target.options].map(({ value }) => value).join() === names.join();
  const likely = likelyColumns(columns, isTexts);
  for (const [field, isShown] of [
    [target, columns.length > 0],
    [text, isTexts],
    [ignored, data?.kind === "table"],
  ] as const) {
    const around = field.closest<HTMLElement>(".field");
    if (around) around.hidden = !isShown;
  }
  if (isSame) return;
  offered = data?.kind;
  for (const field of [target, text]) field.replaceChildren(...names.map((name) => new Option(name)));
  ignored.value = "";
  target.value = likely.target;
  text.value = likely.text;
}

const count = (value: number) => value.toLocaleString("en");

/** What the files are, line by line. */
export function describeFiles({ model, data }: Answers["look"]): [string, string][] {
  return [
    model
      ? ["Model", `${model.name}: ${count(model.nodes)} operations, ${count(model.numbers)} stored numbers`]
      : ["Model", "none yet: an .onnx file, with its data files"],
    ...(model ? [["Reads", model.inputs.join("; ")] as [string, string]] : []),
    ...(model ? [["Computes", model.outputs.join("; ")] as [string, string]] : []),
    ["Data", data ? describeData(data) : "none yet"],
  ];
}

function describeData({ name, columns }: NonNullable<Answers["look"]["data"]>): string {
  return columns.length > 0 ? `${name}: ${columns.length} columns` : name;
}

type Start = Extract<TrainEvent, { kind: "start" }>;

/** What is trained on what, line by line. */
export function describeRun(
  name: string,
  { train, test, classes, classNames }: ReadData,
  start: Start,
): [string, string][] {
  const names = classNames && classNames.length <= 12 ? `: ${classNames.join(", ")}` : "";
  const learned = classes > 0 ? `${classes} classes${names}` : "values";
  const tensors = start.trained.length > 6 ? `${start.trained.length} tensors` : start.trained.join(", ");
  const further = start.furtherInputs.length > 0 ? ` and ${start.furtherInputs.join(", ")}` : "";
  return [
    [
      "Data",
      `${name}: ${count(train.count)} examples to learn from, ${count(test.count)} to test on, each [${train.shape.join(", ")}]; ${learned}`,
    ],
    ["Fed and read", `${start.input}${further} → ${start.output}`],
    ["Trained", `${count(start.parameters)} numbers: ${tensors}`],
    ...(start.head
      ? [["Head", `new, ${start.head.outputs} outputs, on ${start.head.from}`] as [string, string]]
      : []),
    [
      "Run",
      `${count(start.steps)} steps of ${start.batch} examples; ${start.tangents > 0 ? `k = ${start.tangents}` : "no directions: its gradient is known"}; rate ${start.learningRate.toPrecision(2)}`,
    ],
    ...start.notes.map(({ message }): [string, string] => ["Note", message]),
  ];
}

/** Shows lines of a name and what it is. */
export function showLines(lines: readonly (readonly [string, string])[]): void {
  element("own-understood", HTMLElement).replaceChildren(
    ...lines.flatMap(([name, words]) => {
      const [term, text] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      text.textContent = words;
      return [term, text];
    }),
  );
}
