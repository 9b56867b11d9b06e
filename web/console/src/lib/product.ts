import type { BodyOf, View } from "@/api/types";

type Own = View<"OwnProductView">;
export interface Row {
  sku_id?: string;
  options: string[];
  price: number | undefined;
  compare: number | undefined;
  weight_g: number;
  code: string;
  picture?: string;
}

/** A product as its form holds it. */
export interface Draft {
  zh: string;
  en: string;
  kind: "physical" | "virtual" | "service";
  category_id: string;
  handle: string;
  options: string[];
  rows: Row[];
  about_zh: string;
  about_en: string;
  facts: { name: string; value: string }[];
  pictures: string;
  vendor: string;
  tags: string;
}

export function blank(): Draft {
  return {
    zh: "", en: "", kind: "physical", category_id: "", handle: "", options: [], rows: [row([])],
    about_zh: "", about_en: "", facts: [], pictures: "", vendor: "", tags: "",
  };
}

export function row(options: string[]): Row {
  return { options, price: undefined, compare: undefined, weight_g: 0, code: "" };
}

export function draftOf(product: Own): Draft {
  return {
    zh: product.titles.zh ?? "",
    en: product.titles.en ?? "",
    kind: product.kind,
    category_id: product.category_id,
    handle: product.handle,
    options: [...product.options],
    rows: product.skus.map((sku) => ({
      sku_id: sku.sku_id,
      options: [...sku.options],
      price: sku.price.minor,
      compare: sku.compare_at?.minor,
      weight_g: sku.weight_g,
      code: sku.code,
      picture: sku.picture,
    })),
    about_zh: product.description.zh ?? "",
    about_en: product.description.en ?? "",
    facts: product.specifications.map((fact) => ({ ...fact })),
    pictures: product.pictures.join("\n"),
    vendor: product.vendor ?? "",
    tags: product.tags.join(", "),
  };
}

/** Return what is sent: the same for a new product and for a change, but for the handle. */
export function bodyOf(draft: Draft, currency: string): BodyOf<"change_product"> & { titles: object; category_id: string; skus: object[] } {
  const money = (minor: number | undefined) => ({ minor: minor ?? 0, currency });
  return {
    titles: { zh: draft.zh.trim() || null, en: draft.en.trim() || null },
    kind: draft.kind,
    category_id: draft.category_id,
    options: draft.options.map((name) => name.trim()).filter(Boolean),
    skus: draft.rows.map((each) => ({
      sku_id: each.sku_id ?? null,
      options: each.options.slice(0, draft.options.length),
      price: money(each.price),
      compare_at: each.compare === undefined ? null : money(each.compare),
      weight_g: each.weight_g,
      picture: each.picture ?? null,
      code: each.code.trim(),
    })),
    description: { zh: draft.about_zh || null, en: draft.about_en || null },
    specifications: draft.facts.filter((fact) => fact.name.trim() && fact.value.trim()),
    pictures: draft.pictures.split(/\s+/).filter(Boolean),
    vendor: draft.vendor.trim() || null,
    tags: split(draft.tags),
  };
}

export function split(text: string): string[] {
  return text.split(/[,，、]/).map((part) => part.trim()).filter(Boolean);
}

/** Return a row for each combination of values; rows that are there keep what they hold. */
export function combined(values: string[][], rows: Row[]): Row[] {
  const all = values.reduce<string[][]>((sofar, next) => sofar.flatMap((before) => next.map((value) => [...before, value])), [[]]);
  return all.map((options) => {
    const known = rows.find((each) => each.options.join("\n") === options.join("\n"));
    return known ?? { ...row(options), price: rows[0]?.price, weight_g: rows[0]?.weight_g ?? 0 };
  });
}
