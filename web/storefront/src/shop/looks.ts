/** Who was shown where a person's parcels go. */
import type { Look, Looks } from "../api/types";

const MOST_EMPTY = 10;

/**
 * Read on until there is something or nothing is left, for pages before the last may hold none; who is looked up has a
 * long history, so it stops after some and leaves the rest to be asked for.
 */
export async function someLooks(ask: (cursor: string | undefined) => Promise<Looks>, from: string | undefined): Promise<Looks> {
  let page = await ask(from);
  for (let empty = 1; page.items.length === 0 && page.next_cursor !== undefined && empty < MOST_EMPTY; empty += 1) {
    page = await ask(page.next_cursor);
  }
  return page;
}

/** Return the merchants among them whose names are not known yet, each once. */
export function unnamed(looks: readonly Look[], names: Readonly<Record<string, string>>): string[] {
  return [...new Set(looks.map((look) => look.to))].filter((to) => to.startsWith("mer_") && !(to in names));
}
