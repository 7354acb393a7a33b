import type { LayerReport } from '../../../shared/engine-report.ts';

/**
 * The reports with none of our kernels in use where one of them was found wrong: they are compiled
 * together, and most are not probed.
 */
export function withTrustedKernels(reports: readonly LayerReport[]): LayerReport[] {
  const wrong = layerOfWrongKernel(reports);
  return wrong === undefined ? [...reports] : reports.map((report) => withoutKernel(report, wrong));
}

/** A layer whose kernel of ours was found wrong, if there is one. */
export function layerOfWrongKernel(reports: readonly LayerReport[]): string | undefined {
  return reports.find(({ implementations }) =>
    implementations.some(({ name, agrees }) => name === 'kernel' && agrees === false),
  )?.layer;
}

function withoutKernel(report: LayerReport, wrong: string): LayerReport {
  const others = report.implementations.filter(
    ({ name, agrees }) => name !== 'kernel' && agrees === true,
  );
  const [first] = others;
  if (report.used !== 'kernel' || first === undefined) return report;
  const used = others.reduce(
    (best, other) =>
      (other.milliseconds ?? Number.POSITIVE_INFINITY) <
      (best.milliseconds ?? Number.POSITIVE_INFINITY)
        ? other
        : best,
    first,
  );
  return {
    ...report,
    used: used.name,
    implementations: report.implementations.map((implementation) =>
      implementation.name === 'kernel'
        ? { ...implementation, reason: `is right, but our kernel of ${wrong} is not: none is used` }
        : implementation,
    ),
  };
}
