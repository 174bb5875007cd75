import { ackley } from "./ackley.ts";
import { beale } from "./beale.ts";
import { eggCrate } from "./egg-crate.ts";
import { forest } from "./forest.ts";
import { goldsteinPrice } from "./goldstein-price.ts";
import { levyMontalvo } from "./levy-montalvo.ts";
import { plane } from "./plane.ts";
import { rosenbrock } from "./rosenbrock.ts";
import { sphere } from "./sphere.ts";
import { styblinskiTang } from "./styblinski-tang.ts";
import type { TestFunction } from "./test-function.ts";
import { threeHumpCamel } from "./three-hump-camel.ts";

const list = {
  sphere,
  rosenbrock,
  "styblinski-tang": styblinskiTang,
  beale,
  plane,
  "egg-crate": eggCrate,
  ackley,
  forest,
  "goldstein-price": goldsteinPrice,
  "levy-montalvo": levyMontalvo,
  "three-hump-camel": threeHumpCamel,
};

/** Name of a test function in `functions`. */
export type FunctionName = keyof typeof list;

/** The test functions by name. */
export const functions: Readonly<Record<FunctionName, TestFunction>> = list;
