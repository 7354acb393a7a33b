import { isFinal } from '../../../shared/events.ts';
import type { RunView } from '../../session/types.ts';
import type { Command } from '../keys/binding.ts';
import type { Screen } from './dashboard.ts';
import { chosenWorker, type HomeState, isObserved } from './home.ts';

/** Commands that a worker would refuse this machine now: neither footer nor help offers them. */
export function refusedKeys({ screen, home }: { screen: Screen; home: HomeState }): Command[] {
  if (screen.kind === 'run') return refusedInRun(screen.feed.view);
  return screen.kind === 'home' ? refusedAtHome(home) : [];
}

export function refusedInRun({ access, state }: RunView): Command[] {
  if (access?.role !== 'observe') return [];
  const changes: Command[] = ['run.stop', 'run.patience', 'run.epochs'];
  // One that is over can go on elsewhere.
  return isFinal(state) ? changes : [...changes, 'run.pauseOrResume'];
}

export function refusedAtHome(home: HomeState): Command[] {
  const chosen = home.list === 'workers' ? chosenWorker(home) : undefined;
  const asked = chosen ? [chosen] : (home.workers ?? []);
  return asked.length > 0 && asked.every((worker) => isObserved(home, worker))
    ? ['home.stopWorker']
    : [];
}
