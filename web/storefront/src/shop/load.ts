/** A page's data: loading, there, or refused with words for it. */
import { ref, shallowRef, type Ref, type ShallowRef } from "vue";
import { NoAnswer, Refusal } from "../api/client";
import { NoPasskey } from "../../../client/src/index.js";
import { t } from "../texts/locale";

export interface Loaded<T> {
  data: ShallowRef<T | undefined>;
  failed: Ref<string>;
  busy: Ref<boolean>;
  again: () => Promise<void>;
}

/** Return what to say to a person about something that went wrong. */
export function words(error: unknown): string {
  if (error instanceof Refusal) return error.problem.detail || t("state.refused");
  if (error instanceof NoPasskey) return t(`passkeys.${error.why}`);
  if (error instanceof NoAnswer || !(error instanceof Error)) return t("state.unreachable");
  return error.message;
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Refusal ? error.code : undefined;
}

export function load<T>(ask: () => Promise<T>): Loaded<T> {
  const data = shallowRef<T | undefined>();
  const failed = ref("");
  const busy = ref(false);
  let run = 0;
  async function again(): Promise<void> {
    const mine = ++run;
    busy.value = true;
    failed.value = "";
    try {
      const told = await ask();
      if (mine === run) data.value = told;
    } catch (error) {
      if (mine === run) failed.value = words(error);
    } finally {
      if (mine === run) busy.value = false;
    }
  }
  return { data, failed, busy, again };
}

/** Do something that a person pressed for, once at a time; say what went wrong. */
export function doing(): { busy: Ref<boolean>; failed: Ref<string>; run: (what: () => Promise<void>) => Promise<void> } {
  const busy = ref(false);
  const failed = ref("");
  async function run(what: () => Promise<void>): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    failed.value = "";
    try {
      await what();
    } catch (error) {
      failed.value = words(error);
    } finally {
      busy.value = false;
    }
  }
  return { busy, failed, run };
}
