/** Rules that settings of studies share. */
import * as z from "zod/mini";

/** A whole number, `least` or more. */
export const count = (least: number) => z.int().check(z.minimum(least));

/** A list of at least one value. */
export const some = <T extends z.core.SomeType>(rule: T) => z.array(rule).check(z.minLength(1));
