/** The menu: each place with the operation that opens it. What the person may not call, they do not see. */
import type { Operation } from "@/policy";

export interface Place {
  name: string;
  text: string;
  icon: string;
  needs?: Operation;
}

export interface Group {
  text: string;
  side: "merchant" | "operator" | "me";
  places: Place[];
  /** What has its place here and no page yet: nothing is shown of it. */
  later?: string[];
}

export const MENU: readonly Group[] = [
  {
    text: "menu.group.sell",
    side: "merchant",
    places: [
      { name: "orders", text: "menu.orders", icon: "box", needs: "list_merchant_orders" },
      { name: "goods", text: "menu.goods", icon: "tag", needs: "list_own_products" },
      { name: "pools", text: "menu.pools", icon: "key", needs: "list_pools" },
      { name: "imports", text: "menu.imports", icon: "upload", needs: "list_imports" },
      { name: "bookings", text: "menu.bookings", icon: "check", needs: "list_merchant_bookings" },
      { name: "requests", text: "menu.requests", icon: "tag", needs: "list_merchant_requests" },
      { name: "complaints", text: "menu.complaints", icon: "chat", needs: "list_merchant_complaints" },
      { name: "returns", text: "menu.returns", icon: "box", needs: "list_merchant_returns" },
      { name: "conversations", text: "talks.title", icon: "chat", needs: "list_merchant_conversations" },
      { name: "sales", text: "menu.sales", icon: "chart", needs: "list_merchant_orders" },
    ],
    later: ["coupons"],
  },
  {
    text: "menu.group.shop",
    side: "merchant",
    places: [
      { name: "shop", text: "menu.shop", icon: "shop", needs: "get_profile" },
      { name: "staff", text: "menu.staff", icon: "people", needs: "list_staff" },
      { name: "keys", text: "keys.title", icon: "key", needs: "list_keys" },
      { name: "webhooks", text: "webhooks.title", icon: "key", needs: "list_webhooks" },
    ],
    later: ["licences", "statements", "credit"],
  },
  {
    text: "menu.group.work",
    side: "operator",
    places: [
      { name: "op-complaints", text: "menu.op.complaints", icon: "scales", needs: "list_operator_complaints" },
      { name: "op-returns", text: "menu.op.returns", icon: "box", needs: "list_operator_returns" },
      { name: "op-conversations", text: "talks.desk", icon: "chat", needs: "list_operator_conversations" },
      { name: "op-feedback", text: "feedback.title", icon: "people", needs: "list_feedback" },
      { name: "op-payments", text: "menu.op.payments", icon: "queue", needs: "list_waiting" },
      { name: "op-cases", text: "menu.op.cases", icon: "case", needs: "list_cases" },
    ],
    later: ["licence reviews", "sanctions"],
  },
  {
    text: "menu.group.money",
    side: "operator",
    places: [
      { name: "op-reconciliation", text: "menu.op.reconciliation", icon: "check", needs: "list_reconciliations" },
      { name: "op-ledger", text: "menu.op.ledger", icon: "book", needs: "get_balances" },
    ],
    later: ["settlement"],
  },
  {
    text: "menu.group.platform",
    side: "operator",
    places: [
      { name: "op-merchants", text: "menu.op.merchants", icon: "shop", needs: "get_merchant_as_operator" },
      { name: "op-categories", text: "menu.op.categories", icon: "tree", needs: "set_categories" },
      { name: "op-parcels", text: "menu.op.parcels", icon: "truck", needs: "read_number" },
      { name: "op-roles", text: "menu.op.roles", icon: "people", needs: "list_role_requests" },
      { name: "op-audit", text: "menu.op.audit", icon: "eye", needs: "list_audit" },
    ],
    later: ["rules"],
  },
  {
    text: "menu.group.me",
    side: "me",
    places: [
      { name: "me", text: "menu.me", icon: "person" },
      { name: "security", text: "menu.security", icon: "lock" },
    ],
  },
];
