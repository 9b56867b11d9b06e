import { describe, expect, it } from "vitest";
import { formatMoney, parseMoney, plainAmount } from "../src/index";

describe("an amount for people", () => {
  it.each([
    [0, "CNY", "¥0.00"],
    [5, "CNY", "¥0.05"],
    [-5, "USD", "-$0.05"],
    [123450, "CNY", "¥1,234.50"],
    [100000000, "EUR", "€1,000,000.00"],
    [999, "JPY", "JP¥999"],
    [1000, "JPY", "JP¥1,000"],
    [1250, "KWD", "KWD 1.250"],
    [7, "BHD", "BHD 0.007"],
    [1000000000000000, "CNY", "¥10,000,000,000,000.00"],
  ])("%d %s is %s", (minor, currency, text) => expect(formatMoney({ minor, currency })).toBe(text));

  it("is in yuan where nothing else is said", () => expect(formatMoney({ minor: 1990 })).toBe("¥19.90"));
  it("refuses what is no whole number of minor units", () => {
    for (const minor of [0.5, NaN, Infinity, 2 ** 53]) expect(() => plainAmount({ minor })).toThrow(RangeError);
  });
});

describe("what somebody typed", () => {
  it.each([
    ["19.9", "CNY", 1990],
    [" 19 ", "CNY", 1900],
    ["1,234.50", "CNY", 123450],
    ["0.29", "CNY", 29], // By fractions it would be 28.999999999999996.
    ["-0.05", "USD", -5],
    ["-0", "CNY", 0],
    ["250", "JPY", 250],
    ["1.25", "KWD", 1250],
    ["10000000000000", "CNY", 1000000000000000],
  ])("%s in %s is %d", (text, currency, minor) => expect(parseMoney(text, currency)).toEqual({ minor, currency }));

  it.each([
    ["", "CNY"],
    ["1.234", "CNY"],
    ["1.5", "JPY"],
    ["1.2345", "KWD"],
    ["1,23", "CNY"],
    ["1e3", "CNY"],
    ["¥5", "CNY"],
    [".5", "CNY"],
    ["5.", "CNY"],
    ["１２", "CNY"],
    ["10000000000000.01", "CNY"],
  ])("%s is no amount in %s", (text, currency) => expect(parseMoney(text, currency)).toBeUndefined());

  it("comes back from what was written", () => {
    for (const currency of ["CNY", "JPY", "KWD"]) {
      for (const minor of [0, 1, 9, 10, 99, 100, 12345, -1, -98765432]) {
        expect(parseMoney(plainAmount({ minor, currency }), currency)).toEqual({ minor, currency });
      }
    }
  });
});
