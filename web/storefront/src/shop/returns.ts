/** What a buyer can do about a return, by its state; the API refuses what is not so any more. */
import type { AskReturn } from "../api/types";

export type Step = "send" | "accept" | "escalate" | "withdraw";

const STEPS: Record<string, readonly Step[]> = {
  requested: ["withdraw"],
  approved: ["send", "withdraw"],
  refused: ["escalate", "withdraw"],
  escalated: ["withdraw"],
  withheld: ["accept", "escalate"],
  declined: ["accept", "escalate"],
};

export const steps = (status: string): readonly Step[] => STEPS[status] ?? [];

export const WISHES: readonly AskReturn["wish"][] = ["refund", "exchange"];
export const REASONS: readonly AskReturn["reason"][] = ["no_reason", "quality", "damaged", "wrong_item", "not_as_described"];
