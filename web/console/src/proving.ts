/** One place that asks a person to prove again who they are, whichever call wanted it. */
import { reactive } from "vue";

import { signWithPasskey } from "../../client/src/index.js";

import { call, client } from "@/api";
import { membersOf, type Refusal } from "@/api/problem";

interface Wish {
  methods: string[];
  done: (proved: boolean) => void;
}

export const proving = reactive<{ wish: Wish | undefined }>({ wish: undefined });

let running: Promise<boolean> | undefined;

/** Ask once, however many calls want it at the same moment. */
export function prove(refusal: Refusal): Promise<boolean> {
  running ??= new Promise<boolean>((resolve) => {
    proving.wish = {
      methods: membersOf(refusal).methods ?? ["password"],
      done(proved) {
        proving.wish = undefined;
        running = undefined;
        resolve(proved);
      },
    };
  });
  return running;
}

export async function byPassword(password: string): Promise<void> {
  client().session.proved(await call("prove_by_password", { body: { password } }));
}

export async function byApp(code: string): Promise<void> {
  client().session.proved(await call("prove_by_totp", { body: { code } }));
}

export async function byPasskey(): Promise<void> {
  const { challenge, public_key } = await call("begin_passkey_proof");
  const credential = await signWithPasskey(public_key);
  client().session.proved(await call("prove_by_passkey", { body: { challenge, credential } }));
}
