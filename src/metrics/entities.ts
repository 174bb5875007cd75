/** What labels of words say of entities: B-PER begins one, I-PER goes on with it, O is none. */

/** Of entities. Shares from 0 to 1; 0 where nothing is counted below the line, as seqeval has it. */
export interface EntityMetrics {
  /** Of the entities that were found, the share that is there, from its first to its last word and of its type. */
  readonly precision: number;
  /** Of the entities that are there, the share that was found. */
  readonly recall: number;
  /** Harmonic mean of the two. */
  readonly f1: number;
  /** Entities that are there. */
  readonly support: number;
}

/** The entities of sentences, counted as they go by. */
export class EntityTally {
  #found = 0;
  #there = 0;
  #right = 0;

  /** Adds a sentence: what its words are, and what they are taken for. */
  add(truth: readonly string[], taken: readonly string[]): void {
    const [there, found] = [entitiesOf(truth), entitiesOf(taken)];
    this.#there += there.size;
    this.#found += found.size;
    for (const entity of found) if (there.has(entity)) this.#right++;
  }

  metrics(): EntityMetrics {
    const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
    const [precision, recall] = [share(this.#right, this.#found), share(this.#right, this.#there)];
    return {
      precision,
      recall,
      f1: share(2 * precision * recall, precision + recall),
      support: this.#there,
    };
  }
}

/** Whether labels are those of entities: O, and others with a prefix of which one begins or goes on. */
export function areEntities(names: readonly string[]): boolean {
  return (
    names.some((name) => /^[BI]-./.test(name)) &&
    names.every((name) => name === "O" || /^[BIES]-./.test(name))
  );
}

/**
 * Entities as "first–last type": as seqeval counts them without a scheme (those of the script conlleval), where I- also begins one
 * behind O or another type.
 */
export function entitiesOf(labels: readonly string[]): ReadonlySet<string> {
  const entities = new Set<string>();
  let open: { readonly first: number; readonly type: string } | undefined;
  for (let at = 0; at <= labels.length; at++) {
    const [prefix = "O", type = ""] = partsOf(labels[at] ?? "O");
    const [before = "O", typeBefore = ""] = partsOf(labels[at - 1] ?? "O");
    const ends = before === "E" || before === "S" || "BSO".includes(prefix) || type !== typeBefore;
    if (open && ends) {
      entities.add(`${open.first}–${at - 1} ${open.type}`);
      open = undefined;
    }
    const begins =
      prefix === "B" || prefix === "S" || (prefix !== "O" && ("ESO".includes(before) || type !== typeBefore));
    if (begins) open = { first: at, type };
  }
  return entities;
}

function partsOf(label: string): [string, string] {
  return [label.slice(0, 1), label.slice(2)];
}
