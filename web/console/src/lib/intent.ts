import { ref, type Ref } from "vue";

import { client } from "@/api";

export interface Intent {
  key: Ref<string>;
  done: () => void;
}

/**
 * A money button's key: minted with the page, and another one only when the intent is done.
 *
 * A refusal is not remembered by the API, so what was mended goes under the same key. What may have gone through
 * unheard does too: sent again as it was, it is answered with what it made; changed, it is refused rather than made
 * a second time.
 */
export function useIntent(): Intent {
  const key = ref(client().intents.key());
  return {
    key,
    done(): void {
      key.value = client().intents.key();
    },
  };
}
