import { describe, expect, it } from "vitest";

import type { View } from "@/api/types";
import { solve } from "@/lib/challenge";
import { pageOf } from "@/lib/numbers";
import { callable, left, sent, shippable } from "@/lib/order";
import { spanUntil, urgency } from "@/lib/time";
import { startsOf } from "@/lib/times";

const order = (given: Partial<View<"OrderView">>): View<"OrderView"> =>
  ({
    status: "paid",
    lines: [{ line_id: "1", quantity: 5 }],
    parcels: [],
    given_up: {},
    ...given,
  }) as unknown as View<"OrderView">;

describe("what is left to send", () => {
  it("is all of a paid order", () => {
    expect(left(order({}), "1")).toBe(5);
    expect(shippable(order({}))).toBe(true);
    expect(callable(order({}))).toBe(true);
  });

  it("is what neither went out nor was given up", () => {
    const found = order({ status: "partly_shipped", parcels: [{ shipment_id: "s", lines: { 1: 2 } }], given_up: { 1: 1 } });
    expect([sent(found, "1"), left(found, "1")]).toEqual([2, 2]);
    expect(callable(found)).toBe(false);
  });

  it("is what turned back as well", () => {
    const parcels = [{ shipment_id: "s", lines: { 1: 5 }, turned_back_at: "2026-01-01T00:00:00Z" }];
    const found = order({ status: "turned_back", parcels });
    expect(left(found, "1")).toBe(5);
    expect([shippable(found), callable(found)]).toEqual([true, true]);
  });

  it("is nothing of an order that is over, whatever its units say", () => {
    for (const status of ["placed", "cancelled", "completed", "shipped"]) expect(shippable(order({ status }))).toBe(false);
  });
});

describe("a deadline", () => {
  const now = Date.parse("2026-03-01T12:00:00Z");
  it.each([
    ["2026-03-05T12:00:00Z", { late: false, unit: "days", count: 4 }, "calm"],
    ["2026-03-03T11:59:00Z", { late: false, unit: "hours", count: 47 }, "calm"],
    ["2026-03-01T13:00:00Z", { late: false, unit: "hours", count: 1 }, "soon"],
    ["2026-03-01T12:30:00Z", { late: false, unit: "minutes", count: 30 }, "soon"],
    ["2026-03-01T10:00:00Z", { late: true, unit: "hours", count: 2 }, "late"],
  ])("%s", (at, span, mood) => {
    expect(spanUntil(at, now)).toEqual(span);
    expect(urgency(at, now)).toBe(mood);
  });
});

describe("a number", () => {
  it("opens the page of its kind, on the side of who asks", () => {
    expect(pageOf(" ord_0abc ", true)).toMatchObject({ name: "op-order" });
    expect(pageOf("ord_0abc", false)).toMatchObject({ name: "orders.one" });
    expect(pageOf("pur_0abc", false)).toBeUndefined();
    expect(pageOf("20261129", true)).toBeUndefined();
  });
});

describe("a challenge", () => {
  it("is solved by a number whose digest begins with so many zero bits", async () => {
    const number = await solve("bdp1.challenge", 10);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`bdp1.challenge.${number}`)));
    expect(digest[0]).toBe(0);
    expect((digest[1] ?? 255) < 64).toBe(true);
  });
});

describe("times of services", () => {
  it("are those of each day, none that is past, none twice, none that no clock shows", () => {
    const noon = new Date("2026-11-29T12:00").getTime();
    const found = startsOf("2026-11-29", 2, "9:30 14:00 14:00 24:10 8:75", noon);
    expect(found.map((at) => new Date(at).toLocaleString("sv").slice(0, 16))).toEqual(["2026-11-29 14:00", "2026-11-30 09:30", "2026-11-30 14:00"]);
  });
});
