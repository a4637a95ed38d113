/** Bundles the browser SDK as one ES module, `dist/sapwood.js`. Run by `npm run build`, after the compiler. */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
// biome-ignore lint/correctness/noUndeclaredDependencies: a tool of the workspace, not of the package
import { build } from 'esbuild'
// biome-ignore lint/correctness/noUndeclaredDependencies: a tool of the workspace, not of the package
import { minify } from 'terser'

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

// esbuild minifies one expression at a time; looking across them saves another four hundred bytes of what pages load
const bundle = here('dist/sapwood.js')
const { code } = await minify(await readFile(bundle, 'utf8'), {
  module: true,
  ecma: 2020,
  compress: {
    passes: 3,
    // no getter of ours does anything, functions that are no methods have no `this`, and methods are not called with `new`
    pure_getters: true,
    unsafe_arrows: true,
    unsafe_methods: true,
    // what looks alike packs better side by side
    hoist_funs: true,
  },
})
await writeFile(bundle, code)
