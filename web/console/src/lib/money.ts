export { formatMoney as written, parseMoney, plainAmount, type Money } from "../../../client/src/index.js";
import type { Money } from "../../../client/src/index.js";

/** Return the sum of amounts of one currency. */
export function plus(amounts: readonly Money[]): Required<Money> {
  return { minor: amounts.reduce((sum, each) => sum + each.minor, 0), currency: amounts[0]?.currency ?? "CNY" };
}
