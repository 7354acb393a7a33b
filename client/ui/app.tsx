import { Box, Text, useInput, usePaste, useWindowSize } from 'ink';
import { useSyncExternalStore } from 'react';
import { keyNames } from './keys/key-name.ts';
import { drawScreen } from './screens/screen.ts';
import type { Dashboard } from './state/dashboard.ts';
import type { Look } from './style/look.ts';
import type { Row } from './text/line.ts';

/** The dashboard on a terminal: draws what `dashboard` says and hands it the keys. */
export function App({ dashboard, look }: { readonly dashboard: Dashboard; readonly look: Look }) {
  useSyncExternalStore(dashboard.subscribe, dashboard.version);
  const { columns, rows } = useWindowSize();
  useInput((input, key) => {
    for (const name of keyNames(input, key)) dashboard.press(name);
  });
  usePaste((text) => dashboard.paste(text));
  const screen = drawScreen(dashboard, { columns, rows }, look);
  return (
    <Box width={columns} height={rows} flexDirection="column" overflow="hidden">
      <Rows rows={screen.rows} />
      {screen.overlay && (
        <Box position="absolute" left={screen.overlay.left} top={screen.overlay.top} width={screen.overlay.width} flexDirection="column">
          <Rows rows={screen.overlay.rows} />
        </Box>
      )}
    </Box>
  );
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
