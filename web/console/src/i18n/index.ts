/** Every text stands once, in both languages side by side: `key: [Chinese, English]`. */
import { createI18n } from "vue-i18n";

import account from "@/i18n/account";
import books from "@/i18n/books";
import common from "@/i18n/common";
import complaints from "@/i18n/complaints";
import conversations from "@/i18n/conversations";
import goods from "@/i18n/goods";
import operator from "@/i18n/operator";
import orders from "@/i18n/orders";
import payments from "@/i18n/payments";
import returns from "@/i18n/returns";
import services from "@/i18n/services";
import shop from "@/i18n/shop";
import virtual from "@/i18n/virtual";
import webhooks from "@/i18n/webhooks";

export type Language = "zh" | "en";
export type Texts = Record<string, readonly [zh: string, en: string]>;

export const texts: Texts = { ...common, ...account, ...orders, ...goods, ...complaints, ...conversations, ...returns, ...services, ...shop, ...payments, ...books, ...operator, ...webhooks, ...virtual };

const PLACE = "biandan-console-language";

function of(language: 0 | 1): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([key, pair]) => [key, pair[language]]));
}

function first(): Language {
  const kept = localStorage.getItem(PLACE);
  if (kept === "zh" || kept === "en") return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export const i18n = createI18n({
  legacy: false,
  locale: first(),
  fallbackLocale: "en",
  // Keys are flat: `orders.title` is one name, no path.
  messageResolver: (messages, key) => (messages as Record<string, string>)[key] ?? null,
  messages: { zh: of(0), en: of(1) },
});

export function language(): Language {
  return i18n.global.locale.value as Language;
}

export function chooseLanguage(chosen: Language): void {
  i18n.global.locale.value = chosen;
  localStorage.setItem(PLACE, chosen);
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
}

/** Return a text outside a component. */
export function say(key: string, values: Record<string, unknown> = {}): string {
  return i18n.global.t(key, values);
}
