/** What is different between two quotes, in the order a person reads them. */
import type { Money, Quote } from "../api/types";

export interface Difference {
  what: string;
  kind: "price" | "quantity" | "gone" | "new" | "freight" | "total";
  was?: string | Money;
  now?: string | Money;
}

const lines = (quote: Quote) => quote.shares.flatMap((share) => share.lines);

export function differences(before: Quote, after: Quote): Difference[] {
  const found: Difference[] = [];
  const now = new Map(lines(after).map((line) => [line.sku_id, line]));
  const was = new Set(lines(before).map((line) => line.sku_id));
  for (const line of lines(before)) {
    const other = now.get(line.sku_id);
    if (other === undefined) {
      found.push({ what: line.title, kind: "gone" });
      continue;
    }
    if (other.unit_price.minor !== line.unit_price.minor) found.push({ what: other.title, kind: "price", was: line.unit_price, now: other.unit_price });
    if (other.quantity !== line.quantity) found.push({ what: other.title, kind: "quantity", was: String(line.quantity), now: String(other.quantity) });
  }
  for (const line of lines(after)) if (!was.has(line.sku_id)) found.push({ what: line.title, kind: "new", now: line.unit_price });
  for (const share of after.shares) {
    const before_ = before.shares.find((each) => each.merchant_id === share.merchant_id);
    if (before_ !== undefined && before_.freight.minor !== share.freight.minor) found.push({ what: share.merchant_name, kind: "freight", was: before_.freight, now: share.freight });
  }
  if (before.total.minor !== after.total.minor) found.push({ what: "", kind: "total", was: before.total, now: after.total });
  return found;
}

/** Return the lines of which fewer units are left than are wanted. */
export function short(quote: Quote): { sku_id: string; title: string; available: number }[] {
  return lines(quote).flatMap((line) => (line.available !== undefined && line.available < line.quantity ? [{ sku_id: line.sku_id, title: line.title, available: line.available }] : []));
}
