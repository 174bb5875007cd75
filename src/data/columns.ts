/** How a column of a table becomes inputs: a number as it is, or one input for each category. */
export type Column =
  | { readonly name: string; readonly kind: "number" }
  | { readonly name: string; readonly kind: "category"; readonly categories: readonly string[] };
