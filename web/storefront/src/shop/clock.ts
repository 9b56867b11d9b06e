/** The time, once a second, as long as the page is there. */
import { onUnmounted, ref, type Ref } from "vue";

export function ticking(): Ref<number> {
  const now = ref(Date.now());
  const timer = setInterval(() => (now.value = Date.now()), 1000);
  onUnmounted(() => clearInterval(timer));
  return now;
}
