import type { Command } from 'commander'
import colors from 'picocolors'
import { readLock } from '../../shared/lock.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { createBundle } from '../bundle/create.ts'
import { type LoadPlan, loadBundle, planLoad } from '../bundle/load.ts'
import { pathsOf } from '../bundle/manifest.ts'
import { type Bundle, openBundle } from '../bundle/open.ts'
import { differing, pinsOf } from '../bundle/pins.ts'
import { type Plan, parsePlatforms, planBundle, type Step } from '../bundle/plan.ts'
import type { Show } from '../bundle/progress.ts'
import { listr } from '../lab/up-progress.ts'
import { print, printJson } from '../terminal/output.ts'
import { sizeText } from '../terminal/size-text.ts'
import { plainTable } from '../terminal/table.ts'

interface Json {
  json?: boolean
}

/** `lab bundle`: all that a lab needs in one file, for machines without a network. */
export function register(program: Command): void {
  const group = program
    .command('bundle')
    .description('carry all that the lab fetches to machines without a network, in one file')
    .addHelpText(
      'after',
      `
Where the network is good:  ./lab bundle create lab.bundle --platform linux/amd64,darwin/arm64
On each machine:            ./lab bundle load lab.bundle && ./lab up

More: docs/teaching.md`,
    )

  group
    .command('create')
    .description('fetch and pack programs, plugins, charts, images and npm packages; goes on where it was cut off')
    .argument('<file>', 'the bundle')
    .option(
      '--platform <names>',
      'machines that it is for, with commas: linux/amd64, linux/arm64, darwin/amd64, darwin/arm64; by default those like this one',
    )
    .option('--all', 'also what only other settings would ask for: the other shipper, the original Guestbook')
    .option('--json', 'print the result as JSON and no progress')
    .addHelpText(
      'after',
      `
Examples:
  ./lab bundle create lab.bundle
  ./lab bundle create lab.bundle --platform linux/amd64,darwin/arm64   # Mac laptops run linux/arm64 images`,
    )
    .action(
      async (file: string, { platform, all = false, json = false }: Json & { platform?: string; all?: boolean }) => {
        const platforms = platform === undefined ? [] : parsePlatforms(platform)
        const plan = await planBundle({ file, platforms, all }, readSettings(), readLock())
        if (!json) sayPlan(plan)
        const result = await createBundle(plan, shown(json))
        if (json) return printJson(result)
        print()
        print(colors.green(`${result.file}: ${sizeText(result.size)}, for ${result.platforms.join(' and ')}`))
        print(`sha256 ${result.sha256}`)
        print(`\nOn each machine, in a checkout of this version:  ./lab bundle load ${file} && ./lab up`)
      },
    )

  group
    .command('load')
    .description('put what a bundle holds where `lab up` looks for it; what is there already is left alone')
    .argument('<file>', 'the bundle')
    .option('--json', 'print the result as JSON and no progress')
    .addHelpText('after', '\nExample:\n  ./lab bundle load lab.bundle && ./lab up')
    .action(async (file: string, { json = false }: Json) => {
      const plan = await planLoad(file, readLock())
      if (!json) sayLoad(plan)
      const result = await loadBundle(plan, shown(json))
      if (json) return printJson(result)
      print()
      print(
        colors.green(
          `All that the lab needs is here, ${result.seconds.toFixed(1)} s. Go on without a network:  ./lab up`,
        ),
      )
    })

  group
    .command('show')
    .description('what is in a bundle, for which machines, and with which lock it was made')
    .argument('<file>', 'the bundle')
    .option('--json', 'print it as JSON')
    .addHelpText('after', "\nExample:\n  ./lab bundle show lab.bundle --json | jq '.images[].ref'")
    .action(async (file: string, { json = false }: Json) => {
      const bundle = await openBundle(file)
      if (json) printJson({ file, size: bundle.size, ...bundle.manifest })
      else show(bundle)
    })
}

// --- Making one

function sayPlan({ steps, fetch, bytes, file, platforms }: Plan): void {
  const here = steps.filter(({ from }) => from === 'here')
  const earlier = steps.filter(({ from }) => from === 'earlier')
  print(`${file}, for ${platforms.join(' and ')}`)
  print(
    `  to fetch    ${sizeText(fetch.bytes)}${fetch.unknown > 0 ? `, and ${fetch.unknown} whose size nobody says` : ''}`,
  )
  print(`  from here   ${sizeText(sumOf(here))} of charts and images, before they are packed`)
  if (earlier.length > 0) print(`  collected   ${sizeText(sumOf(earlier))} by an earlier run`)
  print(`  altogether  about ${sizeText(bytes)}; while it is made, twice that`)
  print()
}

const sumOf = (steps: readonly Step[]): number => steps.reduce((sum, { bytes = 0 }) => sum + bytes, 0)

// --- Loading one

function sayLoad({ bundle, tools, charts, images, there, bytes, unpacked }: LoadPlan): void {
  print(`${bundle.file}, made ${bundle.manifest.created.slice(0, 10)} for ${bundle.manifest.platforms.join(' and ')}`)
  const missing = [
    [tools.length, 'programs'],
    [charts.length, 'charts'],
    [images.length, 'images'],
  ].flatMap(([count, name]) => (count ? `${count} ${name}` : []))
  if (missing.length > 0)
    print(`  to load     ${missing.join(', ')}: ${sizeText(bytes)}, on the disk about ${sizeText(unpacked)}`)
  print(`  here        ${there}, left alone`)
  print()
}

// --- Showing one

function show({ file, size, manifest }: Bundle): void {
  const { platforms, created, lab, tools, charts, images, members, pins } = manifest
  const sizeOf = (paths: readonly string[]): string =>
    sizeText(paths.reduce((sum, path) => sum + members[path]!.size, 0))
  print(`${file}: ${sizeText(size)}, made ${created.slice(0, 10)} by version ${lab} of the lab`)
  print(`for      ${platforms.join(', ')}`)
  const lock = readLock()
  const differ = differing(pins, pinsOf(lock))
  print(
    `lock     ${differ.length === 0 ? `as in ${lock.file}` : colors.yellow(`differs from ${lock.file}: ${differ.join(', ')}`)}`,
  )
  const grid = plainTable(['what', 'for', 'size'], ['left', 'left', 'right'])
  grid.push(['npm packages', 'all', sizeOf([manifest.packages])])
  for (const { name, version, platform, path } of tools) grid.push([`${name} ${version}`, platform, sizeOf([path])])
  for (const { name, version, path } of charts) grid.push([`chart ${name} ${version}`, 'all', sizeOf([path])])
  for (const image of images) grid.push([image.ref, image.platform, sizeOf(pathsOf(image))])
  print(grid.toString())
  print('Layers that images share are counted with each and stored once.')
}

/** A part of the work as a line that moves, with what it is at. */
const shown =
  (silent: boolean): Show =>
  async (title, work) => {
    let result!: Awaited<ReturnType<typeof work>>
    const task = async (_: unknown, task: { output: unknown }): Promise<void> => {
      result = await work(line => {
        task.output = line
      })
    }
    await listr([{ title, task }], { silent }).run()
    return result
  }
