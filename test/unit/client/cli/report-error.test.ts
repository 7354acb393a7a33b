import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { Output } from '../../../../client/cli/output.ts';
import { describeError, printError } from '../../../../client/cli/report-error.ts';
import { TeletrainError, UsageError } from '../../../../shared/errors.ts';

function printed(error: unknown, json: boolean) {
  const texts = { results: '', notices: '' };
  const sink = (name: 'results' | 'notices') => ({
    write: (text: string) => {
      texts[name] += text;
    },
  });
  const output = new Output({ json, results: sink('results'), notices: sink('notices') });
  const description = describeError(error);
  printError(description, output);
  return { ...texts, exitCode: description.exitCode };
}

const usage = new UsageError('bad-setting', 'It cannot be.', 'Try this.');

describe('an error that a user can meet', () => {
  it('is two lines on standard error, and no stack', () => {
    expect(printed(usage, false)).toEqual({
      results: '',
      notices: 'It cannot be.\nTry this.\n',
      exitCode: 2,
    });
  });

  it('is one JSON object on standard output with --json', () => {
    const { results, notices } = printed(usage, true);
    expect(notices).toBe('');
    expect(JSON.parse(results)).toEqual({
      error: { code: 'bad-setting', message: 'It cannot be.', hint: 'Try this.' },
    });
  });

  it('keeps the exit code that it carries', () => {
    const lost = new TeletrainError('worker-lost', 'Gone.', { hint: 'Wait.', exitCode: 3 });
    expect(describeError(lost).exitCode).toBe(3);
  });
});

describe('what the parser of the command line says', () => {
  it('is a sentence with its suggestion as the hint', () => {
    const error = new CommanderError(
      1,
      'commander.unknownOption',
      "error: unknown option '--quik'\n(Did you mean --quick?)",
    );
    expect(describeError(error)).toMatchObject({
      code: 'usage',
      message: 'Unknown option "--quik".',
      hint: 'Did you mean --quick?',
      exitCode: 2,
    });
  });

  it('is silent and 0 after help and version', () => {
    const help = new CommanderError(0, 'commander.helpDisplayed', '(outputHelp)');
    expect(printed(help, false)).toEqual({ results: '', notices: '', exitCode: 0 });
  });
});

it('a full disk is told as such, with the file', () => {
  const full = Object.assign(new Error('ENOSPC: no space left'), {
    code: 'ENOSPC',
    path: '/runs/x',
  });
  expect(printed(full, false).notices).toMatch(/^The disk is full: \/runs\/x\.\nFree some space/);
});

it('a programming error shows its stack and asks to report it', () => {
  const { notices, exitCode } = printed(new TypeError('x is not a function'), false);
  expect(notices).toMatch(/TypeError: x is not a function\n +at /);
  expect(notices).toContain('please report it');
  expect(exitCode).toBe(1);
});
