/** Who is at the screen, for which merchant, and how they came in. */
import { computed, reactive, readonly } from "vue";

import { call, client } from "@/api";
import type { View } from "@/api/types";
import { may, type Operation } from "@/policy";

type Me = View<"MeView">;

interface State {
  me: Me | undefined;
  merchantId: string | undefined;
  shop: View<"ProfileView"> | undefined;
  loaded: boolean;
}

const PLACE = "biandan-console-merchant";
const state = reactive<State>({ me: undefined, merchantId: undefined, shop: undefined, loaded: false });

export const session = readonly(state);
export const isOperator = computed(() => state.me?.roles.includes("operator") ?? false);

export function can(operation: Operation): boolean {
  return state.me !== undefined && may(state.me, operation, state.merchantId);
}

/** Read who it is, if somebody is signed in. */
export async function load(): Promise<void> {
  if (client().session.account() === undefined) {
    clear();
    return;
  }
  state.me = await call("get_me");
  const posts = state.me.posts;
  const kept = localStorage.getItem(PLACE);
  await chooseMerchant(posts.some((post) => post.merchant_id === kept) ? (kept ?? undefined) : posts[0]?.merchant_id);
  state.loaded = true;
}

export async function chooseMerchant(merchantId: string | undefined): Promise<void> {
  state.merchantId = merchantId;
  state.shop = undefined;
  if (merchantId === undefined) return;
  localStorage.setItem(PLACE, merchantId);
  try {
    state.shop = await call("get_profile");
  } catch {
    // The menu shows the merchant's number in the place of its name.
  }
}

export async function begin(pair: View<"TokensView">): Promise<void> {
  client().session.keep(pair);
  await load();
}

export function clear(): void {
  client().session.forget();
  state.me = undefined;
  state.merchantId = undefined;
  state.shop = undefined;
  state.loaded = true;
}

export async function end(): Promise<void> {
  try {
    await call("sign_out");
  } catch {
    // Whatever the API says, nobody is signed in here any more.
  }
  clear();
}

export async function reloadMe(): Promise<void> {
  state.me = await call("get_me");
}

export function setShop(shop: View<"ProfileView">): void {
  state.shop = shop;
}
