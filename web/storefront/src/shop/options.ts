/** A product's options: which SKU the chosen values mean, and which values lead to something that is there. */
import type { Product, Sku } from "../api/types";

export interface Axis {
  name: string;
  values: { value: string; off: boolean }[];
}

/** Return the SKU to show first: one that can be had, else the first. */
export function firstSku(product: Product): Sku | undefined {
  return product.skus.find((sku) => !sku.sold_out) ?? product.skus[0];
}

export function skuOf(product: Product, chosen: readonly string[]): Sku | undefined {
  return product.skus.find((sku) => sku.options.every((value, at) => value === chosen[at]));
}

/** Return each option with its values; `off` are those that with all else as it is lead to nothing that can be had. */
export function axes(product: Product, chosen: readonly string[]): Axis[] {
  return product.options.map((name, at) => {
    const values: string[] = [];
    for (const sku of product.skus) {
      const value = sku.options[at];
      if (value !== undefined && !values.includes(value)) values.push(value);
    }
    return { name, values: values.map((value) => ({ value, off: !had(product, chosen, at, value) })) };
  });
}

function had(product: Product, chosen: readonly string[], at: number, value: string): boolean {
  return product.skus.some((sku) => !sku.sold_out && sku.options.every((each, of) => each === (of === at ? value : chosen[of])));
}

/** Choose a value; where the combination does not exist, go to one that has the value and most of the rest. */
export function choose(product: Product, chosen: readonly string[], at: number, value: string): string[] {
  const wanted = chosen.map((each, of) => (of === at ? value : each));
  if (skuOf(product, wanted) !== undefined) return wanted;
  let best: Sku | undefined;
  let fits = -1;
  for (const sku of product.skus) {
    if (sku.options[at] !== value) continue;
    const same = sku.options.filter((each, of) => each === wanted[of]).length;
    if (same > fits) [best, fits] = [sku, same];
  }
  return best === undefined ? [...chosen] : [...best.options];
}
