import { readFile, writeFile } from 'node:fs/promises';

/**
 * How much each process grows while something is done, in bytes: the most that it held, less what it
 * held before. NaN where the system does not tell (it does on Linux).
 */
export async function growths(
  processes: Readonly<Record<string, number>>,
  work: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const all = Object.entries(processes);
  const before = await Promise.all(all.map(([, pid]) => held(pid, 'VmRSS', true)));
  await work();
  const most = await Promise.all(all.map(([, pid]) => held(pid, 'VmHWM')));
  return Object.fromEntries(
    all.map(([name], place) => [name, (most[place] ?? Number.NaN) - (before[place] ?? Number.NaN)]),
  );
}

/** @param startAnew the most that was held so far is forgotten. */
async function held(pid: number, field: 'VmRSS' | 'VmHWM', startAnew = false): Promise<number> {
  try {
    if (startAnew) await writeFile(`/proc/${pid}/clear_refs`, '5');
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}
