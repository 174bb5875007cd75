/** A page of the site: its name in the navigation, its file in the repository, its file on the site. */
export interface Page {
  readonly text: string;
  readonly source: string;
  readonly path: string;
}

export const repository: string;
export const sections: readonly { readonly text: string; readonly pages: readonly Page[] }[];
export const pages: readonly Page[];
export function anchorOf(heading: string): string;
export function targetOf(
  link: string,
  source: string,
): { readonly path: string; readonly anchor: string | undefined } | undefined;
export function onSite(link: string, source: string, root: string): string;
