/** What a buyer can do about an order, and how its state looks. The API refuses what is not so any more. */
import type { Order } from "../api/types";

export type Act = "pay" | "cancel" | "confirm" | "complain" | "send_back" | "end_waiting";

const ACTS: Record<string, readonly Act[]> = {
  placed: ["pay"],
  paid: ["cancel", "complain"],
  partly_shipped: ["complain"],
  shipped: ["confirm", "complain"],
  turned_back: ["complain"],
  delivered: ["confirm", "complain", "send_back"],
  completed: ["complain", "send_back"],
};

export function acts(order: Order, now = Date.now()): readonly Act[] {
  const can = ACTS[order.status] ?? [];
  return needNotWait(order, now) ? [...can, "end_waiting"] : can;
}

/** Whether what is missing of an order was lost, or its rest is late: its buyer need not wait for it. */
function needNotWait(order: Order, now: number): boolean {
  if (order.status === "partly_shipped") return order.ship_by !== undefined && Date.parse(order.ship_by) <= now;
  return order.status === "turned_back" && order.parcels.some((parcel) => parcel.lost);
}

/** Whether a buyer may say that a parcel is there, where its carrier does not. */
export const mayBeThere = (shipment: { kind: string; status: string }): boolean =>
  shipment.kind === "parcel" && !["delivered", "returned"].includes(shipment.status);

export function toneOf(status: string): string {
  if (status === "completed" || status === "delivered") return "tag-good";
  if (status === "placed" || status === "turned_back") return "tag-warn";
  return "";
}

/** What a buyer can do about a complaint, whose turn it is. */
export type Answer = "accept" | "escalate" | "withdraw" | "reopen" | "statement" | "appeal" | "person";

const ANSWERS: Record<string, readonly Answer[]> = {
  awaiting_merchant: ["withdraw"],
  refund_offered: ["accept", "escalate", "withdraw"],
  remedy_offered: ["accept", "escalate", "withdraw"],
  rejected: ["accept", "escalate", "withdraw"],
  escalated: ["withdraw"],
  merchant_asked: ["withdraw"],
  buyer_asked: ["statement", "withdraw"],
  appealed: ["withdraw"],
  overdue: ["withdraw"],
};

interface Stands { status: string; phase: string; reopened: boolean; person: boolean; appeal_until?: string | undefined; decisions: readonly unknown[] }

/** What was decided is appealed against, what was agreed is opened again; a person can be asked for while it is open. */
export function answers(complaint: Stands): readonly Answer[] {
  const closed = complaint.status === "resolved" || complaint.status === "dismissed";
  if (closed && complaint.decisions.length > 0) return complaint.phase === "decided" && complaint.appeal_until !== undefined ? ["appeal"] : [];
  if (closed) return complaint.reopened ? [] : ["reopen"];
  const found = ANSWERS[complaint.status] ?? [];
  return found.length > 0 && !complaint.person ? [...found, "person"] : found;
}
