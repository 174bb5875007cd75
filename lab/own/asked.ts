/** What the panel of one's own model asks its worker beside training: what files are, and what examples they hold. */
import type { Dataset } from "forwardgrad/data";
import type { DroppedFile } from "forwardgrad/web";

/** What a model file says of itself. */
export interface SeenModel {
  readonly name: string;
  /** "pixels float32 [batch, 64]" */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: number;
  /** Stored numbers. */
  readonly numbers: number;
  /** What the last axis of its first output counts, where the file says so. */
  readonly width: number | undefined;
}

/** What data are, before they are read. */
export interface SeenData {
  readonly kind: "table" | "texts" | "arrays" | "pictures";
  readonly name: string;
  /** A table's columns, with what the first row holds. */
  readonly columns: readonly { readonly name: string; readonly first: string }[];
}

/** What is learned of data. */
export interface Reading {
  /** The column that is learned. */
  readonly target: string;
  /** The column of texts. */
  readonly text: string;
  readonly targets: "classes" | "values";
  /** Columns that are left out, with commas between. */
  readonly ignored: string;
}

/** Examples, with warnings as plain text. */
export type ReadData = Omit<Dataset, "warnings"> & { readonly warnings: readonly string[] };

/** A question to the worker. */
export type Question =
  | { readonly kind: "look"; readonly model: readonly DroppedFile[]; readonly data: readonly DroppedFile[] }
  | {
      readonly kind: "read";
      readonly model: readonly DroppedFile[];
      readonly data: readonly DroppedFile[];
      readonly reading: Reading;
    };

/** What the worker answers to each kind of question. */
export interface Answers {
  readonly look: { readonly model: SeenModel | undefined; readonly data: SeenData | undefined };
  readonly read: ReadData;
}

/** A question as it is sent. */
export interface Asked {
  readonly own: number;
  readonly question: Question;
}

/** An answer as it is sent. */
export interface Told {
  readonly own: number;
  readonly answer?: unknown;
  readonly problem?: string;
}
