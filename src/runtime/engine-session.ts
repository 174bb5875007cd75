/** What sessions have in common of the engines that ONNX Runtime is, in Node and in pages. */
import { ModelError } from "../errors/errors.ts";
import { formatShape } from "../onnx/graph.ts";
import { own } from "../onnx/own.ts";
import type { DType, Tensor } from "../onnx/tensor.ts";
import { isInherited, renameOutputs } from "./inherited-names.ts";
import type { Tensors } from "./runtime.ts";

/** As much of an engine's session as is used here. */
interface EngineSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly outputMetadata: readonly {
    readonly name: string;
    readonly isTensor: boolean;
    readonly type?: string;
  }[];
}

/** A session, and the names of outputs that the engine knows by others. */
export interface NamedSession<Opened extends EngineSession> {
  readonly session: Opened;
  readonly names: OutputNames;
}

/** What the engine calls outputs that have another name in the model, and the other way round. */
export class OutputNames {
  readonly #inner: ReadonlyMap<string, string>;
  readonly #outer: ReadonlyMap<string, string>;

  /** @param renamed the engine's name of each output that has another one there */
  constructor(renamed: ReadonlyMap<string, string> = new Map()) {
    this.#inner = renamed;
    this.#outer = new Map([...renamed].map(([outer, inner]) => [inner, outer]));
  }

  inner(name: string): string {
    return this.#inner.get(name) ?? name;
  }

  outer(name: string): string {
    return this.#outer.get(name) ?? name;
  }

  /** Element types by the model's names, of the outputs that are tensors of numbers. */
  typesOf({ outputMetadata }: EngineSession): Readonly<Record<string, DType>> {
    return Object.fromEntries(
      outputMetadata.flatMap(({ name, isTensor, type }) =>
        isTensor && type !== "string" ? [[this.outer(name), type as DType]] : [],
      ),
    );
  }
}

/**
 * Opens a session; where outputs have names that every object inherits, which the engine's JavaScript loses, of the model
 * with other names for them.
 */
export async function openNamed<Opened extends EngineSession>(
  model: Uint8Array,
  open: (model: Uint8Array) => Promise<Opened>,
  release: (session: Opened) => Promise<void>,
): Promise<NamedSession<Opened>> {
  const session = await open(model);
  if (!session.outputNames.some(isInherited)) return { session, names: new OutputNames() };
  await release(session);
  const renamed = renameOutputs(model);
  return { session: await open(renamed.model), names: new OutputNames(renamed.names) };
}

/** The engine's tensors for a graph's inputs. @throws when one was not fed */
export function fedInputs<EngineTensor>(
  { inputNames }: EngineSession,
  feeds: Tensors,
  wrap: (tensor: Tensor) => EngineTensor,
): Record<string, EngineTensor> {
  return Object.fromEntries(
    inputNames.map((name) => {
      const tensor = own(feeds, name);
      if (tensor) return [name, wrap(tensor)];
      throw new ModelError(
        `The graph's input '${name}' was not fed; received ${Object.keys(feeds).join(", ")}.`,
      );
    }),
  );
}

/** Wraps tensors for an engine once: wrapping costs more than a tiny graph takes to run, and training feeds the same buffers. */
export function wrappedOnce<EngineTensor>(
  wrap: (tensor: Tensor) => EngineTensor,
): (tensor: Tensor) => EngineTensor {
  const wrapped = new WeakMap<Tensor, EngineTensor & object>();
  return (tensor) => {
    const found = wrapped.get(tensor);
    if (found) return found;
    const made = wrap(tensor);
    wrapped.set(tensor, made as EngineTensor & object);
    return made;
  };
}

/** Whether a run is asked for outputs by name, and not given tensors to write into. */
export function isNames(fetches: readonly string[] | Tensors): fetches is readonly string[] {
  return Array.isArray(fetches);
}

/** @throws when an output holds texts */
export function refuseStrings(
  name: string,
  { type, dims }: { readonly type: string; readonly dims: readonly number[] },
): void {
  if (type !== "string") return;
  throw new ModelError(
    `The output '${name}' ${formatShape(dims)} holds strings; only numbers are supported.`,
  );
}
