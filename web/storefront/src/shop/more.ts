/** A list that is read page by page. */
import { computed, ref, shallowRef } from "vue";
import type { Card } from "../api/types";
import { words } from "./load";
import type { Shelf } from "./shelves";

export function more(ask: (from: string | undefined) => Promise<Shelf>) {
  const cards = shallowRef<Card[]>([]);
  const next = ref<string | undefined>();
  const busy = ref(false);
  const failed = ref("");
  const asked = ref(false);
  let run = 0;

  async function read(from: string | undefined): Promise<void> {
    const mine = ++run;
    busy.value = true;
    failed.value = "";
    try {
      const page = await ask(from);
      if (mine !== run) return; // Another question was put meanwhile.
      cards.value = from === undefined ? page.cards : [...cards.value, ...page.cards];
      next.value = page.next;
      asked.value = true;
    } catch (error) {
      if (mine === run) failed.value = words(error);
    } finally {
      if (mine === run) busy.value = false;
    }
  }

  const state = computed<"loading" | "failed" | "empty" | "ready">(() => {
    if (failed.value !== "") return "failed";
    if (cards.value.length > 0) return "ready";
    return asked.value && !busy.value ? "empty" : "loading";
  });

  return {
    cards,
    busy,
    failed,
    state,
    hasMore: computed(() => next.value !== undefined),
    again: () => {
      cards.value = [];
      next.value = undefined;
      asked.value = false;
      return read(undefined);
    },
    go: () => (busy.value || next.value === undefined ? Promise.resolve() : read(next.value)),
  };
}
