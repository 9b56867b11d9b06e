/** Ask before something that cannot be taken back. */
import { t } from "../texts/locale";

export function ask(question: string): Promise<boolean> {
  return new Promise((answered) => {
    uni.showModal({
      content: question,
      confirmText: t("ask.yes"),
      cancelText: t("ask.no"),
      success: ({ confirm }) => answered(confirm),
      fail: () => answered(false),
    });
  });
}
