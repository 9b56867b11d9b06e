/// <reference types="@dcloudio/types" />
/// <reference types="vite/client" />

declare const __API__: string;

declare module "*.vue" {
  import type { DefineComponent } from "vue";
  const component: DefineComponent<object, object, unknown>;
  export default component;
}
