/** The language that is shown: the person's choice, else the device's, else Chinese. */
import { computed, ref } from "vue";
import { en } from "./en";
import { zh } from "./zh";

export type Key = keyof typeof zh;
export type Locale = "zh-Hans" | "en";

const KEPT = "bd.locale";
export const FALLBACK: Locale = "zh-Hans";
const TEXTS: Record<Locale, Record<Key, string>> = { "zh-Hans": zh, en };

/** Return the language of ours that a device's name for one means. */
export function fitting(name: string | undefined): Locale {
  return name !== undefined && name.toLowerCase().startsWith("en") ? "en" : FALLBACK;
}

function first(): Locale {
  const kept = uni.getStorageSync(KEPT) as string | undefined;
  return fitting(kept || uni.getLocale());
}

export const locale = ref<Locale>(first());

/** How the API names the language. */
export const apiLanguage = computed(() => (locale.value === "en" ? "en" : "zh-CN"));

/** How records of the API name it: `titles.zh`, `titles.en`. */
export const side = computed<"zh" | "en">(() => (locale.value === "en" ? "en" : "zh"));

export function setLocale(to: Locale): void {
  locale.value = to;
  uni.setStorageSync(KEPT, to);
}

/** Return a text in the person's language, its `{names}` filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return fill(TEXTS[locale.value][key], values);
}

export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (all, name: string) => (name in values ? String(values[name]) : all));
}

/** Return a name that the API tells in both languages, in the person's, else in the other one. */
export function said(names: { zh?: string | null; en?: string | null } | undefined): string {
  if (names === undefined) return "";
  const [here, there] = side.value === "en" ? [names.en, names.zh] : [names.zh, names.en];
  return here || there || "";
}
