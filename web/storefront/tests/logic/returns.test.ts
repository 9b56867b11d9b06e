import { describe, expect, it } from "vitest";
import type { Order, Quote } from "../../src/api/types";
import { confirmedOf, markedOf } from "../../src/shop/kept";
import { acts } from "../../src/shop/orders";
import { steps } from "../../src/shop/returns";

const line = (sku_id: string, more: object = {}) => ({ sku_id, title: sku_id.toUpperCase(), ...more });
const quote = {
  shares: [{ lines: [line("a"), line("b", { no_return: "fresh", no_return_text: "fresh or perishable" })] }, { lines: [line("c", { no_return: "custom" })] }],
} as unknown as Quote;

describe("goods that are not returned without a reason", () => {
  it("are those a quote marks, with why", () =>
    expect(markedOf(quote)).toEqual([
      { sku_id: "b", title: "B", why: "fresh or perishable" },
      { sku_id: "c", title: "C", why: "custom" },
    ]));
  it("are confirmed only as ticked, and only of what the quote still has", () => {
    expect(confirmedOf(markedOf(quote), [])).toEqual([]);
    expect(confirmedOf(markedOf(quote), ["c", "gone", "a"])).toEqual(["c"]);
  });
});

describe("a return", () => {
  it("is asked for once the goods are there", () => {
    const can = (status: string) => acts({ status, parcels: [] } as unknown as Order).includes("send_back");
    expect(["paid", "shipped", "delivered", "completed", "cancelled"].filter(can)).toEqual(["delivered", "completed"]);
  });
  it("offers its buyer what its state lets them do", () => {
    expect(steps("approved")).toEqual(["send", "withdraw"]);
    expect(steps("withheld")).toContain("accept");
    expect(steps("refunded")).toEqual([]);
  });
});
