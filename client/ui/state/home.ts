import { recipeNames } from '../../../shared/recipes.ts';
import type {
  RunListItem,
  SetupProgress,
  TeletrainClient,
  WorkerReference,
} from '../../session/types.ts';
import { type Problem, problemOf } from './problem.ts';

export const homeLists = ['recipes', 'runs', 'workers'] as const;
export type HomeList = (typeof homeLists)[number];

export type WorkerState =
  | { readonly kind: 'asking' }
  | { readonly kind: 'there'; readonly info: Awaited<ReturnType<TeletrainClient['workerInfo']>> }
  | { readonly kind: 'away'; readonly problem: Problem }
  | { readonly kind: 'starting'; readonly progress: SetupProgress }
  /** Of this machine, and it could not be started. */
  | { readonly kind: 'unavailable'; readonly problem: Problem };

export interface HomeState {
  readonly list: HomeList;
  readonly chosen: Readonly<Record<HomeList, number>>;
  /** Undefined until they were read. */
  readonly runs: readonly RunListItem[] | undefined;
  readonly workers: readonly WorkerReference[] | undefined;
  readonly workerStates: ReadonlyMap<string, WorkerState>;
  readonly problem?: Problem;
}

/** What the worker of this machine is called while it is not in the list yet. */
export const localWorkerName = 'local';

export const initialHome: HomeState = {
  list: 'recipes',
  chosen: { recipes: recipeNames.indexOf('digits-pixel-rnn'), runs: 0, workers: 0 },
  runs: undefined,
  workers: undefined,
  workerStates: new Map(),
};

export const lengthOf = (home: HomeState, list: HomeList): number =>
  list === 'recipes' ? recipeNames.length : (home[list]?.length ?? 0);

export const chosenWorker = ({ workers, chosen }: HomeState): WorkerReference | undefined =>
  workers?.[chosen.workers];

/** Whether this machine may only look there: by what the worker said last, or else when they paired. */
export function isObserved({ workerStates }: HomeState, { name, role }: WorkerReference): boolean {
  const state = workerStates.get(name);
  return ((state?.kind === 'there' ? state.info.role : undefined) ?? role) === 'observe';
}

/** Moves within the list that has the keys; it does not wrap around. */
export function moveChosen(home: HomeState, by: number): HomeState {
  const last = Math.max(0, lengthOf(home, home.list) - 1);
  const at = Math.max(0, Math.min(last, home.chosen[home.list] + by));
  return { ...home, chosen: { ...home.chosen, [home.list]: at } };
}

export function turnList(home: HomeState, by: number): HomeState {
  const at = (homeLists.indexOf(home.list) + by + homeLists.length) % homeLists.length;
  return { ...home, list: homeLists[at] ?? 'recipes' };
}

/**
 * Reads runs and workers and asks each worker how it is; `change` is called as answers come. A
 * worker that does not answer is part of the answer, not an error.
 */
export async function loadHome(
  client: TeletrainClient,
  change: (update: (home: HomeState) => HomeState) => void,
): Promise<void> {
  const [runs, workers] = await Promise.allSettled([client.runs(), client.workers()]);
  change((home) => {
    const failed =
      runs.status === 'rejected'
        ? runs.reason
        : workers.status === 'rejected'
          ? workers.reason
          : undefined;
    const { problem: _, ...rest } = home;
    return {
      ...rest,
      runs: runs.status === 'fulfilled' ? runs.value : (home.runs ?? []),
      workers: workers.status === 'fulfilled' ? workers.value : (home.workers ?? []),
      ...(failed === undefined ? {} : { problem: problemOf(failed) }),
    };
  });
  if (workers.status === 'rejected') return;
  await Promise.all(
    workers.value.map(async ({ name }) => {
      const set = (state: WorkerState) =>
        change((home) => ({ ...home, workerStates: new Map(home.workerStates).set(name, state) }));
      set({ kind: 'asking' });
      try {
        set({ kind: 'there', info: await client.workerInfo(name) });
      } catch (error) {
        set({ kind: 'away', problem: problemOf(error) });
      }
    }),
  );
}
