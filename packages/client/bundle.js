/** Bundles the browser SDK as one ES module, `dist/sapwood.js`. Run by `npm run build`, after the compiler. */
import { fileURLToPath } from 'node:url'
// biome-ignore lint/correctness/noUndeclaredDependencies: a tool of the workspace, not of the package
import { build } from 'esbuild'

const here = (file) => fileURLToPath(new URL(file, import.meta.url))

/** Nothing of ours does anything at import: a module that nothing is used of can be left out whole. */
const leaveOutUnused = {
  name: 'leave-out-unused',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^(\.|@sapwood\/)/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === leaveOutUnused) return undefined
      const found = await resolve(path, { ...from, pluginData: leaveOutUnused })
      return { ...found, sideEffects: false }
    })
  },
}

await build({
  entryPoints: [here('dist/browser.js')],
  outfile: here('dist/sapwood.js'),
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [leaveOutUnused],
})
