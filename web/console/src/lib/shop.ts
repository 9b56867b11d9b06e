import type { BodyOf, View } from "@/api/types";

export interface ShopDraft {
  description: string;
  logo: string;
  freight: number | undefined;
  free_from: number | undefined;
  person: string;
  phone: string;
  email: string;
}

export function shopDraft(shop?: View<"ProfileView">): ShopDraft {
  return {
    description: shop?.description ?? "",
    logo: shop?.logo ?? "",
    freight: shop?.freight.minor,
    free_from: shop?.free_freight_from?.minor,
    person: shop?.contact.person ?? "",
    phone: shop?.contact.phone ?? "",
    email: shop?.contact.email ?? "",
  };
}

export function shopBody(draft: ShopDraft, currency: string): BodyOf<"change_profile"> & { freight: { minor: number; currency: string }; contact: { person: string } } {
  return {
    description: draft.description,
    logo: draft.logo.trim() || null,
    freight: { minor: draft.freight ?? 0, currency },
    free_freight_from: draft.free_from === undefined ? null : { minor: draft.free_from, currency },
    contact: { person: draft.person.trim(), phone: draft.phone.trim() || null, email: draft.email.trim() || null },
  };
}
