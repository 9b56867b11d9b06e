import "element-plus/es/components/message/style/css";
import "element-plus/es/components/message-box/style/css";
import "@/style.css";

import { createApp } from "vue";

import App from "@/App.vue";
import { client, configure, onOtherTab } from "@/api";
import { chooseLanguage, i18n, language } from "@/i18n";
import { prove } from "@/proving";
import { router } from "@/router";
import { clear, load, session } from "@/session";

configure({
  base: document.querySelector<HTMLMetaElement>('meta[name="biandan-api"]')?.content ?? "",
  language: () => (language() === "zh" ? "zh-CN" : "en"),
  merchantId: () => session.merchantId,
  prove,
  over() {
    clear();
    void router.push({ name: "sign-in", query: { over: "1", next: router.currentRoute.value.fullPath } });
  },
  factorNeeded() {
    void router.push({ name: "security", query: { must: "1" } });
  },
});
onOtherTab(() => {
  if (client().session.account() === undefined) {
    clear();
    void router.push({ name: "sign-in" });
  } else if (session.me === undefined) {
    void load().then(() => router.push({ name: "home" }));
  }
});
chooseLanguage(language());
createApp(App).use(i18n).use(router).mount("#app");
