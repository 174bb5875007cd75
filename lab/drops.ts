/** Files that somebody drops on a panel or chooses there, by the library's reader of both. */
import type { droppedFiles } from "forwardgrad/web";
import { element } from "./elements.ts";

/** What `droppedFiles` reads. */
export type Given = Parameters<typeof droppedFiles>[0];

/**
 * Hands on what is given to a panel.
 *
 * @param inputs the panel's file inputs, by their ids
 */
export function onFiles(panel: HTMLElement, inputs: readonly string[], take: (given: Given) => void): void {
  panel.addEventListener("dragover", (event) => event.preventDefault());
  panel.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer) take(event.dataTransfer.items as unknown as File[]);
  });
  for (const id of inputs) {
    const input = element(id, HTMLInputElement);
    input.addEventListener("change", () => {
      if (input.files && input.files.length > 0) take([...input.files]);
      input.value = "";
    });
  }
}
