/**
 * What buyers browse. Where a CDN stands before the shop, lists and products are files that it publishes when they change,
 * and no function is asked; where none does, the API answers the same.
 */
import { getCategories, getMerchant, getProduct, listProducts } from "../api/calls";
import { peek } from "../api/client";
import type { Card, Category, Merchant, Product } from "../api/types";

export type Sort = "newest" | "price_asc" | "price_desc";

interface Manifest {
  files: Record<string, string[]>;
  partial: string[];
}

const FRESH_MS = 2000;
const MOST_FILES = 60;
const manifests = new Map<string, { at: number; asked: Promise<Manifest | undefined> }>();
const files = new Map<string, Promise<unknown>>();
let published: Promise<boolean> | undefined;

/** Say whether there are published files here; asked once a visit. */
function isPublished(): Promise<boolean> {
  published ??= manifest("site").then((found) => found !== undefined, () => false);
  return published;
}

function manifest(shard: string): Promise<Manifest | undefined> {
  const kept = manifests.get(shard);
  if (kept !== undefined && Date.now() - kept.at < FRESH_MS) return kept.asked;
  const asked = peek(`/published/current/${shard}.json`) as Promise<Manifest | undefined>;
  manifests.set(shard, { at: Date.now(), asked });
  asked.catch(() => manifests.delete(shard));
  return asked;
}

/** Read a file. Its name is its content's: what was read once need not be asked again. */
function file<T>(shard: string, name: string): Promise<T> {
  const path = `/published/files/${shard}/${name}.json`;
  let asked = files.get(path);
  if (asked === undefined) {
    if (files.size >= MOST_FILES) files.delete(files.keys().next().value as string);
    asked = peek(path);
    files.set(path, asked);
    asked.catch(() => files.delete(path));
  }
  return asked as Promise<T>;
}

async function first<T>(shard: string, key: string): Promise<T | undefined> {
  const name = (await manifest(shard))?.files[key]?.[0];
  return name === undefined ? undefined : file<T>(shard, name);
}

/** Return the shard that a product is in: the sum of its id's characters modulo 64. */
export function shardOf(productId: string): string {
  let sum = 0;
  for (let at = 0; at < productId.length; at += 1) sum += productId.charCodeAt(at);
  const shard = sum % 64;
  return `products-${shard < 10 ? "0" : ""}${shard}`;
}

export async function product(id: string): Promise<Product> {
  if (await isPublished()) {
    const found = await first<Product>(shardOf(id), id);
    if (found !== undefined) return found;
  }
  return getProduct(id); // A product that was listed a moment ago is in no file yet; one that is gone is refused.
}

export async function categories(): Promise<Category[]> {
  const found = (await isPublished()) ? await first<{ categories: Category[] }>("site", "categories") : await getCategories();
  return found?.categories ?? [];
}

export async function merchant(id: string): Promise<Merchant> {
  const found = (await isPublished()) ? await first<Merchant>(`merchant-${id}`, "merchant") : undefined;
  return found ?? getMerchant(id);
}

export interface Shelf {
  cards: Card[];
  /** Where the next page begins; undefined after the last one. */
  next?: string;
}

/** Return a page of a list: of a category, of a merchant, or of everything. */
export async function shelf(of: { category?: string; merchant?: string }, sort: Sort = "newest", from?: string): Promise<Shelf> {
  if (!(await isPublished()) || (from !== undefined && !/^\d+$/.test(from))) {
    const page = await listProducts({ ...of, sort, ...(from === undefined ? {} : { cursor: from }) });
    return { cards: page.items, next: page.next_cursor };
  }
  const shard = of.category !== undefined ? `category-${of.category}` : of.merchant !== undefined ? `merchant-${of.merchant}` : "all";
  const names = (await manifest(shard))?.files[sort] ?? [];
  const at = Number(from ?? 0);
  const name = names[at];
  if (name === undefined) return { cards: [] };
  const { items: cards } = await file<{ items: Card[] }>(shard, name);
  return { cards, next: at + 1 < names.length ? String(at + 1) : undefined };
}
