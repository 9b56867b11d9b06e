/** Handing a page's address on: by the device's own sheet, else by the clipboard. Mini programs have a button of their own. */
import { t } from "../texts/locale";
import { target, type Place, type Query } from "./ways";

export async function share(title: string, place: Place, query: Query): Promise<void> {
  const url = location.origin + location.pathname + "#" + target(place, query);
  if (navigator.share !== undefined) {
    await navigator.share({ title, url }).catch(() => undefined); // The person thought better of it.
    return;
  }
  await navigator.clipboard.writeText(url);
  uni.showToast({ title: t("share.copied"), icon: "none" });
}
