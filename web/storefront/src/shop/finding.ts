/** What is offered while somebody types: what they looked for before, and categories whose names show the words. */
import type { Category } from "../api/types";

const KEPT = "bd.searches";
const MOST = 8;

export function searched(): string[] {
  const kept = uni.getStorageSync(KEPT) as string[] | "";
  return Array.isArray(kept) ? kept : [];
}

export function remember(words: string): void {
  uni.setStorageSync(KEPT, [words, ...searched().filter((each) => each !== words)].slice(0, MOST));
}

export function forgetSearches(): void {
  uni.removeStorageSync(KEPT);
}

export interface Suggestions {
  words: string[];
  categories: Category[];
}

export function suggest(typed: string, before: string[], categories: Category[]): Suggestions {
  const wanted = typed.trim().toLowerCase();
  const shows = (text: string | null | undefined): boolean => !!text && text.toLowerCase().includes(wanted);
  if (wanted === "") return { words: before, categories: [] };
  return {
    words: before.filter((each) => each.toLowerCase().includes(wanted) && each.toLowerCase() !== wanted),
    categories: categories.filter((each) => shows(each.names.zh) || shows(each.names.en)),
  };
}
