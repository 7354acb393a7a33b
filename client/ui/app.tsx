import { Box, Text, useInput, usePaste, useWindowSize } from 'ink';
import { useSyncExternalStore } from 'react';
import { spokenKeys } from './keys/help.ts';
import { keyNames } from './keys/key-name.ts';
import { drawScreen } from './screens/screen.ts';
import type { Speech } from './screens/spoken.ts';
import type { Dashboard } from './state/dashboard.ts';
import { refusedKeys } from './state/refused-keys.ts';
import type { Look } from './style/look.ts';
import type { Row } from './text/line.ts';

export interface AppProps {
  readonly dashboard: Dashboard;
  readonly look: Look;
  /** Told how long the rows of a frame took to make, in milliseconds. */
  readonly onDrawn?: (milliseconds: number) => void;
}

/** The dashboard on a terminal: draws what `dashboard` says and hands it the keys. */
export function App({ dashboard, look, onDrawn }: AppProps) {
  useSyncExternalStore(dashboard.subscribe, dashboard.version);
  const { columns, rows } = useWindowSize();
  useKeys(dashboard);
  const start = performance.now();
  const screen = drawScreen(dashboard, { columns, rows }, look);
  onDrawn?.(performance.now() - start);
  // No `overflow="hidden"`: the rows are exactly as wide and as many as there is room for, and clipping
  // them makes Ink take every row apart once more, which was a third of a frame's time.
  return (
    <Box width={columns} height={rows} flexDirection="column">
      <Rows rows={screen.rows} />
      {screen.overlay && (
        <Box
          position="absolute"
          left={screen.overlay.left}
          top={screen.overlay.top}
          width={screen.overlay.width}
          flexDirection="column"
        >
          <Rows rows={screen.overlay.rows} />
        </Box>
      )}
    </Box>
  );
}

/** The dashboard in sentences: the same keys, no pictures, and nothing that is drawn anew all the time. */
export function SpokenApp({
  dashboard,
  speech,
}: {
  readonly dashboard: Dashboard;
  readonly speech: Speech;
}) {
  useSyncExternalStore(dashboard.subscribe, dashboard.version);
  useKeys(dashboard);
  return (
    <Text>
      {dashboard.help === undefined
        ? speech.text(dashboard)
        : spokenKeys(dashboard.keyContext, refusedKeys(dashboard))}
    </Text>
  );
}

function useKeys(dashboard: Dashboard): void {
  useInput((input, key) => {
    for (const name of keyNames(input, key)) dashboard.press(name);
  });
  usePaste((text) => dashboard.paste(text));
}

/** Painted rows as they are: one text a row keeps the tree small, which is what a frame costs. */
function Rows({ rows }: { readonly rows: readonly Row[] }) {
  return rows.map((row, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place on the screen
    <Text key={index} wrap="truncate">
      {row}
    </Text>
  ));
}
