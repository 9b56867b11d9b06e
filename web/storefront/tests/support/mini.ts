/**
 * A built mini program, run as its platform runs it: its JavaScript in a realm that has nothing but the language (no `fetch`,
 * `URLSearchParams`, `AbortController`, `Intl`), a platform object that says what it was asked, and its templates rendered.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import vm from "node:vm";

const need = createRequire(import.meta.url);
const exparser = need("miniprogram-exparser") as { Event: { create(name: string, detail: object, options: object): object; dispatchEvent(target: object, event: object): void } };
const jComponent = need("j-component") as {
  register(definition: object): string;
  create(id: string, properties?: object): Rendered;
};

interface Node {
  dom: HTMLElement;
  instance: { data: Record<string, unknown> };
  dispatchEvent(name: string, options?: object): void;
  querySelectorAll(selector: string): Node[];
}
interface Rendered extends Node {
  attach(parent: object): void;
  detach(): void;
}

export interface Asked {
  method: string;
  path: string;
  header: Record<string, string>;
  body: unknown;
}
export type Answering = (asked: Asked) => { status: number; body: unknown } | undefined;

type Options = Record<string, unknown> & { methods?: Record<string, (...values: unknown[]) => unknown>; lifetimes?: Record<string, (this: unknown) => void> };

export const TARGETS = [
  { target: "mp-qq", global: "qq", template: ".qml", prefix: "qq:", style: ".qss" },
  { target: "mp-weixin", global: "wx", template: ".wxml", prefix: "wx:", style: ".wxss" },
] as const;
export type Target = (typeof TARGETS)[number];

/** What draws the platform's own parts here. */
const ELEMENTS = { view: "div", text: "span", image: "img", "scroll-view": "div", navigator: "a" };

export const folderOf = (target: Target): string => resolve(import.meta.dirname, "../../dist", target.target);

export class MiniProgram {
  readonly asked: Asked[] = [];
  readonly gone: string[] = [];
  readonly called: { name: string; options: Record<string, unknown> }[] = [];
  readonly storage = new Map<string, unknown>();
  private readonly modules = new Map<string, { exports: unknown }>();
  private readonly components = new Map<string, string>();
  private readonly folder: string;
  private readonly context: vm.Context;
  private loading = "";
  private registered: Options | undefined;
  private app: { $vm?: unknown; onLaunch?: (options: object) => void } = {};

  constructor(
    private readonly target: Target,
    private readonly answer: Answering,
    private readonly system: Record<string, unknown> = {},
  ) {
    this.folder = folderOf(target);
    if (!existsSync(join(this.folder, "app.js"))) throw new Error(`${target.target} is not built: npm run build`);
    const platform = this.platform();
    this.context = vm.createContext({
      console,
      setTimeout,
      clearTimeout,
      setInterval,
      clearInterval,
      [target.global]: platform,
      App: (options: object) => Object.assign(this.app, options),
      Page: (options: Options) => (this.registered = options),
      Component: (options: Options) => (this.registered = options),
      Behavior: (options: object) => options,
      getApp: () => this.app,
      getCurrentPages: () => [],
    });
    // A new realm of this engine has more than those of the platforms: what they lack is taken away.
    vm.runInContext("delete globalThis.Intl; delete globalThis.WebAssembly; globalThis.global = globalThis;", this.context);
    this.require("app.js");
    this.app.onLaunch?.call(this.app, { path: "", query: {} });
  }

  /** What this realm lacks, as its code sees it. */
  lacks(...names: string[]): boolean {
    return names.every((name) => vm.runInContext(`typeof ${name}`, this.context) === "undefined");
  }

  /** Open a page and render it; `query` is what it is opened with. */
  open(path: string, query: Record<string, string> = {}): Rendered {
    const page = jComponent.create(this.component(path, true), {});
    const parent = document.createElement("div");
    page.attach(parent);
    const instance = page.instance as unknown as Record<string, (value?: unknown) => void>;
    instance.onLoad!(query);
    instance.onShow?.();
    return page;
  }

  private component(path: string, isPage = false): string {
    const known = this.components.get(path);
    if (known !== undefined) return known;
    const config = JSON.parse(readFileSync(join(this.folder, `${path}.json`), "utf8")) as { usingComponents?: Record<string, string> };
    const using: Record<string, string> = {};
    for (const [name, at] of Object.entries(config.usingComponents ?? {})) {
      using[name] = this.component(at.startsWith("/") ? at.slice(1) : join(dirname(path), at));
    }
    this.registered = undefined;
    this.require(`${path}.js`);
    const options = this.registered as Options | undefined;
    if (options === undefined) throw new Error(`${path} registers nothing`);
    const created = options.created as ((this: unknown) => void) | undefined;
    options.created = function (this: { setData(data: unknown, then?: () => void): void }) {
      const set = this.setData;
      this.setData = (data, then) => set.call(this, ours(data), then); // The renderer asks whether lists are its own realm's.
      created?.call(this);
    };
    const attached = options.lifetimes?.attached;
    if (isPage && attached !== undefined) {
      options.lifetimes!.attached = function (this: unknown) {
        (this as { route: string }).route = path;
        attached.call(this);
      };
    }
    const template = this.template(path, options);
    const id = jComponent.register({ ...options, tagName: path.split("/").pop()!, path: `/${path}`, template, usingComponents: using });
    this.components.set(path, id);
    return id;
  }

  /**
   * Return a template as the renderer knows it: with elements for the platform's own parts, and with handlers found when they
   * are called, for their names are data here.
   */
  private template(path: string, options: Options): string {
    let text = readFileSync(join(this.folder, path + this.target.template), "utf8").replaceAll(this.target.prefix, "wx:");
    for (const [own, element] of Object.entries(ELEMENTS)) text = text.replace(new RegExp(`(</?)${own}(?=[\\s/>])`, "g"), `$1${element}`);
    options.methods ??= {};
    return text.replace(/\sbind:?(\w+)="\{\{([^}]+)\}\}"/g, (_, name: string, handler: string) => {
      const kept = `h${name.toLowerCase()}`;
      options.methods![kept] = function (this: Record<string, (event: unknown) => unknown>, event) {
        const { dataset } = (event as { currentTarget: { dataset: Record<string, string> } }).currentTarget;
        return this[dataset[kept]!]?.(event);
      };
      return ` bind${name}="${kept}" data-${kept}="{{${handler}}}"`;
    });
  }

  private require(path: string): unknown {
    const known = this.modules.get(path);
    if (known !== undefined) return known.exports;
    const module = { exports: {} as unknown };
    this.modules.set(path, module);
    const code = readFileSync(join(this.folder, path), "utf8");
    const run = vm.runInContext(`(function (require, module, exports) {${code}\n})`, this.context, { filename: path }) as (
      require: (name: string) => unknown,
      module: object,
      exports: unknown,
    ) => void;
    run((name) => this.require(join(dirname(path), name)), module, module.exports);
    return module.exports;
  }

  private platform(): Record<string, unknown> {
    const told = (name: string) => (options: Record<string, unknown> = {}) => {
      this.called.push({ name, options });
      (options.success as ((value: object) => void) | undefined)?.(this.system[name] as object ?? {});
    };
    const navigating = (name: string) => (options: { url: string; success?: () => void }) => {
      this.gone.push(`${name} ${options.url}`);
      options.success?.();
    };
    return {
      request: (options: Parameters<MiniProgram["requested"]>[0]) => this.requested(options),
      navigateTo: navigating("navigateTo"),
      redirectTo: navigating("redirectTo"),
      switchTab: navigating("switchTab"),
      reLaunch: navigating("reLaunch"),
      navigateBack: () => this.gone.push("navigateBack"),
      getStorageSync: (name: string) => this.storage.get(name) ?? "",
      setStorageSync: (name: string, value: unknown) => void this.storage.set(name, value),
      removeStorageSync: (name: string) => void this.storage.delete(name),
      getSystemInfoSync: () => ({ language: "zh_CN", platform: "devtools", windowWidth: 390, windowHeight: 800, SDKVersion: "3.0.0", ...this.system }),
      getWindowInfo: () => ({ windowWidth: 390, windowHeight: 800 }),
      getAppBaseInfo: () => ({ language: "zh_CN", SDKVersion: "3.0.0" }),
      getDeviceInfo: () => ({ platform: "devtools" }),
      getLaunchOptionsSync: () => ({ path: "", query: {}, scene: 1001 }),
      getEnterOptionsSync: () => ({ path: "", query: {}, scene: 1001 }),
      getAccountInfoSync: () => ({ miniProgram: { appId: "test" } }),
      canIUse: () => true,
      onAppShow: () => undefined,
      onAppHide: () => undefined,
      setNavigationBarTitle: told("setNavigationBarTitle"),
      setTabBarItem: told("setTabBarItem"),
      showToast: told("showToast"),
      showModal: told("showModal"),
      login: told("login"),
      requestPayment: told("requestPayment"),
      chooseImage: told("chooseImage"),
      uploadFile: told("uploadFile"),
      nextTick: (work: () => void) => void Promise.resolve().then(work),
    };
  }

  private requested(options: { url: string; method?: string; header: Record<string, string>; data?: string; success: (answer: object) => void; fail: (error: object) => void }): object {
    const asked: Asked = { method: options.method ?? "GET", path: options.url, header: { ...options.header }, body: options.data === undefined ? undefined : JSON.parse(options.data) };
    this.asked.push(asked);
    const answer = this.answer(asked);
    setTimeout(() => {
      if (answer === undefined) options.fail({ errMsg: "request:fail" });
      else options.success({ statusCode: answer.status, header: { "Content-Type": "application/json" }, data: JSON.stringify(answer.body) });
    }, 0);
    return {};
  }
}

function ours(value: unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, ours);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, ours(each)]));
}

/** Wait until something is so. */
export async function until(so: () => boolean, what: string): Promise<void> {
  for (let tried = 0; tried < 200; tried += 1) {
    if (so()) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`it never was so: ${what}`);
}

/** Return the elements whose text shows the words, the innermost ones first. */
export function showing(page: Node, words: string): HTMLElement[] {
  return [...page.dom.querySelectorAll<HTMLElement>("*")].filter((element) => element.textContent?.includes(words)).reverse();
}

/** Let something happen to an element, as the platform tells it: a tap, an input with its value. */
export function happen(element: HTMLElement | undefined, name = "tap", detail: object = {}): void {
  let at: HTMLElement | null | undefined = element;
  while (at && !(at as { __wxElement?: object }).__wxElement) at = at.parentElement;
  if (!at) throw new Error(`there is nothing for a ${name}`);
  const told = exparser.Event.create(name, detail, { bubbles: true, capturePhase: true, composed: true });
  exparser.Event.dispatchEvent((at as unknown as { __wxElement: object }).__wxElement, told);
}
