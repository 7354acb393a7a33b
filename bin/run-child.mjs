import { spawn } from 'node:child_process';

/**
 * Runs a program with this terminal and ends this process as the program ended: same exit code,
 * same signal. Signals sent to this process reach the program.
 */
export function becomeChild(file, args, environment) {
  const child = spawn(file, args, { stdio: 'inherit', env: environment });
  const handlers = new Map();
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR2', 'SIGCONT']) {
    // A key press in a terminal signals the whole group, the program included: not twice.
    const fromKeyboard = (signal === 'SIGINT' || signal === 'SIGQUIT') && process.stdin.isTTY;
    const handler = () => {
      if (!fromKeyboard) child.kill(signal);
    };
    handlers.set(signal, handler);
    process.on(signal, handler);
  }
  child.on('error', (error) => {
    process.stderr.write(`teletrain: ${file} could not be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    for (const [name, handler] of handlers) process.removeListener(name, handler);
    if (signal) process.kill(process.pid, signal);
    else process.exit(code);
  });
}
