import { keepYoungGenerationSmall } from '../../shared/small-young-generation.ts';

keepYoungGenerationSmall();
// chalk and Ink look at these when they are loaded, so they are set before anything is imported.
if (process.env.NO_COLOR) process.env.FORCE_COLOR = '0';
// React's development build is slower, and keeps a timing entry of every frame for as long as it runs.
process.env.NODE_ENV ??= 'production';

const { runProgram } = await import('./run-program.ts');

process.exit(await runProgram(process.argv.slice(2)));
