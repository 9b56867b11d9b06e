/** Where goods go back to, as a form fills it. */
export interface ReturnTo {
  recipient: string;
  phone: string;
  province: string;
  city: string;
  district: string;
  street: string;
}

export const nowhere = (): ReturnTo => ({ recipient: "", phone: "", province: "", city: "", district: "", street: "" });

/** What the carrier needs at least. */
export const isWhere = (to: ReturnTo): boolean => [to.recipient, to.phone, to.city, to.street].every((each) => each.trim() !== "");

const INSPECTED: readonly string[] = ["sent", "missing", "received"];

/** Whether the merchant can say what came. */
export const isToInspect = (status: string): boolean => INSPECTED.includes(status);
