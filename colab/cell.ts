import type { PackedWorker } from './pack-worker.ts';

const fields = `#@title Start the worker { display-mode: "form" }
#@markdown Stop with the reason where there is no GPU, instead of training slowly on the CPU:
require_gpu = True  #@param {type:"boolean"}
#@markdown How your laptop reaches the worker:
way_in = "colab ssh"  #@param ["colab ssh", "cloudflared", "none"]
port = 8787  #@param {type:"integer"}
#@markdown Folder with datasets; empty: they are downloaded when needed.
data_dir = ""  #@param {type:"string"}
#@markdown Installed only where there is no Node:
node_version = "24.19.0"  #@param {type:"string"}
`;

/** The code cell: form fields, the bootstrap program as it is, the worker's files, the call. */
export function cellSource(bootstrap: string, worker: PackedWorker): string {
  return `${fields}
${bootstrap.trimEnd()}


# The worker's files: a zip file in base64, made by "teletrain notebook".
PAYLOAD_SHA256 = "${worker.sha256}"
PAYLOAD = """
${wrap(worker.content.toString('base64'))}
"""

start_worker(PAYLOAD, PAYLOAD_SHA256, require_gpu, way_in, port, data_dir, node_version)`;
}

/** Long lines, because each line of a notebook costs four bytes more. */
function wrap(text: string): string {
  return text.replace(/.{2000}(?=.)/g, '$&\n');
}
