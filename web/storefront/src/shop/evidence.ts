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
  /** On a page, the file itself. */
  file?: File;
}

/** Return what kind of picture a file is, by what the browser says of it, else by its name. */
export function typeOf(file: { path?: string; type?: string; name?: string }): Upload | undefined {
  const told = Object.values(TYPES).find((type) => type === file.type);
  const ending = (file.name ?? file.path ?? "").split(".").pop()?.toLowerCase() ?? "";
  return told ?? TYPES[ending];
}

const good = (type: Upload | undefined, size: number): boolean => type !== undefined && size > 0 && size <= MOST_BYTES;

// #ifdef H5
/** Take what a page's own chooser gave. */
export function picturesOf(files: ArrayLike<File>, most: number): Chosen[] {
  return Array.from(files)
    .slice(0, most)
    .map((file) => {
      const type = typeOf(file);
      if (!good(type, file.size)) throw new Error(t("evidence.refused"));
      return { path: URL.createObjectURL(file), type: type!, size: file.size, file };
    });
}
// #endif

// #ifndef H5
export function choosePictures(most: number): Promise<Chosen[]> {
  return new Promise((done, failed) => {
    uni.chooseImage({
      count: most,
      success: ({ tempFilePaths, tempFiles }) => {
        const files = tempFiles as { size: number }[];
        const chosen = files.map((file, at) => ({ path: tempFilePaths[at]!, type: typeOf({ path: tempFilePaths[at] }), size: file.size }));
        if (chosen.some((each) => !good(each.type, each.size))) failed(new Error(t("evidence.refused")));
        else done(chosen as Chosen[]);
      },
      fail: () => done([]), // The person chose nothing.
    });
  });
}
// #endif

/** Put a picture where the API says, and return the id to name it by. */
export async function upload(chosen: Chosen): Promise<string> {
  const ticket = await askUpload({ content_type: chosen.type, size: chosen.size }, api.intents.key());
  await new Promise<void>((done, failed) => {
    uni.uploadFile({
      url: ticket.url,
      filePath: chosen.path,
      ...(chosen.file === undefined ? {} : { file: chosen.file }),
      name: "file",
      formData: ticket.fields,
      success: ({ statusCode }) => (statusCode >= 200 && statusCode < 300 ? done() : failed(new Error(t("evidence.failed")))),
      fail: () => failed(new Error(t("evidence.failed"))),
    });
  });
  return ticket.evidence_id;
}
