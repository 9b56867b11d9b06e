/** What the API tells, by short names. */
import type { components } from "../../../client/src/index.js";

type Schemas = components["schemas"];

export type Money = Schemas["MoneyView"];
export type Card = Schemas["CardView"];
export type Cards = Schemas["CardPage"];
export type Product = Schemas["ProductView"];
export type Sku = Schemas["SkuView"];
export type Category = Schemas["CategoryView"];
export type Merchant = Schemas["MerchantView"];
export type Cart = Schemas["CartView"];
export type CartLine = Schemas["CartLine"];
export type Address = Schemas["AddressView"];
export type AddressBody = Schemas["AddressBody"];
export type Quote = Schemas["QuoteView"];
export type Share = Schemas["ShareView"];
export type Purchase = Schemas["PurchaseView"];
export type Placed = Schemas["PlacedView"];
export type PurchaseStatus = Schemas["PurchaseStatusView"];
export type Order = Schemas["OrderView"];
export type Orders = Schemas["OrderPageView"];
export type Shipment = Schemas["ShipmentView"];
export type Payment = Schemas["PaymentView"];
export type Provider = Schemas["ProviderView"];
export type StartPayment = Schemas["StartPayment"];
export type Complaint = Schemas["ComplaintView"];
export type Reason = Schemas["FileComplaint"]["reason"];
export type Ticket = Schemas["TicketView"];
export type Upload = Schemas["NewEvidence"]["content_type"];
export type Tokens = Schemas["TokensView"];
export type Me = Schemas["MeView"];
export type Session = Schemas["SessionView"];
export type Erasure = Schemas["ErasureView"];
export type Looks = Schemas["DisclosurePageView"];
export type Look = Schemas["DisclosureView"];
export type Notice = Schemas["NoticeView"];
