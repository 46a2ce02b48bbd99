import type { Command } from 'commander'
import { readLock } from '../../shared/lock.ts'
import { findOutdated, type PinAge } from '../pins/outdated.ts'
import { findPin, listPins, pinIds } from '../pins/pins.ts'
import { type PinUpdate, updatePin } from '../pins/update.ts'
import { colors } from '../terminal/colors.ts'
import { addGroup, withValues } from '../terminal/lab-command.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { plainTable } from '../terminal/table.ts'

interface Json {
  json?: boolean
}

export function register(program: Command): void {
  const pins = addGroup(
    program,
    'pins',
    'Compare the versions in lab.lock.yaml with those of their publishers, and update them',
    'Example:\n  ./lab pins outdated && ./lab pins update charts.loki',
  )

  pins
    .command('outdated')
    .description('Show the pins with newer versions')
    .addArgument(
      withValues(program.createArgument('[pins...]', 'Pins to look up, as in charts.loki (default: all)'), pinIds),
    )
    .option('--json', 'Print all pins as JSON, also those that are up to date')
    .addHelpText('after', '\nExample:\n  ./lab pins outdated --json | jq \'.[] | select(.change == "major")\'')
    .action(async (names: string[], { json = false }: Json) => {
      const lock = readLock()
      const all = listPins(lock)
      const ages = await findOutdated(names.length > 0 ? names.map(name => findPin(all, name)) : all, lock)
      if (json) printJson(ages)
      else showAges(ages)
      if (ages.some(({ problem }) => problem)) process.exitCode = 1
    })

  pins
    .command('update')
    .description('Update a pin with its digest, what moves with it, and the data that tests have about it')
    .addArgument(withValues(program.createArgument('<pin>', 'Place in the lock file, as in charts.loki'), pinIds))
    .option('--to <version>', 'Version to move to (default: the newest)')
    .option('--dry-run', 'Change no file')
    .option('--json', 'Print the result as JSON')
    .addHelpText(
      'after',
      `
Changes lab.lock.yaml, or the file of --lock if that has the pin. Nothing changes if a publisher does not respond.
Some pins move together: kind with its node image and kubectl, a chart with its images, Tetragon's chart with tetra.

Examples:
  ./lab pins update tools.kind
  ./lab pins update charts.tetragon --to 1.8.0`,
    )
    .action(async (name: string, { to, dryRun, json = false }: Json & { to?: string; dryRun?: boolean }) => {
      const lock = readLock()
      const pin = findPin(listPins(lock), name)
      const update = await updatePin(pin, lock, { to, dryRun })
      if (json) printJson(update)
      else showUpdate(update, pin, dryRun)
    })
}

function showAges(ages: PinAge[]): void {
  const outdated = ages.filter(({ change }) => change)
  const grid = plainTable(['pin', 'current', 'newest', 'change'])
  for (const { pin, current, newest, change } of outdated)
    grid.push([pin, current, newest, change === 'major' ? colors.yellow(change) : change])
  if (outdated.length > 0) print(grid.toString())
  const looked = ages.filter(({ newest }) => newest !== undefined)
  if (looked.length > 0) print(`${outdated.length} of ${looked.length} pins have a newer version.`)
  for (const { pin, problem } of ages) if (problem) note(colors.yellow(`${pin}: ${problem}`))
  if (outdated[0]) note(`To update one: ./lab pins update ${outdated[0].pin}`)
}

function showUpdate(
  { moves, files, next }: PinUpdate,
  { id, version }: { id: string; version: string },
  dryRun = false,
): void {
  if (files.length === 0) {
    print(`${id} ${version} is up to date.`)
    return
  }
  for (const { pin, from, to } of moves) print(`${pin}  ${from} → ${colors.green(to)}`)
  print(`\n${dryRun ? 'Would change' : 'Changed'}:`)
  for (const file of files) print(`  ${file}`)
  print('\nNext:')
  for (const line of next) print(`  ${line}`)
}
