/** Goods of a quote that are not returned without a reason, once their buyer says so for this purchase. */
import type { Quote } from "../api/types";

export interface Marked {
  sku_id: string;
  title: string;
  why: string;
}

export function markedOf(quote: Quote): Marked[] {
  const lines = quote.shares.flatMap((share) => share.lines);
  return lines.flatMap((line) => (line.no_return ? [{ sku_id: line.sku_id, title: line.title, why: line.no_return_text ?? line.no_return }] : []));
}

/** Of what was ticked, what this quote still has: the API refuses what there is nothing to confirm of. */
export const confirmedOf = (marked: readonly Marked[], ticked: readonly string[]): string[] =>
  marked.map((each) => each.sku_id).filter((each) => ticked.includes(each));
