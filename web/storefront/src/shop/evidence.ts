/** Pictures that go with a complaint: chosen, asked a place for, and put there. */
import { askUpload } from "../api/calls";
import { api } from "../api/client";
import type { Upload } from "../api/types";
import { t } from "../texts/locale";

export const MOST = 6;
const MOST_BYTES = 20_971_520;
const TYPES: Record<string, Upload> = { jpg: "image/jpeg", jpeg: "image/jpeg", png: "image/png", webp: "image/webp" };

export interface Chosen {
  path: string;
  type: Upload;
  size: number;
}

/** Return what kind of picture a file is, by what the browser says of it, else by its name. */
export function typeOf(file: { path?: string; type?: string; name?: string }): Upload | undefined {
  const told = Object.values(TYPES).find((type) => type === file.type);
  const ending = (file.name ?? file.path ?? "").split(".").pop()?.toLowerCase() ?? "";
  return told ?? TYPES[ending];
}

export function choosePictures(most: number): Promise<Chosen[]> {
  return new Promise((done, failed) => {
    uni.chooseImage({
      count: most,
      success: ({ tempFilePaths, tempFiles }) => {
        const files = tempFiles as { path?: string; size: number; type?: string; name?: string }[];
        const chosen = files.map((file, at) => ({ path: tempFilePaths[at]!, type: typeOf({ ...file, path: tempFilePaths[at], type: file.type, name: file.name }), size: file.size }));
        if (chosen.some((each) => each.type === undefined || each.size > MOST_BYTES)) failed(new Error(t("evidence.refused")));
        else done(chosen as Chosen[]);
      },
      fail: () => done([]), // The person chose nothing.
    });
  });
}

/** Put a picture where the API says, and return the id to name it by. */
export async function upload(chosen: Chosen): Promise<string> {
  const ticket = await askUpload({ content_type: chosen.type, size: chosen.size }, api.intents.key());
  await new Promise<void>((done, failed) => {
    uni.uploadFile({
      url: ticket.url,
      filePath: chosen.path,
      name: "file",
      formData: ticket.fields,
      success: ({ statusCode }) => (statusCode >= 200 && statusCode < 300 ? done() : failed(new Error(t("evidence.failed")))),
      fail: () => failed(new Error(t("evidence.failed"))),
    });
  });
  return ticket.evidence_id;
}
