import { readonly, ref } from "vue";

const moment = ref(Date.now());
setInterval(() => (moment.value = Date.now()), 30_000);

/** The time by which deadlines are shown; it goes on by itself. */
export const now = readonly(moment);
