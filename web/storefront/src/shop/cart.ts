/** The cart: kept by the API, a guest's under a token that the client keeps, a person's under their account. */
import { computed, ref, watch } from "vue";
import { getCart, mergeCart, removeLine, setLine } from "../api/calls";
import { api, Refusal, signedIn } from "../api/client";
import type { Cart, CartLine } from "../api/types";

export const cart = ref<Cart | undefined>();
export const cartCount = computed(() => (cart.value?.lines ?? []).reduce((sum, line) => sum + line.quantity, 0));

function take(told: Cart): Cart {
  cart.value = told;
  return told;
}

const lostToken = (error: unknown): boolean => error instanceof Refusal && error.is("bad_cart_token");

/** Read the cart; a guest who never put anything in has none, and nothing is asked. */
export async function readCart(): Promise<Cart> {
  if (!signedIn.value && api.cart.token() === undefined) return take({ lines: [], version: 0 });
  try {
    return take(await getCart());
  } catch (error) {
    if (!lostToken(error)) throw error;
    api.cart.forget();
    return readCart();
  }
}

/** What answers a change says how many there are, and no more: what they are stays as it was read. */
export function withDetails(told: Cart, before: Cart | undefined): Cart {
  const known = new Map((before?.lines ?? []).map((line) => [line.sku_id, line]));
  return { ...told, lines: told.lines.map((line) => ({ ...known.get(line.sku_id), ...line })) };
}

export const setQuantity = async (sku: string, quantity: number): Promise<Cart> => take(withDetails(await setLine(sku, quantity), cart.value));
export const remove = async (sku: string): Promise<Cart> => take(withDetails(await removeLine(sku), cart.value));

/** Put some more units in. */
export async function add(sku: string, quantity: number): Promise<Cart> {
  const has = (cart.value ?? (await readCart())).lines.find((line) => line.sku_id === sku)?.quantity ?? 0;
  return setQuantity(sku, Math.min(999, has + quantity));
}

/** Pour what a guest gathered into the person's cart, once they signed in. */
export async function pour(): Promise<void> {
  const token = api.cart.token();
  if (token === undefined) {
    await readCart();
    return;
  }
  try {
    take(await mergeCart(token));
  } catch (error) {
    if (!lostToken(error)) throw error;
  }
  api.cart.forget();
}

watch(signedIn, (now) => {
  if (!now) cart.value = undefined;
});

export interface Pile {
  merchantId: string;
  lines: CartLine[];
}

/** Return the lines merchant by merchant, in the order of the cart; what is not on sale any more stands last. */
export function piles(lines: CartLine[]): Pile[] {
  const found = new Map<string, CartLine[]>();
  for (const line of lines) {
    const of = line.merchant_id ?? "";
    const pile = found.get(of);
    if (pile === undefined) found.set(of, [line]);
    else pile.push(line);
  }
  const gone = found.get("");
  found.delete("");
  if (gone !== undefined) found.set("", gone);
  return [...found].map(([merchantId, each]) => ({ merchantId, lines: each }));
}

/** Say whether a line can be ordered. */
export const orderable = (line: CartLine): boolean => line.price !== undefined && line.available !== false;

/** Return what the chosen lines cost by what the cart says, one sum a currency. */
export function sums(lines: CartLine[], chosen: (sku: string) => boolean): { minor: number; currency: string }[] {
  const found = new Map<string, number>();
  for (const line of lines) {
    if (line.price === undefined || !orderable(line) || !chosen(line.sku_id)) continue;
    const currency = line.price.currency ?? "CNY";
    found.set(currency, (found.get(currency) ?? 0) + line.price.minor * line.quantity);
  }
  return [...found].map(([currency, minor]) => ({ minor, currency }));
}
