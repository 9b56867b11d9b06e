import { describe, expect, it } from "vitest";
import { foreign, strip } from "../../build/plain";

describe("what is built names nobody else", () => {
  it.each([
    ["fetch('https://tongji.example.com/hit')"],
    ["new WebSocket(`wss://log.example.com`)"],
    ["a{background:url(//cdn.example.com/a.png)}"],
    ['src="//cdn.example.com/a.js"'],
    ["https://CDN.Example.COM/x"],
  ])("%s is seen", (text) => expect(foreign(text)).toHaveLength(1));

  it.each([["http://www.w3.org/2000/svg"], ["a // see example.com"], ["x=1;//comment.example.com"], ['"/v1/products"'], ["https://api.shop.example/v1"]])("%s is none", (text) =>
    expect(foreign(text, ["api.shop.example"])).toEqual([]),
  );

  it("the vendor's own are taken out", () => {
    const css = ".a{color:red}uni-tabbar .x::after{content:'';background-image:url(https://cdn.dcloud.net.cn/img/shadow-grey.png)}.b{color:blue}";
    expect(strip(css)).toBe(".a{color:red}.b{color:blue}");
    expect(foreign(strip("`https://vuejs.org/error-reference/#runtime-${n}`"))).toEqual([]);
  });
});
