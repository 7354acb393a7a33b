import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type LayerReport,
  layerNames,
  layerReportSchema,
} from '../../../../../shared/engine-report.ts';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import {
  chooseForLayer,
  chooseKernels,
  type Ranking,
  setRanking,
} from '../../../../../worker/engine/ops/choose.ts';
import { differentiable } from '../../../../../worker/engine/ops/custom-gradient.ts';
import { NativeDispatch } from '../../../../../worker/engine/ops/native-dispatch.ts';
import { probedLayers } from '../../../../../worker/engine/probe/layers.ts';
import { probeLayers } from '../../../../../worker/engine/probe/probe.ts';
import type { Candidate, ProbedLayer } from '../../../../../worker/engine/probe/probed-layer.ts';

const engine = await openEngine();
const isNative = engine.kind === 'native';
if (!isNative) console.warn('NOT CHECKED: the probe of layers. Missing: the native engine.');

const honest = probedLayers.find(({ layer }) => layer === 'SimpleRNN') as ProbedLayer;
const compute: Candidate['at'] = honest.reference;

/** The layer with candidates of the test's own. */
function withCandidates(candidates: Partial<Record<Candidate['name'], Candidate['at']>>) {
  const named = Object.entries(candidates).map(([name, at]) => ({ name, at }) as Candidate);
  return { ...honest, candidates: named };
}

async function probe(candidates: Partial<Record<Candidate['name'], Candidate['at']>>) {
  const [report] = await probeLayers([withCandidates(candidates)]);
  return layerReportSchema.parse(report);
}

const implementation = (report: LayerReport, name: Candidate['name']) =>
  report.implementations.find((other) => other.name === name);

/** A layer that gives the right values, and one input's gradient times a factor. */
const withGradientTimes =
  (input: string, factor: number): Candidate['at'] =>
  (size) => {
    const place = honest.inputs(size).findIndex(({ name }) => name === input);
    return (...inputs) =>
      compute(size)(
        ...inputs.map((tensor, index) =>
          index === place
            ? differentiable([tensor], {
                forward: () => ({ value: tensor.clone(), saved: [] }),
                gradient: (dy) => [tf.mul(dy, factor)],
              })
            : tensor,
        ),
      );
  };

const withResults =
  (change: (result: tf.Tensor) => tf.Tensor): Candidate['at'] =>
  (size) =>
  (...inputs) =>
    compute(size)(...inputs).map(change);

describe.runIf(isNative)('the probe of a layer', () => {
  const before = engine.liveTensors();
  const said: unknown[] = [];
  beforeEach(() => {
    said.length = 0;
    for (const [object, method] of [
      [console, 'warn'],
      [console, 'error'],
    ] as const) {
      vi.spyOn(object, method).mockImplementation((...words) => said.push(words));
    }
    vi.spyOn(process.stderr, 'write').mockImplementation((words) => said.push(words) > 0);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    expect(said).toEqual([]);
    expect(engine.liveTensors()).toBe(before);
  });

  it.each(['inputs', 'initial state', 'kernel', 'recurrent kernel', 'bias'])(
    'rejects an implementation whose gradient of the %s alone is wrong by a hundredth',
    async (input) => {
      const report = await probe({ cudnn: withGradientTimes(input, 1.01), composed: compute });
      expect(report.used).toBe('composed');
      const liar = implementation(report, 'cudnn');
      expect(liar?.agrees).toBe(false);
      expect(liar?.difference).toBeGreaterThan(5e-3);
      expect(liar?.reason).toMatch(
        new RegExp(`^differs from the reference by \\d.\\de-[23] in the gradient of ${input}$`),
      );
      expect(liar).not.toHaveProperty('milliseconds');
    },
  );

  it('rejects one whose values are wrong', async () => {
    const report = await probe({
      cudnn: withResults((result) => tf.mul(result, 0.99)),
      composed: compute,
    });
    expect(report.used).toBe('composed');
    expect(implementation(report, 'cudnn')?.reason).toMatch(/^differs .* in/);
  });

  it('rejects one that gives NaN', async () => {
    const report = await probe({
      cudnn: withResults((result) => tf.mul(result, Number.NaN)),
      composed: compute,
    });
    expect(report.used).toBe('composed');
    expect(implementation(report, 'cudnn')).toMatchObject({
      agrees: false,
      reason: 'gives a number that is not finite in outputs',
    });
  });

  it('rejects one that gives tensors of another size', async () => {
    const report = await probe({
      cudnn: withResults((result) => tf.concat([result, result])),
      composed: compute,
    });
    expect(implementation(report, 'cudnn')).toMatchObject({ agrees: false });
    expect(report.used).toBe('composed');
  });

  it.each([
    ['there', () => compute as never],
    [
      'on the way back',
      (): Candidate['at'] =>
        (size) =>
        (...inputs) =>
          compute(size)(...inputs).map((result) =>
            differentiable([result], {
              forward: () => ({ value: result.clone(), saved: [tf.zeros([3])] }),
              gradient: () => {
                throw new Error('out of cuDNN');
              },
            }),
          ),
    ],
  ])('rejects one that throws %s, and goes on', async (where, make) => {
    const at: Candidate['at'] =
      where === 'there'
        ? () => () => {
            tf.zeros([2]).dataSync();
            throw new Error('out of cuDNN');
          }
        : make();
    const report = await probe({ kernel: at, cudnn: at, composed: compute });
    expect(report.used).toBe('composed');
    expect(implementation(report, 'kernel')).toEqual({
      name: 'kernel',
      agrees: false,
      reason: 'failed: out of cuDNN',
    });
    expect(implementation(report, 'composed')?.agrees).toBe(true);
  });

  it('uses one that takes clearly less time than a preferred one, and reports both times', async () => {
    const slowly: Candidate['at'] = (size) => {
      const quick = compute(size);
      return (...inputs) => {
        const end = performance.now() + (size.batch > 10 ? 150 : 0);
        while (performance.now() < end);
        return quick(...inputs);
      };
    };
    const report = await probe({ cudnn: slowly, composed: compute });
    expect(report.used).toBe('composed');
    const slow = implementation(report, 'cudnn');
    expect(slow?.agrees).toBe(true);
    expect(slow?.milliseconds).toBeGreaterThan(150);
    expect(slow?.reason).toMatch(/^agrees to .*, but takes \d+\.\d\d ms$/);
  });

  it('says of one that takes a little less time than the used one that it is not enough', async () => {
    const taking =
      (milliseconds: number): Candidate['at'] =>
      (size) => {
        const quick = compute(size);
        return (...inputs) => {
          const end = performance.now() + (size.batch > 10 ? milliseconds : 0);
          while (performance.now() < end);
          return quick(...inputs);
        };
      };
    const report = await probe({ cudnn: taking(300), composed: taking(265) });
    expect(report.used).toBe('cudnn');
    expect(implementation(report, 'composed')?.reason).toMatch(
      /^agrees to .*, takes \d+\.\d\d ms, not enough less to be preferred$/,
    );
  });

  it('rejects one that fails at a larger size', async () => {
    const small: Candidate['at'] = (size) => {
      if (size.batch > 10) throw new Error('out of memory');
      return compute(size);
    };
    const report = await probe({ cudnn: small, composed: compute });
    expect(report.used).toBe('composed');
    expect(implementation(report, 'cudnn')).toEqual({
      name: 'cudnn',
      agrees: false,
      reason: 'failed: out of memory',
    });
  });

  it('keeps the preferred one of two that it did not time', async () => {
    const layer = withCandidates({ cudnn: compute, composed: compute });
    const [report] = await probeLayers([layer], { budget: 0 });
    expect(report?.used).toBe('cudnn');
    expect(report?.implementations.map(({ milliseconds }) => milliseconds)).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('ends with every reason where none is right', async () => {
    const nothing = probe({
      cudnn: withGradientTimes('bias', 1.5),
      composed: withResults((result) => tf.neg(result)),
    });
    await expect(nothing).rejects.toThrow(
      /^no way to compute SimpleRNN is right: cudnn differs .*; composed differs /,
    );
  });
});

describe.runIf(isNative && engine.device === 'cpu')('an engine on a CPU', () => {
  it('computes each layer by our kernel, and says why by nothing else', () => {
    expect(engine.report.layers?.map(({ layer, used }) => [layer, used])).toEqual([
      ['SimpleRNN', 'kernel'],
      ['LSTM', 'kernel'],
      ['GRU', 'kernel'],
      ['GRUResetBefore', 'kernel'],
      ['DiagonalLSTM', 'kernel'],
      ['Dense', 'kernel'],
      ['MaskedConvolution', 'kernel'],
    ]);
    for (const { layer, implementations } of engine.report.layers ?? []) {
      for (const { name, agrees, difference, reason } of implementations) {
        if (name === 'cudnn') {
          expect(reason).toMatch(/^TensorFlow has no kernel of CudnnRNN\w+ for any device here$/);
          expect(agrees).toBe(false);
        } else {
          expect([layer, name, agrees]).toEqual([layer, name, true]);
          expect(difference).toBeLessThan(1e-5);
        }
      }
    }
  });

  it.each([
    ['TeletrainSimpleRNN', { SimpleRNN: 'operations' }],
    ['TeletrainLSTMGrad', { LSTM: 'block' }],
    ['TeletrainGRUGrad', { GRU: 'composed', GRUResetBefore: 'composed' }],
    ['TeletrainDiagonalBiLSTMGrad', { DiagonalLSTM: 'operations' }],
    // PixelRNN's layers end in a dense one.
    ['TeletrainDenseGrad', { DiagonalLSTM: 'operations', Dense: 'composed' }],
    ['TeletrainMaskedConvolution', { MaskedConvolution: 'composed' }],
  ])(
    'finds %s out where it is compiled so that its first result is off by a hundredth',
    async (operation, instead) => {
      const right = NativeDispatch.prototype.runMany;
      const wrong = vi.spyOn(NativeDispatch.prototype, 'runMany').mockImplementation(function (
        this: NativeDispatch,
        name,
        ...call
      ) {
        const results = right.call(this, name, ...call);
        const [first] = results;
        if (name !== operation || first === undefined) return results;
        const factor = this.borrow(tf.scalar(1.01));
        const product = right.call(this, 'Mul', [this.floatType], [first, factor], 1);
        this.release(first);
        return [...product, ...results.slice(1)];
      });
      onTestFinished(() => wrong.mockRestore());
      const reports = await probeLayers(probedLayers, { budget: 0 });
      const affected = reports.filter(({ used }) => used !== 'kernel');
      expect(Object.fromEntries(affected.map(({ layer, used }) => [layer, used]))).toEqual(instead);
      expect(wrong.mock.calls.map(([name]) => name)).toContain(operation);
    },
  );

  it('uses no kernel of ours for anything once one of them is found wrong', () => {
    const right = Object.fromEntries(layerNames.map((layer) => [layer, ['kernel', 'composed']]));
    onTestFinished(() => setRanking(right as unknown as Ranking));
    const [found] = layerNames;
    setRanking({ ...right, [found]: ['composed'] } as unknown as Ranking);
    expect(chooseKernels('best')).toBeUndefined();
    expect(chooseForLayer(found, 'best', ['kernel', 'composed']).name).toBe('composed');
    setRanking(right as unknown as Ranking);
    expect(chooseKernels('best')).toBeDefined();
    expect(chooseForLayer(found, 'best', ['kernel', 'composed']).name).toBe('kernel');
  });
});
