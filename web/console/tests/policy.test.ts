import { describe, expect, it } from "vitest";

import table from "@/generated/policy";
import { MENU } from "@/menu";
import { may, ruleOf, type Operation, type Person } from "@/policy";
import { router } from "@/router";

const person = (given: Partial<Person>): Person => ({ roles: ["buyer"], desks: [], posts: [], ...given });
const SHOP = "mer_1";

describe("the policy table", () => {
  it.each([
    ["a clerk ships", "ship_order", person({ posts: [{ merchant_id: SHOP, post: "clerk" }] }), true],
    ["a clerk calls no order off", "cancel_merchant_order", person({ posts: [{ merchant_id: SHOP, post: "clerk" }] }), false],
    ["a post counts at its own merchant", "ship_order", person({ posts: [{ merchant_id: "mer_2", post: "owner" }] }), false],
    ["finance decides refunds", "approve_refund", person({ roles: ["operator"], desks: ["finance"] }), true],
    ["support does not", "approve_refund", person({ roles: ["operator"], desks: ["support"] }), false],
    ["an admin may what any desk may", "decide_complaint", person({ roles: ["operator"], desks: ["admin"] }), true],
    ["a desk without the role is none", "list_cases", person({ desks: ["admin"] }), false],
    ["a buyer has nothing to do here", "list_merchant_orders", person({}), false],
    ["everybody has sessions", "list_sessions", person({}), true],
  ] as const)("%s", (_, operation, who, expected) => {
    expect(may(who, operation, SHOP)).toBe(expected);
  });

  it("knows every operation that opens a page or a menu line", () => {
    const needed = [
      ...router.getRoutes().map((route) => route.meta.needs),
      ...MENU.flatMap((group) => group.places.map((place) => place.needs)),
    ].filter((each): each is Operation => each !== undefined);
    expect(needed.filter((each) => !(each in table))).toEqual([]);
  });

  it("lets each menu line open what its page needs", () => {
    for (const place of MENU.flatMap((group) => group.places)) {
      const route = router.getRoutes().find((each) => each.name === place.name);
      expect(route, place.name).toBeDefined();
      expect(route?.meta.needs, place.name).toBe(place.needs);
    }
  });

  it("says which calls carry a key: all that move money or goods", () => {
    for (const operation of ["ship_order", "request_refund", "approve_refund", "reply_to_complaint", "decide_complaint"] as const)
      expect(ruleOf(operation).key).toBe(true);
  });
});
