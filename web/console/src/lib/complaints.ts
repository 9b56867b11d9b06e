/** What complaints are answered and decided with. */

/** Whether it is given as an amount. */
export const isMoney = (answer: string): boolean => answer === "refund" || answer === "compensation";

/** Whether it costs somebody something, so that a decision must say whom. */
export const costs = (decision: string): boolean => isMoney(decision) || decision === "replacement";

/** What a decision may rest on; the API knows no other. */
export const RULES = [
  "CN-CPL-24-1", "CN-ECL-20-1", "CN-CPL-25-1", "CN-CPL-28-1", "CN-CPL-23-1", "CN-CPL-44-1", "CN-CPL-55-1",
  "CN-CIP-8-1", "CN-PRM-27-1", "CN-ECL-59-1", "CN-ECL-61-1", "CN-ECL-63-1",
] as const;
