import { flushPromises, mount } from "@vue/test-utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { nextTick } from "vue";

import { configure } from "@/api";
import { Refusal } from "@/api/problem";
import Act from "@/components/Act.vue";
import MoneyField from "@/components/MoneyField.vue";
import ProblemNote from "@/components/ProblemNote.vue";
import { i18n } from "@/i18n";
import { byDay, byProduct } from "@/lib/sales";
import { bodyOf, blank, combined, row } from "@/lib/product";
import { useTask } from "@/lib/list";
import type { View } from "@/api/types";

const global = { plugins: [i18n] };
const refusal = (code: string, members: object = {}) => new Refusal({ code, status: 422, detail: `said: ${code}`, request_id: "r1", ...members } as never);

beforeEach(() => {
  configure({});
  i18n.global.locale.value = "en";
  // The test's document knows no dialogs.
  HTMLDialogElement.prototype.showModal = function show(this: HTMLDialogElement) {
    this.open = true;
  };
  document.body.innerHTML = "";
});

describe("a button that asks first", () => {
  const opened = async (run: (note: string, key: string) => Promise<unknown>) => {
    const act = mount(Act, { props: { text: "Approve", run, noteLabel: "Note" }, global, attachTo: document.body });
    await act.find("button").trigger("click");
    await nextTick();
    const form = document.querySelector("form");
    if (!form) throw new Error("no form");
    return { submit: () => form.dispatchEvent(new Event("submit", { cancelable: true })), act };
  };

  it("does one thing however often it is pressed while it runs", async () => {
    let release = (): void => undefined;
    const run = vi.fn(() => new Promise<void>((resolve) => (release = resolve)));
    const { submit } = await opened(run);
    submit();
    submit();
    release();
    await flushPromises();
    expect(run).toHaveBeenCalledTimes(1);
    expect(document.querySelector("dialog")).toBeNull();
  });

  it("says why it was refused, keeps its key for the next try, and takes another one once it is done", async () => {
    const keys: string[] = [];
    const run = vi.fn((_: string, key: string) => {
      keys.push(key);
      return keys.length === 1 ? Promise.reject(refusal("approval_needed")) : Promise.resolve();
    });
    const { submit, act } = await opened(run);
    submit();
    await flushPromises();
    expect(document.querySelector('[role="alert"]')?.textContent).toContain("said: approval_needed");
    submit();
    await flushPromises();
    await act.find("button").trigger("click");
    await nextTick();
    document.querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));
    await flushPromises();
    expect(keys[0]).toBe(keys[1]);
    expect(keys[2]).not.toBe(keys[0]);
  });
});

describe("an amount that is typed", () => {
  it.each([
    ["12.5", 1250],
    ["1,234.50", 123450],
    ["0.1", 10],
    ["1.234", undefined],
    ["-5", undefined],
    ["five", undefined],
    ["", undefined],
  ])("%s is %s in minor units", async (typed, minor) => {
    const field = mount(MoneyField, { props: { modelValue: undefined, currency: "CNY", label: "Amount" }, global });
    await field.find("input").setValue(typed);
    expect(field.emitted("update:modelValue")?.at(-1)?.[0]).toBe(minor);
  });

  it("shows what it is given with the decimals of its currency", () => {
    const shown = (currency: string) =>
      (mount(MoneyField, { props: { modelValue: 1990, currency }, global }).find("input").element as HTMLInputElement).value;
    expect([shown("CNY"), shown("JPY")]).toEqual(["19.90", "1990"]);
  });
});

describe("what went wrong", () => {
  it("is told with the number of the request, and the fields that no form shows", () => {
    const problem = refusal("invalid_request", { errors: [{ pointer: "/lines/0", code: "x", detail: "no" }, { pointer: "/note", code: "x", detail: "long" }] });
    const text = mount(ProblemNote, { props: { problem, shown: ["note"] }, global }).text();
    expect(text).toContain("said: invalid_request");
    expect(text).toContain("lines/0");
    expect(text).not.toContain("long");
    expect(text).toContain("r1");
  });

  it("says to look first where the same key went out with something else", () => {
    expect(mount(ProblemNote, { props: { problem: refusal("idempotency_key_reused") }, global }).text()).toContain("may have gone through");
  });
});

describe("a task", () => {
  it("is not begun a second time while it runs, and can be after it failed", async () => {
    const work = vi.fn(() => Promise.reject(new Error("no")));
    const task = useTask(work);
    expect(await Promise.all([task.run(), task.run()])).toEqual([false, false]);
    expect(work).toHaveBeenCalledTimes(1);
    expect(task.problem.value).toBeInstanceOf(Error);
    await task.run();
    expect(work).toHaveBeenCalledTimes(2);
  });
});

describe("takings", () => {
  const order = (placed_at: string, minor: number, status = "paid") =>
    ({ status, placed_at, total: { minor }, lines: [{ product_id: "p", title: "Tea", quantity: 2, total: { minor } }] }) as unknown as View<"OrderView">;
  const orders = [order("2026-03-01T12:00:00", 100), order("2026-03-03T12:00:00", 50), order("2026-03-02T12:00:00", 999, "cancelled")];

  it("count what was paid and not called off, by day, days without any too", () => {
    expect(byDay(orders).map((day) => [day.day, day.orders, day.minor])).toEqual([
      ["2026-03-01", 1, 100],
      ["2026-03-02", 0, 0],
      ["2026-03-03", 1, 50],
    ]);
    expect(byProduct(orders)).toEqual([{ title: "Tea", units: 4, minor: 150 }]);
  });
});

describe("a product's form", () => {
  it("makes all combinations and keeps the rows that are there", () => {
    const known = { ...row(["red", "S"]), code: "R-S", price: 500 };
    const rows = combined([["red", "blue"], ["S", "M"]], [known]);
    expect(rows.map((each) => each.options.join(" "))).toEqual(["red S", "red M", "blue S", "blue M"]);
    expect(rows[0]).toBe(known);
    expect(rows[3]).toMatchObject({ code: "", price: 500 });
  });

  it("sends nothing that is empty, and amounts in the shop's currency", () => {
    const draft = { ...blank(), zh: " 壶 ", tags: "a, b，c", facts: [{ name: "", value: "x" }], rows: [{ ...row([]), price: 1 }] };
    expect(bodyOf(draft, "EUR")).toMatchObject({
      titles: { zh: "壶", en: null },
      tags: ["a", "b", "c"],
      specifications: [],
      skus: [{ price: { minor: 1, currency: "EUR" }, compare_at: null }],
    });
  });
});
