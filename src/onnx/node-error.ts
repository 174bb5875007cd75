import { ModelError, UnsupportedOpError } from "../errors/errors.ts";
import { type Words, words } from "../errors/words.ts";
import { describeNode, type Node, nodeName } from "./graph.ts";

/** Errors about one node, which they name. */

/** Something is wrong with the node's inputs, attributes or outputs. */
export function nodeError(node: Node, problem: string | Words): ModelError {
  return new ModelError(words`${describeNode(node)}: ${problem}`, { node: nodeName(node) });
}

/** The node's op, or the form of it that the node uses, has no rule here. */
export function unsupportedNode(node: Node, problem: string | Words): UnsupportedOpError {
  const { op, domain } = node;
  return new UnsupportedOpError(words`${describeNode(node)}: ${problem}`, {
    node: nodeName(node),
    op,
    domain,
  });
}
