import type { Command } from 'commander'
import { readLock } from '../../shared/lock.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { createBundle } from '../bundle/create.ts'
import { type BundlePlan, planBundle } from '../bundle/create-plan.ts'
import { type BundleStep, sum } from '../bundle/create-steps.ts'
import { loadBundle } from '../bundle/load.ts'
import { type LoadPlan, planLoad } from '../bundle/load-plan.ts'
import { differingPins, imagePaths, pinsOf, sizeOfMembers } from '../bundle/manifest.ts'
import { type Bundle, openBundle } from '../bundle/open.ts'
import type { ShowProgress } from '../bundle/progress.ts'
import { createSteps } from '../lab/up-progress.ts'
import { parsePlatforms } from '../supplies/platform.ts'
import { colors } from '../terminal/colors.ts'
import { addGroup } from '../terminal/lab-command.ts'
import { print, printJson } from '../terminal/output.ts'
import { sizeText } from '../terminal/size-text.ts'
import { plainTable } from '../terminal/table.ts'

interface Json {
  json?: boolean
}

export function register(program: Command): void {
  const group = addGroup(
    program,
    'bundle',
    'Pack everything the lab downloads into one file, for machines without a network',
    `With a network:   ./lab bundle create lab.bundle --platform linux/amd64,darwin/arm64
On each machine:  ./lab bundle load lab.bundle && ./lab up

More: docs/teaching.md`,
  )

  group
    .command('create')
    .description('Download and pack programs, plugins, charts, images and npm packages. An interrupted run resumes.')
    .argument('<file>', 'File to create')
    .option(
      '--platform <names>',
      'Platforms of the machines, separated by commas: linux/amd64, linux/arm64, darwin/amd64, darwin/arm64 (default: this one)',
    )
    .option('--all', 'Include what only other settings need: the other shipper and the original Guestbook')
    .option('--json', 'Print the result as JSON, without progress')
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
        if (!json) printPlan(plan)
        const result = await createBundle(plan, withProgress(json))
        if (json) return printJson(result)
        print()
        print(colors.green(`${result.file}: ${sizeText(result.size)}, for ${result.platforms.join(' and ')}`))
        print(`sha256 ${result.sha256}`)
        print(`\nOn each machine, in a checkout of the same version:  ./lab bundle load ${file} && ./lab up`)
      },
    )

  group
    .command('load')
    .description('Copy the contents of a bundle to where `lab up` looks for them. Existing files are kept.')
    .argument('<file>', 'Bundle file')
    .option('--json', 'Print the result as JSON, without progress')
    .addHelpText('after', '\nExample:\n  ./lab bundle load lab.bundle && ./lab up')
    .action(async (file: string, { json = false }: Json) => {
      const plan = await planLoad(file, readLock())
      if (!json) printLoad(plan)
      const result = await loadBundle(plan, withProgress(json))
      if (json) return printJson(result)
      print()
      print(colors.green(`Loaded in ${result.seconds.toFixed(1)} s. Start the lab, even without a network:  ./lab up`))
    })

  group
    .command('show')
    .description('Show the contents of a bundle, its platforms, and the lock file it was made with')
    .argument('<file>', 'Bundle file')
    .option('--json', 'Print it as JSON')
    .addHelpText('after', "\nExample:\n  ./lab bundle show lab.bundle --json | jq '.images[].ref'")
    .action(async (file: string, { json = false }: Json) => {
      const bundle = await openBundle(file)
      if (json) printJson({ file, size: bundle.size, ...bundle.manifest })
      else show(bundle)
    })
}

// --- create

function printPlan({ steps, fetch, bytes, file, platforms }: BundlePlan): void {
  const here = steps.filter(({ from }) => from === 'here')
  const earlier = steps.filter(({ from }) => from === 'earlier')
  print(`${file}, for ${platforms.join(' and ')}`)
  print(
    `  to download ${sizeText(fetch.bytes)}${fetch.unknown > 0 ? `, and ${fetch.unknown} files of unknown size` : ''}`,
  )
  print(`  local       ${sizeText(sumOf(here))} of charts and images, before compression`)
  if (earlier.length > 0) print(`  resumed     ${sizeText(sumOf(earlier))} from an earlier run`)
  print(`  result      about ${sizeText(bytes)}; needs twice that while it is created`)
  print()
}

const sumOf = (steps: readonly BundleStep[]): number => sum(steps.map(({ bytes }) => bytes))

// --- load

function printLoad({ bundle, tools, charts, images, present, bytes, unpacked }: LoadPlan): void {
  print(
    `${bundle.file}, created ${bundle.manifest.created.slice(0, 10)} for ${bundle.manifest.platforms.join(' and ')}`,
  )
  const missing = [
    [tools.length, 'programs'],
    [charts.length, 'charts'],
    [images.length, 'images'],
  ].flatMap(([count, name]) => (count ? `${count} ${name}` : []))
  if (missing.length > 0)
    print(`  to load     ${missing.join(', ')}: ${sizeText(bytes)}, about ${sizeText(unpacked)} on disk`)
  print(`  present     ${present}, kept`)
  print()
}

// --- show

function show({ file, size, manifest }: Bundle): void {
  const { platforms, created, lab, tools, charts, images, pins } = manifest
  const sizeOf = (paths: readonly string[]): string => sizeText(sizeOfMembers(manifest, paths))
  print(`${file}: ${sizeText(size)}, created ${created.slice(0, 10)} by lab ${lab}`)
  print(`for      ${platforms.join(', ')}`)
  const lock = readLock()
  const differ = differingPins(pins, pinsOf(lock))
  print(
    `lock     ${differ.length === 0 ? `same as ${lock.file}` : colors.yellow(`differs from ${lock.file}: ${differ.join(', ')}`)}`,
  )
  const grid = plainTable(['content', 'platform', 'size'], ['left', 'left', 'right'])
  grid.push(['npm packages', 'all', sizeOf([manifest.packages])])
  for (const { name, version, platform, path } of tools) grid.push([`${name} ${version}`, platform, sizeOf([path])])
  for (const { name, version, path } of charts) grid.push([`chart ${name} ${version}`, 'all', sizeOf([path])])
  for (const image of images) grid.push([image.ref, image.platform, sizeOf(imagePaths(image))])
  print(grid.toString())
  print('Layers that images share are stored once, but counted for each image.')
}

/** Runs one piece of work with a progress line. */
const withProgress =
  (silent: boolean): ShowProgress =>
  async (title, work) => {
    let result!: Awaited<ReturnType<typeof work>>
    const task = async (_: unknown, task: { output: unknown }): Promise<void> => {
      result = await work(line => {
        task.output = line
      })
    }
    await createSteps([{ title, task }], { silent }).run()
    return result
  }
