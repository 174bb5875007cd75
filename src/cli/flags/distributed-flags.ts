/** The flags of runs of several workers. */
import { type Command, InvalidArgumentError } from "commander";
import type { ServerOptions } from "../../distributed/node-nats.ts";
import { share, wholeNumber } from "./options.ts";

/** Where a server is reached, besides its address. */
export interface ServerFlags {
  readonly run?: string;
  readonly credentials?: string;
  readonly certificate?: string;
  /** Seconds. */
  readonly lease?: number;
}

/** How a training is spread over workers. */
export interface DistributedFlags extends ServerFlags {
  readonly workers?: number;
  readonly distribute?: string;
  readonly granule?: number;
  readonly sliced?: boolean;
  readonly quorum?: number;
}

/** Flags of whoever comes to a server. */
export function addServerFlags(command: Command, run: string): Command {
  return command
    .option("--run <name>", run, runName)
    .option(
      "--credentials <file>",
      "who one is to the server: a .creds file, an NKEY seed, or user: and password: lines",
    )
    .option("--certificate <file>", "the certificate of who vouches for the server's")
    .option(
      "--lease <seconds>",
      "after so long without a word, a coordinator is gone (default: 10)",
      wholeNumber(1),
    );
}

/** Flags of a training. */
export function addDistributedFlags(command: Command): Command {
  command
    .option(
      "--workers <n>",
      "train with so many further processes: they share a step's tangents (--perturb weights), or the parts of its batch (--accumulate, default: 4)",
      wholeNumber(1),
    )
    .option(
      "--distribute <url>",
      "coordinate the run on a NATS server (nats://host:4222), for workers anywhere",
    )
    .option(
      "--granule <n>",
      "of --perturb weights: tangents that a worker computes at once, a part of what the run is (default: 4)",
      wholeNumber(1),
    )
    .option(
      "--sliced",
      "of --perturb weights: each granule perturbs another slice of the parameters (default: from 65,536 of them)",
    )
    .option("--no-sliced", "each granule perturbs all parameters")
    .option(
      "--quorum <x>",
      "of --perturb weights: share of the derivatives that a step needs (default: 1)",
      share,
    );
  return addServerFlags(command, "the run's name on the server (default: that of the folder)");
}

/** Whether others compute a training's derivatives. */
export function isSpread({ workers, distribute }: DistributedFlags): boolean {
  return workers !== undefined || distribute !== undefined;
}

/** The lease in milliseconds, where it was said. */
export function leaseOf({ lease }: ServerFlags): { readonly lease?: number } {
  return lease === undefined ? {} : { lease: 1000 * lease };
}

/** The server of an address and flags. */
export function serverOf(url: string, { credentials, certificate }: ServerFlags): ServerOptions {
  return {
    url,
    ...(credentials !== undefined && { credentials }),
    ...(certificate !== undefined && { certificate }),
  };
}

/** A name that a server can have, from a folder's. */
export function runNameOf(folder: string): string {
  const name = folder.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "");
  return name === "" ? "run" : name;
}

function runName(given: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(given)) return given;
  throw new InvalidArgumentError("Expected a word of letters, digits, _ and -.");
}
