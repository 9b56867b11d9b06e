/** How a purchase can be paid here: which of the installation's ways this kind of device can go, and each one's own call. */
import type { Payment, Provider } from "../api/types";
import { said, t } from "../texts/locale";
import { platform } from "./entry";

export interface Way {
  provider: string;
  method: string;
  action: "redirect" | "qr" | "params";
  needs: string[];
  name: string;
  testOnly: boolean;
}

export type Device = "wide" | "phone" | "qq_mini" | "wechat_mini";

/**
 * Which methods a device can go. On a page, what needs a vendor's own script is left out, for nothing is loaded from elsewhere:
 * Stripe's fields on the page, WeChat's and QQ's bridges. Inside a mini program there is one way, its platform's.
 */
const GOES: Record<Device, Record<string, readonly string[]>> = {
  wide: { wechatpay: ["native"], alipay: ["page", "qr"], qqwallet: ["native"], stripe: ["checkout"], sandbox: ["page", "qr"] },
  phone: { wechatpay: ["h5"], alipay: ["wap"], stripe: ["checkout"], sandbox: ["page"] },
  qq_mini: { qqwallet: ["miniapp"] },
  wechat_mini: { wechatpay: ["mini"] },
};

export function device(): Device {
  return platform() ?? (uni.getSystemInfoSync().windowWidth < 700 ? "phone" : "wide");
}

/** The order in which most people here look for them; what only tests take stands last. */
const USUAL = ["wechatpay", "qqwallet", "alipay", "stripe"];
const rank = ({ provider, testOnly }: Way): number => (testOnly ? USUAL.length + 1 : USUAL.includes(provider) ? USUAL.indexOf(provider) : USUAL.length);

export function ways(offered: Provider[], on: Device): Way[] {
  const found = offered.flatMap((provider) =>
    provider.methods
      .filter((method) => GOES[on][provider.provider]?.includes(method.method))
      .map((method) => ({
        provider: provider.provider,
        method: method.method,
        action: method.action,
        needs: method.needs,
        name: `${said(provider.titles)} · ${said(method.titles)}`,
        testOnly: provider.test_only,
      })),
  );
  return found.sort((one, other) => rank(one) - rank(other));
}

/** What became of showing somebody how to pay. Whether it is paid, only the API knows. */
export type Shown = "left" | "code" | "closed" | "unclear";

type Instruction = NonNullable<Payment["instruction"]>;

/** Carry an attempt's instruction out. A code to scan is the page's to draw. */
export async function carryOut(told: Instruction): Promise<Shown> {
  if (told.action === "qr") return "code";
  if (told.action === "params") return request(told.params ?? {});
  // #ifdef H5
  if (told.url !== undefined) {
    location.assign(told.url);
    return "left";
  }
  // #endif
  throw new Error(t("pay.cannot_here"));
}

/** Call the platform's own sheet. "Cancelled" is all that it can be believed: "paid" is asked of the API. */
function request(params: Record<string, string>): Promise<Shown> {
  return new Promise((done) => {
    uni.requestPayment({
      ...(params as unknown as UniNamespace.RequestPaymentOptions),
      success: () => done("unclear"),
      fail: ({ errMsg }: { errMsg?: string }) => done(/cancel/.test(errMsg ?? "") ? "closed" : "unclear"),
    });
  });
}
