import { createRouter, createWebHashHistory, type RouteRecordRaw } from "vue-router";

import { client } from "@/api";
import { say } from "@/i18n";
import type { Operation } from "@/policy";
import { can, load, session } from "@/session";

declare module "vue-router" {
  interface RouteMeta {
    /** The key of the page's name. */
    title: string;
    /** The operation that opens the page. */
    needs?: Operation;
    open?: boolean;
  }
}

const page = (name: string, path: string, title: string, component: RouteRecordRaw["component"], needs?: Operation) =>
  ({ name, path, component, meta: { title, needs } }) as RouteRecordRaw;

const routes: RouteRecordRaw[] = [
  { name: "sign-in", path: "/sign-in", component: () => import("@/pages/SignIn.vue"), meta: { title: "sign_in.title", open: true } },
  page("home", "/", "menu.home", () => import("@/pages/Home.vue")),
  page("orders", "/orders", "orders.title", () => import("@/pages/merchant/Orders.vue"), "list_merchant_orders"),
  page("orders.packing", "/orders/packing", "packing.title", () => import("@/pages/merchant/Packing.vue"), "get_merchant_order"),
  page("orders.one", "/orders/:order_id", "menu.orders", () => import("@/pages/merchant/Order.vue"), "get_merchant_order"),
  page("goods", "/goods", "goods.title", () => import("@/pages/merchant/Goods.vue"), "list_own_products"),
  page("goods.new", "/goods/new", "goods.new", () => import("@/pages/merchant/Product.vue"), "create_product"),
  page("goods.one", "/goods/:product_id", "goods.product", () => import("@/pages/merchant/Product.vue"), "get_own_product"),
  page("imports", "/imports", "imports.title", () => import("@/pages/merchant/Imports.vue"), "list_imports"),
  page("me", "/me", "me.title", () => import("@/pages/account/Me.vue")),
  page("security", "/security", "security.title", () => import("@/pages/account/Security.vue")),
  page("lost", "/:rest(.*)*", "app.not_found", () => import("@/pages/Lost.vue")),
];

export const router = createRouter({ history: createWebHashHistory(), routes, scrollBehavior: () => ({ top: 0 }) });

router.beforeEach(async (to) => {
  if (!session.loaded) await load().catch(() => undefined);
  if (to.meta.open) return true;
  if (client().session.account() === undefined) return { name: "sign-in", query: to.fullPath === "/" ? {} : { next: to.fullPath } };
  if (!session.me) return true; // The shell says what went wrong, and lets try again.
  if (to.meta.needs && !can(to.meta.needs)) return { name: "lost", params: { rest: ["not-yours"] } };
  return true;
});

router.afterEach((to) => {
  document.title = `${say(to.meta.title)} · ${say("app.name")}`;
});
