/** Why TensorFlow refused, in one line: it lists all kernels, or those of the whole call. */
export function refusal(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const missing = /All kernels registered for op (\w+):\s*(.*)$/s.exec(text);
  if (missing) {
    const [, name, kernels = ''] = missing;
    const devices = [...new Set([...kernels.matchAll(/device='(\w+)'/g)].map(([, on]) => on))];
    return devices.length === 0
      ? `TensorFlow has no kernel of ${name} for any device here`
      : `TensorFlow has a kernel of ${name} for ${devices.join(' and ')} alone`;
  }
  const line = text
    .replace(/^Invalid TF_Status: \d+\s*Message:\s*/, '')
    .split('\n')[0]
    ?.trim();
  return `failed: ${(line || 'without a word').slice(0, 200)}`;
}
