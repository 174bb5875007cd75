import type { Message } from "@bufbuild/protobuf";

/**
 * A shallow copy of a message with other values in some fields. A message keeps the defaults of fields that a file leaves
 * unset on its prototype, where spreading does not find them: a node's domain would become undefined instead of "".
 */
export function withFields<M extends Message>(message: M, fields: Partial<M>): M {
  return Object.assign(Object.create(Object.getPrototypeOf(message)) as M, message, fields);
}
