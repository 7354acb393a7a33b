import type { EngineReport } from '../../../shared/engine-report.ts';
import { isFinal } from '../../../shared/events.ts';
import { formatBytes, formatCount, formatPercent } from '../formatting.ts';
import type { Look } from '../style/look.ts';
import { type Line, paintLine, type Row } from '../text/line.ts';
import { bar, type Pane } from './pane.ts';

/** What computes: the engine, and how busy and how full the machine is. */
export const systemPane: Pane = ({ view, ui, look }, { width }) => {
  const focused = ui.pane === 'system';
  // Of a run that is over, the last gauges are no longer true.
  const gauges = isFinal(view.state) ? undefined : view.status?.gauges;
  const rows: Row[] = [];
  const line = (content: Line) => rows.push(paintLine(content, width, look.painter));
  if (view.engine) {
    line(engineLine(view.engine));
    const detail = engineDetail(view.engine);
    if (detail !== '') line([[detail, 'label']]);
  } else line([['engine not known yet', 'label']]);
  if (gauges) {
    if (gauges.gpu) {
      rows.push(
        gauge('GPU', gauges.gpu.utilisation, formatPercent(gauges.gpu.utilisation), width, look),
      );
      rows.push(
        gauge(
          'VRAM',
          part(gauges.gpu.memoryUsedBytes, gauges.gpu.memoryBytes),
          of(gauges.gpu.memoryUsedBytes, gauges.gpu.memoryBytes),
          width,
          look,
        ),
      );
    }
    rows.push(gauge('CPU', gauges.cpu, formatPercent(gauges.cpu), width, look));
    rows.push(
      gauge(
        'RAM',
        part(gauges.systemMemoryUsedBytes, gauges.systemMemoryBytes),
        of(gauges.systemMemoryUsedBytes, gauges.systemMemoryBytes),
        width,
        look,
      ),
    );
    line([
      ['engine ', 'label'],
      [formatBytes(gauges.engineMemoryBytes)],
      ['   tensors ', 'label'],
      [formatCount(gauges.liveTensors)],
    ]);
  }
  if (view.parameters > 0) line([['parameters ', 'label'], [formatCount(view.parameters)]]);
  return { frame: { title: [['system', focused ? 'accentStrong' : 'strong']], focused }, rows };
};

const part = (used: number, all: number): number => (all > 0 ? used / all : 0);
const of = (used: number, all: number): string => `${formatBytes(used)} of ${formatBytes(all)}`;

function engineLine({ kind, device, gpu, tensorflowVersion, threads }: EngineReport): Line {
  const name = kind === 'wasm' ? 'WebAssembly' : `TensorFlow ${tensorflowVersion ?? ''}`.trim();
  const where =
    device === 'gpu' ? (gpu?.name ?? 'GPU') : `CPU, ${threads} thread${threads === 1 ? '' : 's'}`;
  return [
    [name, 'strong'],
    [' on ', 'label'],
    [where, device === 'gpu' ? 'good' : 'plain'],
  ];
}

const engineDetail = ({ cpu, gpu, device }: EngineReport): string =>
  device === 'gpu' && gpu ? `${formatBytes(gpu.memoryBytes)} of GPU memory` : cpu;

function gauge(name: string, share: number, text: string, width: number, look: Look): Row {
  const style =
    share >= 0.95 && name !== 'GPU' && name !== 'CPU'
      ? 'bad'
      : share >= 0.85 && name !== 'GPU' && name !== 'CPU'
        ? 'warning'
        : 'accent';
  const barWidth = Math.max(4, Math.min(24, width - 5 - 1 - 22));
  return (
    paintLine([[name.padEnd(5), 'label']], 5, look.painter) +
    bar(share, barWidth, style, look) +
    paintLine([[` ${text}`]], width - 5 - barWidth, look.painter)
  );
}
