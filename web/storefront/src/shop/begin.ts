/** What happens once when the app starts. */
import { readCart } from "./cart";
import { target } from "./ways";
// #ifndef H5
import { watch } from "vue";
import { locale, t } from "../texts/locale";
import { tabs } from "./ways";
// #endif
// #ifdef H5
import { takeReturned } from "./entry";
// #endif

export function begin(): void {
  readCart().catch(() => undefined); // The count in the menu; the cart's own page says what went wrong.
  // #ifndef H5
  watch(locale, nameTabs, { immediate: true });
  // #endif
  // #ifdef H5
  keepSeen();
  const paid = /[?&]paid=([a-z0-9_]+)/.exec(location.search)?.[1];
  if (takeReturned()) uni.reLaunch({ url: target("sign-in", { returned: 1 }) });
  else if (paid !== undefined) {
    history.replaceState(history.state, "", location.pathname + location.hash);
    uni.reLaunch({ url: target("pay", { id: paid }) });
  }
  // #endif
}

// #ifdef H5
/** Let a worker keep what was seen, for when there is no network. Where none is allowed, nothing is kept. */
function keepSeen(): void {
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("./offline.js").catch(() => undefined);
}
// #endif

// #ifndef H5
/** A mini program's own bar of tabs is told its names. */
export function nameTabs(): void {
  void locale.value;
  tabs.forEach((tab, index) => uni.setTabBarItem({ index, text: t(tab.name) }));
}
// #endif
