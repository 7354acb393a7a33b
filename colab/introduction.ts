/** The notebook's first cell. The code cell states the terms again, before it starts anything. */
export const introduction = `# teletrain: a worker in Colab

This notebook starts a *worker*: a process in this VM that trains networks on its GPU, driven from
teletrain in your laptop's terminal. The worker's program is inside the notebook; what else it needs
comes from PyPI and the npm registry. The worker listens inside the VM only.

1. **Runtime > Change runtime type**: choose a GPU.
2. Choose a way in, then run the cell below. The first time takes a few minutes.
   - **colab ssh**: Google's own command-line tool forwards a port of your laptop to the worker.
     Install it from https://github.com/googlecolab/google-colab-cli (its \`colab ssh\` is newer than
     release 0.6.0), make the VM with \`colab new -s teletrain --gpu T4\` and open this notebook in it
     with \`colab url -s teletrain --open\`.
   - **cloudflared**: a Cloudflare quick tunnel, with a pinned version whose SHA-256 is checked. The
     address is public and new each time; the one-time code and the token it is exchanged for are the
     only lock.
   - **none**: you bring a way of your own to the worker's port.
3. On your laptop, run the \`teletrain connect …\` line that the cell prints, then for example
   \`teletrain run imdb-simple-rnn --on colab\`.
4. Interrupt the cell when you have finished: the worker leaves a checkpoint and ends.

**Colab's terms** ([FAQ](https://research.google.com/colaboratory/faq.html)): not allowed on any
runtime are file hosting and web services that have nothing to do with interactive computing,
connecting to remote proxies, mining, password cracking, and using several accounts. Without a
positive balance of compute units, Colab may also end at any time a runtime that is controlled
remotely (SSH, remote desktops) or works for distributed computing. A worker driven from a laptop's
terminal is close to that, so a paid plan with a positive balance is recommended. Keep the cell in
the foreground and use one account; teletrain does nothing to make an idle runtime look busy.
`;
