// Money as people write it, by whole numbers alone: no amount is ever a fraction.

/** An amount in minor units; the document's default currency is the yuan. */
export interface Money {
  minor: number;
  currency?: string;
}

/** Currencies whose minor unit is not a hundredth (ISO 4217). */
const DIGITS: Record<string, number> = { JPY: 0, KRW: 0, VND: 0, KWD: 3, BHD: 3, OMR: 3, JOD: 3, TND: 3 };
const SYMBOLS: Record<string, string> = {
  CNY: "¥",
  EUR: "€",
  GBP: "£",
  HKD: "HK$",
  JPY: "JP¥",
  KRW: "₩",
  MOP: "MOP$",
  TWD: "NT$",
  USD: "$",
};
/** The largest amount that the API takes, by far within what a number keeps exactly. */
const MAX_MINOR = 1_000_000_000_000_000;

/** How many digits a currency's minor unit has. */
export function digitsOf(currency: string): number {
  return DIGITS[currency] ?? 2;
}

/** Return an amount's digits without a currency: `-1234.50`. */
export function plainAmount({ minor, currency = "CNY" }: Money): string {
  if (!Number.isInteger(minor) || Math.abs(minor) > MAX_MINOR) throw new RangeError(`no whole minor units: ${minor}`);
  const digits = digitsOf(currency);
  const text = String(Math.abs(minor)).padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  const sign = minor < 0 ? "-" : "";
  return digits === 0 ? sign + whole : `${sign}${whole}.${text.slice(-digits)}`;
}

/** Return an amount for people: `¥1,234.50`, `-$0.05`, `KWD 1.250`. */
export function formatMoney(money: Money): string {
  const currency = money.currency ?? "CNY";
  const [whole = "", rest] = plainAmount(money).replace("-", "").split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const amount = rest === undefined ? grouped : `${grouped}.${rest}`;
  return (money.minor < 0 ? "-" : "") + (SYMBOLS[currency] ?? `${currency} `) + amount;
}

/**
 * Return what somebody typed as an amount; undefined if it is none of this currency: more digits than it has, a
 * thousands' comma in a wrong place, or anything beside digits.
 */
export function parseMoney(text: string, currency = "CNY"): Required<Money> | undefined {
  const found = /^(-?)(\d+|\d{1,3}(?:,\d{3})+)(?:\.(\d+))?$/.exec(text.trim());
  const [, sign = "", whole = "", rest = ""] = found ?? [];
  const digits = digitsOf(currency);
  if (found === null || rest.length > digits) return undefined;
  const minor = Number(whole.replace(/,/g, "") + rest.padEnd(digits, "0"));
  if (minor > MAX_MINOR) return undefined;
  return { minor: sign && minor ? -minor : minor, currency };
}
