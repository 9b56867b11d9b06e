/** Where messages lead, and what is sent of what somebody chose. */
import { describe, expect, it } from "vitest";
import { chosen, leadsTo, toggled } from "../../src/shop/inbox";
import type { Brought } from "../../src/api/types";

const channels = { email: true, sms: true, wechat: true, qq: true };
const found: Brought = {
  topics: [
    { topic: "orders", title: "Orders", brought: true, may_end: true, channels },
    { topic: "security", title: "Safety", brought: true, may_end: false, channels },
  ],
};

describe("an inbox", () => {
  it("leads to the page of what a message is about, and nowhere where a buyer has none", () => {
    expect(leadsTo("ord_1")).toEqual({ place: "order", query: { id: "ord_1" } });
    expect(leadsTo("cnv_1")).toEqual({ place: "conversation", query: { id: "cnv_1" } });
    expect(leadsTo("sat_1")).toEqual({ place: "feedback", query: {} });
    expect(leadsTo("sku_1")).toBeUndefined();
    expect(leadsTo(undefined)).toBeUndefined();
  });

  it("sends what is off, topic by topic and way by way, and the quiet hours whole or not at all", () => {
    const hours = { begins: "22:00", ends: "08:00", utc_offset_minutes: 480 };
    expect(chosen(found, hours)).toEqual({ off: [], quiet_hours: hours });
    const off = toggled(toggled(found, "orders", "sms"), "orders", "qq");
    expect(chosen(off, undefined)).toEqual({ off: [{ topic: "orders", channel: "sms" }, { topic: "orders", channel: "qq" }] });
    expect(chosen(toggled(off, "orders", "sms"), undefined).off).toEqual([{ topic: "orders", channel: "qq" }]);
  });

  it("never asks to be told nothing of the account's safety", () => {
    expect(chosen(toggled(found, "security", "email"), undefined).off).toEqual([]);
  });
});
