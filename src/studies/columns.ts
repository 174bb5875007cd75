/** Columns of result files in few words. */
import type { Column } from "./study.ts";

export const optional = true;

export const text = (name: string, description: string): Column => ({ name, kind: "text", description });

export const number = (name: string, description: string): Column => ({ name, kind: "number", description });
