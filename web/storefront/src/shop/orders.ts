/** What a buyer can do about an order, and how its state looks. The API refuses what is not so any more. */
import type { Order } from "../api/types";

export type Act = "pay" | "cancel" | "confirm" | "complain";

const ACTS: Record<string, readonly Act[]> = {
  placed: ["pay"],
  paid: ["cancel", "complain"],
  partly_shipped: ["complain"],
  shipped: ["confirm", "complain"],
  turned_back: ["complain"],
  delivered: ["confirm", "complain"],
  completed: ["complain"],
};

export const acts = (order: Order): readonly Act[] => ACTS[order.status] ?? [];

export function toneOf(status: string): string {
  if (status === "completed" || status === "delivered") return "tag-good";
  if (status === "placed" || status === "turned_back") return "tag-warn";
  return "";
}

/** What a buyer can do about a complaint, whose turn it is. */
export type Answer = "accept" | "escalate" | "withdraw" | "reopen";

const ANSWERS: Record<string, readonly Answer[]> = {
  awaiting_merchant: ["withdraw"],
  refund_offered: ["accept", "escalate", "withdraw"],
  remedy_offered: ["accept", "escalate", "withdraw"],
  rejected: ["accept", "escalate", "withdraw"],
  escalated: ["withdraw"],
  overdue: ["withdraw"],
  resolved: ["reopen"],
  dismissed: ["reopen"],
};

export const answers = (complaint: { status: string; reopened: boolean }): readonly Answer[] =>
  (ANSWERS[complaint.status] ?? []).filter((answer) => answer !== "reopen" || !complaint.reopened);
