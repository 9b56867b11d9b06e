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
  page("pools", "/pools", "pools.title", () => import("@/pages/merchant/Pools.vue"), "list_pools"),
  page("goods.times", "/goods/:product_id/times", "times.title", () => import("@/pages/merchant/Times.vue"), "list_own_slots"),
  page("bookings", "/bookings", "bookings.title", () => import("@/pages/merchant/Bookings.vue"), "list_merchant_bookings"),
  page("requests", "/requests", "requests.title", () => import("@/pages/merchant/Requests.vue"), "list_merchant_requests"),
  page("requests.one", "/requests/:request_id", "requests.one", () => import("@/pages/merchant/Request.vue"), "get_merchant_request"),
  page("imports", "/imports", "imports.title", () => import("@/pages/merchant/Imports.vue"), "list_imports"),
  page("complaints", "/complaints", "complaints.title", () => import("@/pages/merchant/Complaints.vue"), "list_merchant_complaints"),
  page("complaints.one", "/complaints/:complaint_id", "complaints.title", () => import("@/pages/merchant/Complaint.vue"), "get_merchant_complaint"),
  page("returns", "/returns", "returns.title", () => import("@/pages/merchant/Returns.vue"), "list_merchant_returns"),
  page("returns.one", "/returns/:return_id", "returns.title", () => import("@/pages/merchant/Return.vue"), "get_merchant_return"),
  page("conversations", "/conversations", "talks.title", () => import("@/pages/merchant/Conversations.vue"), "list_merchant_conversations"),
  page("conversations.one", "/conversations/:conversation_id", "talks.title", () => import("@/pages/merchant/Conversation.vue"), "get_merchant_conversation"),
  page("op-conversations", "/operator/conversations", "talks.desk", () => import("@/pages/operator/Conversations.vue"), "list_operator_conversations"),
  page("op-conversations.one", "/operator/conversations/:conversation_id", "talks.desk", () => import("@/pages/operator/Conversation.vue"), "get_operator_conversation"),
  page("op-feedback", "/operator/feedback", "feedback.title", () => import("@/pages/operator/Feedback.vue"), "list_feedback"),
  page("op-complaints", "/operator/complaints", "complaints.review", () => import("@/pages/operator/Complaints.vue"), "list_operator_complaints"),
  page("op-complaints.one", "/operator/complaints/:complaint_id", "complaints.review", () => import("@/pages/operator/Complaint.vue"), "get_operator_complaint"),
  page("op-returns", "/operator/returns", "returns.review", () => import("@/pages/operator/Returns.vue"), "list_operator_returns"),
  page("op-returns.one", "/operator/returns/:return_id", "returns.review", () => import("@/pages/operator/Return.vue"), "get_operator_return"),
  page("op-payments", "/operator/payments", "payments.title", () => import("@/pages/operator/Payments.vue"), "list_waiting"),
  page("op-purchase", "/operator/purchases/:purchase_id", "payments.purchase", () => import("@/pages/operator/Purchase.vue"), "get_operator_purchase"),
  page("op-order", "/operator/orders/:order_id", "refund.new.order", () => import("@/pages/operator/Order.vue"), "get_operator_order"),
  page("op-stray", "/operator/strays/:stray_id", "stray.title", () => import("@/pages/operator/Stray.vue"), "get_stray"),
  page("op-cases", "/operator/cases", "cases.title", () => import("@/pages/operator/Cases.vue"), "list_cases"),
  page("op-cases.one", "/operator/cases/:case_id", "cases.title", () => import("@/pages/operator/Case.vue"), "get_case"),
  page("op-reconciliation", "/operator/reconciliations", "recon.title", () => import("@/pages/operator/Reconciliations.vue"), "list_reconciliations"),
  page("op-reconciliation.one", "/operator/reconciliations/:run_id", "recon.title", () => import("@/pages/operator/Reconciliation.vue"), "get_reconciliation"),
  page("op-ledger", "/operator/ledger", "ledger.title", () => import("@/pages/operator/Ledger.vue"), "get_balances"),
  page("op-merchants", "/operator/merchants", "merchants.title", () => import("@/pages/operator/Merchants.vue"), "get_merchant_as_operator"),
  page("op-merchants.one", "/operator/merchants/:merchant_id", "merchants.title", () => import("@/pages/operator/Merchants.vue"), "get_merchant_as_operator"),
  page("op-categories", "/operator/categories", "categories.title", () => import("@/pages/operator/Categories.vue"), "set_categories"),
  page("op-parcels", "/operator/tracking-numbers", "parcels.title", () => import("@/pages/operator/Parcels.vue"), "read_number"),
  page("op-roles", "/operator/roles", "roles.title", () => import("@/pages/operator/Roles.vue"), "list_role_requests"),
  page("op-audit", "/operator/audit", "audit.title", () => import("@/pages/operator/Audit.vue"), "list_audit"),
  page("sales", "/sales", "sales.title", () => import("@/pages/merchant/Sales.vue"), "list_merchant_orders"),
  page("shop", "/shop", "shop.title", () => import("@/pages/merchant/Shop.vue"), "get_profile"),
  page("staff", "/staff", "staff.title", () => import("@/pages/merchant/Staff.vue"), "list_staff"),
  page("keys", "/keys", "keys.title", () => import("@/pages/merchant/Keys.vue"), "list_keys"),
  page("webhooks", "/webhooks", "webhooks.title", () => import("@/pages/merchant/Webhooks.vue"), "list_webhooks"),
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
