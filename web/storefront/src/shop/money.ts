/** Money as a person reads it. */
export { formatMoney as money } from "../../../client/src/index.js";
