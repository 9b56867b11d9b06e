import type { View } from "@/api/types";

type Order = View<"OrderView">;

/** Return how many units of a line went out and did not turn back. */
export function sent(order: Order, lineId: string): number {
  return order.parcels
    .filter((parcel) => !parcel.turned_back_at)
    .reduce((sum, parcel) => sum + (parcel.lines[lineId] ?? 0), 0);
}

/** Return how many units of a line wait to be sent. */
export function left(order: Order, lineId: string): number {
  const line = order.lines.find((each) => each.line_id === lineId);
  return Math.max(0, (line?.quantity ?? 0) - sent(order, lineId) - (order.given_up[lineId] ?? 0));
}

/** Say whether something of the order can be sent now. */
export function shippable(order: Order): boolean {
  return ["paid", "partly_shipped", "turned_back"].includes(order.status) && order.lines.some((line) => left(order, line.line_id) > 0);
}

/** Say whether a merchant may call it off: nothing of it is with the buyer or on its way. */
export function callable(order: Order): boolean {
  return ["paid", "turned_back"].includes(order.status) && order.lines.every((line) => sent(order, line.line_id) === 0);
}
