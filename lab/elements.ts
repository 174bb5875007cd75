/** Elements of the page by their id, with their type. */

/** @throws when the page has no such element: a mistake of ours */
export function element<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new TypeError(`The page has no ${type.name} with the id '${id}'.`);
}

/** Puts text into an element. */
export function say(id: string, text: string): void {
  element(id, HTMLElement).textContent = text;
}

/** Does something when a button is pressed. */
export function onPress(id: string, act: () => void): void {
  element(id, HTMLButtonElement).addEventListener("click", act);
}

/** Whether the reader asked for less motion. */
export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
