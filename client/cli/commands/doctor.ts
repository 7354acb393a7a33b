import type { Command } from 'commander';
import { type DoctorReport, doctorReportSchema } from '../../../shared/doctor-report.ts';
import { clientFolders } from '../../session/folders.ts';
import { formatBytes } from '../../ui/formatting.ts';
import type { CommandContext } from '../context.ts';
import { programVersion } from '../installation.ts';
import { layerLines, probeHeadings, probeRows } from '../layer-text.ts';
import { engineText } from '../run-text.ts';
import { formatTable } from '../table.ts';
import { describeTerminal, type TerminalReport } from '../terminal-report.ts';
import { askWorkerProgram } from '../worker-process.ts';

export function addDoctor(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .summary('what engine, data and terminal there are')
    .description(
      'Say which engine computes here and why no better one does, what each layer is computed by, which datasets are here, and what this terminal can show.',
    )
    .option('--probe', 'only how each way to compute a layer did when the engine tried it')
    .option('--json', 'one document')
    .addHelpText(
      'after',
      `
Examples:
  teletrain doctor
  teletrain doctor --probe`,
    )
    .action(async ({ probe }: { readonly probe?: boolean }) => {
      const report = doctorReportSchema.parse(await askWorkerProgram('native/doctor'));
      const terminal = describeTerminal();
      const runs = clientFolders().runs;
      if (context.output.json) {
        context.output.document({ version: programVersion(), ...report, terminal, runs });
        return;
      }
      const lines = probe ? probeLines(report) : doctorLines(report, terminal, runs);
      for (const line of lines) context.output.line(line);
    });
}

function probeLines({ engine, engineProblem }: DoctorReport): string[] {
  if (engine === null) return [`No engine: ${engineProblem?.message ?? ''}`];
  return [engineText(engine), ...formatTable(probeHeadings, probeRows(engine.layers ?? []))];
}

function doctorLines(report: DoctorReport, terminal: TerminalReport, runs: string): string[] {
  const { engine, engineProblem, data, disk } = report;
  return [
    `teletrain   ${programVersion()}, Node ${process.versions.node}`,
    engine
      ? `engine      ${engineText(engine)}, tfjs ${engine.tfjsVersion}`
      : `engine      none: ${engineProblem?.message ?? ''} ${engineProblem?.hint ?? ''}`,
    ...(engine?.tensorflowSource
      ? [`TensorFlow  ${engine.tensorflowSource.origin} in ${engine.tensorflowSource.directory}`]
      : []),
    ...(engine ? [`processor   ${engine.cpu} (${engine.cpuFeatures.join(', ')})`] : []),
    ...(engine?.candidates ?? []).map(
      ({ name, chosen, reason }) => `  ${chosen ? '*' : '-'} ${name.padEnd(10)} ${reason}`,
    ),
    ...layerLines(engine?.layers ?? []),
    ...data.map(
      ({ dataset, folder, missing }) =>
        `data        ${dataset.padEnd(16)} ${folder ?? `not here (${missing.join(', ')}): it will be downloaded, or give --data-dir`}`,
    ),
    `disk        ${formatBytes(disk.freeBytes)} free; caches take ${formatBytes(disk.cacheBytes)} in ${disk.folder}`,
    `runs        ${runs}`,
    `terminal    ${terminal.summary}`,
  ];
}
