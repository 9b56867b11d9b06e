import { ref, type Ref } from "vue";

interface Page<Item> {
  items: Item[];
  next_cursor?: string;
}

export interface Paged<Item> {
  items: Ref<Item[]>;
  loading: Ref<boolean>;
  problem: Ref<unknown>;
  more: Ref<boolean>;
  reload: () => Promise<void>;
  next: () => Promise<void>;
}

/** A list that comes page by page. What comes too late, for a question no longer asked, is dropped. */
export function usePages<Item>(read: (cursor?: string) => Promise<Page<Item>>): Paged<Item> {
  const items = ref<Item[]>([]) as Ref<Item[]>;
  const loading = ref(false);
  const problem = ref<unknown>();
  const more = ref(false);
  let cursor: string | undefined;
  let turn = 0;

  async function page(fresh: boolean): Promise<void> {
    const mine = ++turn;
    loading.value = true;
    problem.value = undefined;
    try {
      const found = await read(fresh ? undefined : cursor);
      if (mine !== turn) return;
      items.value = fresh ? found.items : [...items.value, ...found.items];
      cursor = found.next_cursor;
      more.value = cursor !== undefined;
    } catch (error) {
      if (mine === turn) problem.value = error;
    } finally {
      if (mine === turn) loading.value = false;
    }
  }
  return { items, loading, problem, more, reload: () => page(true), next: () => page(false) };
}

export interface Task<Arguments extends unknown[]> {
  busy: Ref<boolean>;
  problem: Ref<unknown>;
  run: (...given: Arguments) => Promise<boolean>;
}

/** Something a button does: busy while it runs, with what went wrong; a second click meanwhile does nothing. */
export function useTask<Arguments extends unknown[]>(work: (...given: Arguments) => Promise<unknown>): Task<Arguments> {
  const busy = ref(false);
  const problem = ref<unknown>();
  return {
    busy,
    problem,
    async run(...given) {
      if (busy.value) return false;
      busy.value = true;
      problem.value = undefined;
      try {
        await work(...given);
        return true;
      } catch (error) {
        problem.value = error;
        return false;
      } finally {
        busy.value = false;
      }
    },
  };
}
