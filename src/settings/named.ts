/** Things with a name and options, which describe themselves as plain data. */
import { resolveOptions } from "./check.ts";
import { type Config, configOf } from "./config.ts";
import type { Given, Options, Resolved } from "./option.ts";

/**
 * Things that are chosen by name (optimizers, samplers, losses, …) and say what they are. Each is made by a function of
 * its name, and given to a run in one of three forms: by name ("adam"), as data ({ name: "adam", beta1: 0.8 }), or as
 * the object that the function makes (adam({ beta1: 0.8 })), which may also be one of the user's own.
 */
export interface Identity {
  readonly name: string;
  /** What it was made with, as plain data, defaults included: part of a run's identity. */
  readonly config?: Config;
}

/** Makes a thing of this name, and knows the options that it takes. */
export interface Named<Name extends string, All extends Options, Made> {
  (given?: Given<All>): Made & { readonly name: Name; readonly config: Config };
  /** What it can be asked for. */
  readonly options: All;
}

/** Any of them, with whatever options. */
export interface Maker<Made> {
  // Options differ from one to the other, and are checked where they are given.
  (given?: never): Made;
  readonly options: Options;
}

/** The things of one kind, by name. */
export type Registry<Made = unknown> = Readonly<Record<string, Maker<Made>>>;

/**
 * A thing of a registry by its name, or as data: its name, and options of its own; no parts of what is made, which would
 * let TypeScript take an option of another thing (`momentum` of an Optimizer) for one of this.
 */
export type NamedData<All extends Registry, Made extends Identity> = {
  readonly [Name in keyof All]: Name | ({ readonly name: Name } & GivenTo<All[Name], Made>);
}[keyof All];

type GivenTo<One, Made> = One extends { readonly options: infer All extends Options }
  ? Given<All> & { readonly [Part in Exclude<keyof Made, keyof All | "name">]?: undefined }
  : never;

const built = Symbol();

/** Whether a thing is as a function of `named` made it; what somebody has changed (a copy with another part) is their own. */
export function isBuiltIn(thing: object): boolean {
  return built in thing;
}

/**
 * A function that makes things of one name.
 *
 * @param setting which setting it is chosen by: "optimizer"
 * @param options what it can be asked for
 * @param make makes it from checked options
 */
export function named<const Name extends string, const All extends Options, Made extends object>(
  setting: string,
  name: Name,
  options: All,
  make: (resolved: Resolved<All>) => Made,
): Named<Name, All, Made> {
  const build = (given: Given<All> = {}) => {
    const resolved = resolveOptions(options, given, { of: name, prefix: `${setting}.` });
    return Object.defineProperty({ name, config: configOf(resolved), ...make(resolved) }, built, {});
  };
  return Object.assign(build, { options });
}
