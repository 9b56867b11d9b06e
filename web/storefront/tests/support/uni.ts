/** As much of `uni` as logic needs: a storage, a language, a screen. */
const kept = new Map<string, unknown>();

Object.assign(globalThis, {
  uni: {
    getStorageSync: (name: string) => kept.get(name) ?? "",
    setStorageSync: (name: string, value: unknown) => void kept.set(name, value),
    removeStorageSync: (name: string) => void kept.delete(name),
    getLocale: () => "zh-Hans",
    getSystemInfoSync: () => ({ windowWidth: 1200 }),
  },
});
