/** The calls that a storefront makes, one function each. */
import type { MadeCredential, SignedCredential } from "../../../client/src/index.js";
import { api } from "./client";
import type * as Api from "./types";

const known = (): { device_token?: string } => {
  const token = api.session.device();
  return token === undefined ? {} : { device_token: token };
};

// Browsing
export const searchProducts = (q: string, cursor?: string) => api.get("/v1/search", { query: { q, limit: 24, ...(cursor ? { cursor } : {}) } });
export const listProducts = (query: { category?: string; merchant?: string; sort?: "newest" | "price_asc" | "price_desc"; cursor?: string }) => api.get("/v1/products", { query: { ...query, limit: 24 } });
export const getProduct = (product_id: string) => api.get("/v1/products/{product_id}", { path: { product_id } });
export const getCategories = () => api.get("/v1/categories");
export const getMerchant = (merchant_id: string) => api.get("/v1/merchants/{merchant_id}", { path: { merchant_id } });

// The cart: a guest's by its token, which the client keeps; a person's by theirs
export const getCart = () => api.get("/v1/cart");
export const setLine = (sku_id: string, quantity: number) => api.put("/v1/cart/lines/{sku_id}", { path: { sku_id }, body: { quantity } });
export const removeLine = (sku_id: string) => api.delete("/v1/cart/lines/{sku_id}", { path: { sku_id } });
export const mergeCart = (cart_token: string) => api.post("/v1/cart/merge", { body: { cart_token } });

// Buying
export const askQuote = (body: { address_id?: string; sku_ids?: string[] }) => api.post("/v1/quotes", { body });
export const place = (body: { quote: string; note?: string; no_return?: string[] }, key: string) => api.post("/v1/purchases", { body, key });
export const getPurchase = (purchase_id: string) => api.get("/v1/purchases/{purchase_id}", { path: { purchase_id } });
export const getPurchaseStatus = (purchase_id: string) => api.get("/v1/purchases/{purchase_id}/status", { path: { purchase_id }, tries: 1 });
export const cancelPurchase = (purchase_id: string, key: string) => api.post("/v1/purchases/{purchase_id}/cancel", { path: { purchase_id }, body: {}, key });
export const getWays = (currency: string) => api.get("/v1/payment-methods", { query: { currency } });
export const startPayment = (purchase_id: string, body: Api.StartPayment, key: string) => api.post("/v1/purchases/{purchase_id}/payments", { path: { purchase_id }, body, key });
export const listPayments = (purchase_id: string) => api.get("/v1/purchases/{purchase_id}/payments", { path: { purchase_id } });
export const checkPayment = (purchase_id: string, payment_id: string) => api.post("/v1/purchases/{purchase_id}/payments/{payment_id}/check", { path: { purchase_id, payment_id } });

// Orders
export const listOrders = (cursor?: string) => api.get("/v1/orders", { query: { limit: 20, ...(cursor ? { cursor } : {}) } });
export const getOrder = (order_id: string) => api.get("/v1/orders/{order_id}", { path: { order_id } });
export const cancelOrder = (order_id: string, key: string) => api.post("/v1/orders/{order_id}/cancel", { path: { order_id }, body: {}, key });
export const confirmReceipt = (order_id: string, key: string) => api.post("/v1/orders/{order_id}/confirm", { path: { order_id }, body: {}, key });
export const endWaiting = (order_id: string, key: string) => api.post("/v1/orders/{order_id}/end-waiting", { path: { order_id }, body: {}, key });
export const confirmParcel = (order_id: string, shipment_id: string, key: string) =>
  api.post("/v1/orders/{order_id}/shipments/{shipment_id}/received", { path: { order_id, shipment_id }, body: {}, key });
export const linkParcel = (order_id: string, shipment_id: string) =>
  api.post("/v1/orders/{order_id}/shipments/{shipment_id}/link", { path: { order_id, shipment_id }, body: {} });
export const followParcel = (token: string) => api.get("/v1/parcels/{token}", { path: { token } });
export const getVirtual = (order_id: string) => api.get("/v1/orders/{order_id}/virtual", { path: { order_id } });
export const lookAtVirtual = (order_id: string, line_id: string, key: string) => api.post("/v1/orders/{order_id}/virtual/{line_id}/look", { path: { order_id, line_id }, body: {}, key });
export const confirmVirtual = (order_id: string, line_id: string, key: string) => api.post("/v1/orders/{order_id}/virtual/{line_id}/confirm", { path: { order_id, line_id }, body: {}, key });
export const followOrder = (order_id: string) => api.get("/v1/orders/{order_id}/shipments", { path: { order_id } });

// Times of services
export const listSlots = (product_id: string, sku_id: string, since: string, until: string) => api.get("/v1/products/{product_id}/skus/{sku_id}/slots", { path: { product_id, sku_id }, query: { since, until } });
export const listBookings = (order_id: string) => api.get("/v1/orders/{order_id}/bookings", { path: { order_id } });
export const bookSlot = (order_id: string, body: { line_id: string; starts_at: string }, key: string) => api.post("/v1/orders/{order_id}/bookings", { path: { order_id }, body, key });
export const moveBooking = (order_id: string, booking_id: string, starts_at: string, key: string) => api.post("/v1/orders/{order_id}/bookings/{booking_id}/move", { path: { order_id, booking_id }, body: { starts_at }, key });
export const cancelBooking = (order_id: string, booking_id: string, key: string) => api.post("/v1/orders/{order_id}/bookings/{booking_id}/cancel", { path: { order_id, booking_id }, body: {}, key });

// Made to order
type Words = { text: string; files: string[] };
export const askForSomething = (body: Words & { product_id: string }, key: string) => api.post("/v1/requests", { body, key });
export const listRequests = () => api.get("/v1/requests", { query: { limit: 50 } });
export const getRequest = (request_id: string) => api.get("/v1/requests/{request_id}", { path: { request_id } });
export const getRequestFile = (request_id: string, file_id: string) => api.get("/v1/requests/{request_id}/files/{file_id}", { path: { request_id, file_id } });
export const sayInRequest = (request_id: string, body: Words, key: string) => api.post("/v1/requests/{request_id}/say", { path: { request_id }, body, key });
export const acceptOffer = (request_id: string, offer: number, key: string) => api.post("/v1/requests/{request_id}/accept", { path: { request_id }, body: { offer }, key });
export const withdrawRequest = (request_id: string, key: string) => api.post("/v1/requests/{request_id}/withdraw", { path: { request_id }, body: {}, key });
export const quoteRequest = (request_id: string, body: { address_id?: string }) => api.post("/v1/requests/{request_id}/quote", { path: { request_id }, body });

// Conversations, feedback, how a case was
type Utterance = { text: string; pictures: string[] };
export const listConversations = (cursor?: string) => api.get("/v1/conversations", { query: { limit: 20, ...(cursor ? { cursor } : {}) } });
export const getConversation = (conversation_id: string, cursor?: string) => api.get("/v1/conversations/{conversation_id}", { path: { conversation_id }, query: { limit: 100, ...(cursor ? { cursor } : {}) } });
export const getPicture = (conversation_id: string, number: number, picture_id: string) => api.get("/v1/conversations/{conversation_id}/entries/{number}/pictures/{picture_id}", { path: { conversation_id, number: String(number), picture_id } });
export const beginConversation = (body: Utterance & { about: Api.About; subject_id: string }, key: string) => api.post("/v1/conversations", { body, key });
export const sayInConversation = (conversation_id: string, body: Utterance, key: string) => api.post("/v1/conversations/{conversation_id}/entries", { path: { conversation_id }, body, key });
export const readConversation = (conversation_id: string, number: number) => api.post("/v1/conversations/{conversation_id}/read", { path: { conversation_id }, body: { number } });
export const callService = (conversation_id: string, key: string) => api.post("/v1/conversations/{conversation_id}/call-service", { path: { conversation_id }, body: {}, key });
export const solveConversation = (conversation_id: string, key: string) => api.post("/v1/conversations/{conversation_id}/solve", { path: { conversation_id }, body: {}, key });
export const listFeedback = () => api.get("/v1/feedback", { query: { limit: 20 } });
export const tellPlatform = (body: { kind: "fault" | "wish" | "report" | "rules" | "other"; text: string }, key: string) => api.post("/v1/feedback", { body, key });
export const closeFeedback = (feedback_id: string, key: string) => api.post("/v1/feedback/{feedback_id}/close", { path: { feedback_id }, body: {}, key });
export const objectToAnswer = (feedback_id: string, text: string, key: string) => api.post("/v1/feedback/{feedback_id}/object", { path: { feedback_id }, body: { text }, key });
export const listSurveys = () => api.get("/v1/satisfaction", { query: { limit: 20 } });
export const answerSurvey = (survey_id: string, score: number, key: string) => api.post("/v1/satisfaction/{survey_id}", { path: { survey_id }, body: { score }, key });

// What the person was told
export const listInbox = (cursor?: string) => api.get("/v1/me/inbox", { query: { limit: 20, ...(cursor ? { cursor } : {}) } });
export const readMessage = (message_id: string) => api.put("/v1/me/inbox/{message_id}/read", { path: { message_id } });
export const readAllMessages = (until: string) => api.put("/v1/me/inbox/read", { body: { until } });
export const getBrought = () => api.get("/v1/me/inbox/preferences");
export const chooseBrought = (body: Api.ChooseBrought) => api.put("/v1/me/inbox/preferences", { body });

// Complaints
type Said = { text: string; evidence?: string[] };
export const fileComplaint = (body: Said & { order_id: string; line_id: string; reason: Api.Reason; wishes: Api.Wish[] }, key: string) => api.post("/v1/complaints", { body, key });
export const listComplaints = (cursor?: string) => api.get("/v1/complaints", { query: { limit: 20, ...(cursor ? { cursor } : {}) } });
export const getComplaint = (complaint_id: string) => api.get("/v1/complaints/{complaint_id}", { path: { complaint_id } });
export const acceptAnswer = (complaint_id: string, key: string) => api.post("/v1/complaints/{complaint_id}/accept", { path: { complaint_id }, body: {}, key });
export const withdrawComplaint = (complaint_id: string, key: string) => api.post("/v1/complaints/{complaint_id}/withdraw", { path: { complaint_id }, body: {}, key });
export const escalate = (complaint_id: string, body: Said, key: string) => api.post("/v1/complaints/{complaint_id}/escalate", { path: { complaint_id }, body, key });
export const reopen = (complaint_id: string, body: Said, key: string) => api.post("/v1/complaints/{complaint_id}/reopen", { path: { complaint_id }, body, key });
export const stateInComplaint = (complaint_id: string, body: Said, key: string) => api.post("/v1/complaints/{complaint_id}/statement", { path: { complaint_id }, body, key });
export const appeal = (complaint_id: string, body: Said, key: string) => api.post("/v1/complaints/{complaint_id}/appeal", { path: { complaint_id }, body, key });
export const askForPerson = (complaint_id: string, key: string) => api.post("/v1/complaints/{complaint_id}/person", { path: { complaint_id }, body: {}, key });
export const askUpload = (body: { content_type: Api.Upload; size: number }, key: string) => api.post("/v1/complaints/evidence", { body, key });
export const getEvidence = (complaint_id: string, evidence_id: string) => api.get("/v1/complaints/{complaint_id}/evidence/{evidence_id}", { path: { complaint_id, evidence_id } });

// The person
export const getMe = () => api.get("/v1/me");
export const listAddresses = () => api.get("/v1/me/addresses");
export const addAddress = (body: Api.AddressBody, key: string) => api.post("/v1/me/addresses", { body, key });
export const putAddress = (address_id: string, body: Api.AddressBody) => api.put("/v1/me/addresses/{address_id}", { path: { address_id }, body });
export const deleteAddress = (address_id: string) => api.delete("/v1/me/addresses/{address_id}", { path: { address_id } });
export const listSessions = () => api.get("/v1/me/sessions");
export const endSession = (session_id: string) => api.delete("/v1/me/sessions/{session_id}", { path: { session_id } });
export const askErasure = () => api.put("/v1/me/erasure");
export const getErasure = () => api.get("/v1/me/erasure");
export const withdrawErasure = () => api.delete("/v1/me/erasure");
export const askArchive = () => api.put("/v1/me/archive");
export const getArchive = () => api.get("/v1/me/archive");
export const linkArchive = () => api.post("/v1/me/archive/link");
export const listConsents = () => api.get("/v1/me/consents");
export const giveConsent = (purpose: string, version: number) => api.put("/v1/me/consents/{purpose}", { path: { purpose }, body: { version, asked_at: "settings" } });
export const withdrawConsent = (purpose: string) => api.delete("/v1/me/consents/{purpose}", { path: { purpose } });
export const listPasskeys = () => api.get("/v1/me/passkeys");
export const beginPasskey = () => api.post("/v1/me/passkeys/begin");
export const addPasskey = (body: { challenge: string; credential: MadeCredential; name: string }) => api.post("/v1/me/passkeys", { body });
export const renamePasskey = (passkey_id: string, name: string) => api.post("/v1/me/passkeys/{passkey_id}", { path: { passkey_id }, body: { name } });
export const removePasskey = (passkey_id: string) => api.delete("/v1/me/passkeys/{passkey_id}", { path: { passkey_id } });
export const listDisclosures = (by: "staff" | "merchants", cursor?: string) => api.get("/v1/me/disclosures", { query: { by, limit: 20, ...(cursor ? { cursor } : {}) } });
export const getNotice = () => api.get("/v1/privacy");

// Signing in
type Solution = { challenge: string; number: string };
export const sendCode = (body: { contact: string; purpose: "sign_in" | "prove" | "verify"; solution?: Solution }, key: string) => api.post("/v1/auth/codes", { body: { ...body, ...known() }, key });
type Shown = { contact: string; code_id: string; code: string };
export const signInByCode = (body: Shown) => api.post("/v1/auth/sign-in/code", { body: { ...body, create: true, ...known() } });
export const signIn = (body: { identity: string; password: string; solution?: Solution }) => api.post("/v1/auth/sign-in", { body: { ...body, ...known() }, tries: 1 });
export const secondStep = (body: { challenge: string; code?: string; recovery_code?: string; credential?: SignedCredential }) => api.post("/v1/auth/sign-in/second-step", { body: { ...body, ...known() } });
export const beginWeb = (provider: string, body: { return_url: string; challenge: string; small?: boolean }) => api.post("/v1/auth/web/{provider}/begin", { path: { provider }, body });
export const completeWeb = (provider: string, body: { code?: string; state: string; usercancel?: string; verifier: string; return_url: string }) =>
  api.post("/v1/auth/web/{provider}/complete", { path: { provider }, body: { ...body, ...known() } });
export const signInByMini = (provider: string, js_code: string) => api.post("/v1/auth/mini/{provider}/sign-in", { path: { provider }, body: { js_code, ...known() } });
type Signed = { challenge: string; credential: SignedCredential };
export const beginPasskeySignIn = () => api.post("/v1/auth/sign-in/passkey/begin");
export const signInByPasskey = (body: Signed) => api.post("/v1/auth/sign-in/passkey", { body: { ...body, ...known() } });
export const signOut = () => api.post("/v1/auth/sign-out");
export const signOutEverywhere = () => api.post("/v1/auth/sign-out-everywhere");
export const verifyContact = (body: Shown) => api.post("/v1/me/contacts/verify", { body });
export const proveByPassword = (password: string) => api.post("/v1/auth/prove/password", { body: { password } });
export const proveByCode = (body: Shown) => api.post("/v1/auth/prove/code", { body });
export const proveByMini = (provider: string, js_code: string) => api.post("/v1/auth/prove/{provider}", { path: { provider }, body: { js_code } });
export const beginPasskeyProof = () => api.post("/v1/auth/prove/passkey/begin");
export const proveByPasskey = (body: Signed) => api.post("/v1/auth/prove/passkey", { body });
export const previewReturn = (body: Api.AskReturn) => api.post("/v1/returns/preview", { body });
export const askReturn = (body: Api.AskReturn, key: string) => api.post("/v1/returns", { body, key });
export const listReturns = (cursor?: string) => api.get("/v1/returns", { query: { limit: 20, ...(cursor ? { cursor } : {}) } });
export const getReturn = (return_id: string) => api.get("/v1/returns/{return_id}", { path: { return_id } });
export const sendReturn = (return_id: string, body: { carrier: string; tracking_number: string }, key: string) => api.post("/v1/returns/{return_id}/parcel", { path: { return_id }, body, key });
export const acceptInspection = (return_id: string, key: string) => api.post("/v1/returns/{return_id}/accept", { path: { return_id }, body: {}, key });
export const escalateReturn = (return_id: string, text: string, key: string) => api.post("/v1/returns/{return_id}/escalate", { path: { return_id }, body: { text }, key });
export const withdrawReturn = (return_id: string, key: string) => api.post("/v1/returns/{return_id}/withdraw", { path: { return_id }, body: {}, key });
