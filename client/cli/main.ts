// chalk and Ink look at these when they are loaded, so they are set before anything is imported.
if (process.env.NO_COLOR) process.env.FORCE_COLOR = '0';

const { runProgram } = await import('./run-program.ts');

process.exit(await runProgram(process.argv.slice(2)));
