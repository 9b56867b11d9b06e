/**
 * A page's own elements. The compiler replaces `<input>`, `<button>`, `<form>`, `<label>` and `<img>` in templates by parts
 * that look the same everywhere but mean nothing to a keyboard or a screen reader; what is made here stays what it is.
 * Only pages use this: mini programs have no elements.
 */
import { h, type FunctionalComponent } from "vue";

const element = (tag: string): FunctionalComponent => {
  const made: FunctionalComponent = (_, { attrs, slots }) => h(tag, attrs, slots.default?.());
  made.inheritAttrs = false;
  return made;
};

export const HtmlA = element("a");
export const HtmlButton = element("button");
export const HtmlForm = element("form");
export const HtmlImg = element("img");
export const HtmlInput = element("input");
export const HtmlLabel = element("label");
export const HtmlTextarea = element("textarea");
