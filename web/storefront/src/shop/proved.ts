/** What wants a fresh proof: ask for one where it is refused for that, and do it then. */
import { ref, type Ref } from "vue";
import { Refusal } from "../api/client";

export interface Proving {
  /** The ways of proving to ask for; undefined while none is wanted. */
  proofs: Ref<string[] | undefined>;
  /** What to go on with when it is proved. */
  refused: Ref<() => Promise<void>>;
  proved: (what: () => Promise<void>) => Promise<void>;
}

export function proving(): Proving {
  const proofs = ref<string[]>();
  const refused = ref<() => Promise<void>>(async () => undefined);
  async function proved(what: () => Promise<void>): Promise<void> {
    try {
      await what();
      proofs.value = undefined;
    } catch (error) {
      if (!(error instanceof Refusal && error.is("fresh_proof_needed"))) throw error;
      proofs.value = (error.problem["methods"] as string[] | undefined) ?? [];
      refused.value = () => proved(what);
    }
  }
  return { proofs, refused, proved };
}
