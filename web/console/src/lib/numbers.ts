import type { RouteLocationRaw } from "vue-router";

/** Return the page that shows a record, by the kind that its number names; undefined where there is none. */
export function pageOf(number: string, operator: boolean): RouteLocationRaw | undefined {
  const id = number.trim();
  const kind = /^([a-z]{3})_[0-9a-z]/.exec(id)?.[1];
  const places: Record<string, [name: string, param: string, operator: boolean | null]> = {
    pur: ["op-purchase", "purchase_id", true],
    mer: ["op-merchants.one", "merchant_id", true],
    str: ["op-stray", "stray_id", true],
    rec: ["op-reconciliation.one", "run_id", true],
  };
  if (kind === "ord") return operator ? { name: "op-order", params: { order_id: id } } : { name: "orders.one", params: { order_id: id } };
  if (kind === "cmp")
    return operator ? { name: "op-complaints.one", params: { complaint_id: id } } : { name: "complaints.one", params: { complaint_id: id } };
  if (kind === "prd" && !operator) return { name: "goods.one", params: { product_id: id } };
  if (kind === "cas" && operator) return { name: "op-cases.one", params: { case_id: id } };
  const place = kind ? places[kind] : undefined;
  return place && operator ? { name: place[0], params: { [place[1]]: id } } : undefined;
}
