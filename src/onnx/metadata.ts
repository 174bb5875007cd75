import { create } from "@bufbuild/protobuf";
import { withFields } from "./messages/message.ts";
import { StringStringEntryProtoSchema } from "./messages/schemas.ts";
import type { Model } from "./read-model.ts";

/** The texts that a model file carries beside its graph (metadata_props), by key. */
export function metadataOf(model: Model): Readonly<Record<string, string>> {
  return Object.fromEntries(model.proto.metadataProps.map(({ key, value }) => [key, value]));
}

/** The model with these texts added, or put in place of those with the same key; everything else is kept. */
export function withMetadata(model: Model, texts: Readonly<Record<string, string>>): Model {
  if (Object.keys(texts).length === 0) return model;
  const metadataProps = Object.entries({ ...metadataOf(model), ...texts }).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  );
  const added = (proto: Model["proto"]) => withFields(proto, { metadataProps });
  const { file } = model;
  return {
    ...model,
    proto: added(model.proto),
    ...(file && { file: { ...file, proto: added(file.proto) } }),
  };
}
