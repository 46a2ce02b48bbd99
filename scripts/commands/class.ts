import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { execa } from 'execa'
import colors from 'picocolors'
import { LabError } from '../../shared/lab-error.ts'
import { namespaces, releases } from '../../shared/names.ts'
import { projectDir } from '../../shared/paths.ts'
import { configNamespace } from '../../shared/settings/schema.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { kubeArgs, kubectl } from '../cluster/kubectl.ts'
import { loadContext } from '../context/context.ts'
import { connectLabClient } from '../exercise/check/lab-client.ts'
import { isKnown, studentName, tellTeacher } from '../exercise/class/progress-metrics.ts'
import { awayAfter, ownAddresses, readClass } from '../exercise/class/students.ts'
import { currentCapabilities } from '../exercise/session/capabilities.ts'
import { ensureStack } from '../pulumi/stack.ts'
import { wholeNumber } from '../terminal/lab-command.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { plainTable } from '../terminal/table.ts'

export function register(program: Command): void {
  const group = program
    .command('class')
    .description('for a class: students’ labs tell the teacher’s how far their exercises are')
    .addHelpText(
      'after',
      `
The teacher:   ./lab class open          and ./lab class show, or the dashboard Class in Grafana
Each student:  ./lab class join http://192.168.1.20:9099

How, and what it opens: docs/teaching.md`,
    )

  group
    .command('open')
    .description('let students’ labs reach this lab’s Prometheus, until Ctrl-C')
    .option('--address <ip>', 'of this machine, where students reach it; by default its only one')
    .option('--port <number>', 'there', wholeNumber('--port', 9099, { to: 65535 }), 9099)
    .addHelpText('after', '\nExample:\n  ./lab class open --address 192.168.1.20')
    .action(async ({ address, port }: { address?: string; port: number }) => open(chosen(address), port))

  group
    .command('join')
    .description('send the progress of your exercises to the teacher')
    .argument('<address>', 'what the teacher’s `lab class open` shows')
    .option('--as <name>', 'name that the teacher sees; by default those of your account and machine')
    .addHelpText('after', '\nExample:\n  ./lab class join http://192.168.1.20:9099 --as Ada')
    .action(async (address: string, { as }: { as?: string }) => {
      if (!/^https?:\/\/[^\s/]+/.test(address))
        throw new LabError({
          found: `the address ${address}`,
          expected: 'one like http://192.168.1.20:9099',
          next: './lab class join http://192.168.1.20:9099',
          exitCode: 2,
        })
      const before = readSettings()
      const name = studentName(before)
      // Machines that were copied from one another have the same account and name.
      if (as === undefined && before.class.pushTo !== address && (await isKnown(name, address)))
        throw new LabError({
          found: `somebody called ${name} is in this class already`,
          expected: 'a name of your own (or, if that was you, this one)',
          next: `./lab class join ${address} --as ${before.class.student || 'YOUR-NAME'}`,
        })
      await setSettings({ pushTo: address, ...(as && { student: as }) })
      const offer = await currentCapabilities()
      const problem = await tellTeacher(offer)
      print(
        `The progress of your exercises goes to ${address}, under the name ${studentName(offer.settings)}. Nothing else does.`,
      )
      if (problem) note(colors.yellow(problem))
      else print(colors.green('The teacher’s lab has heard of you.'))
      print('To stop: ./lab class leave')
    })

  group
    .command('leave')
    .description('send no progress any more')
    .addHelpText('after', '\nExample:\n  ./lab class leave')
    .action(async () => {
      await setSettings({ pushTo: '' })
      print('Your progress stays on this machine.')
    })

  group
    .command('show')
    .description('say who is where, and who is stuck')
    .option('--json', 'print it as JSON')
    .addHelpText('after', "\nExample:\n  ./lab class show --json | jq '.[] | select(.stuck)'")
    .action(async ({ json = false }: { json?: boolean }) => {
      const students = await readClass(await connectLabClient())
      if (json) return printJson(students)
      if (students.length === 0)
        return print('Nobody has sent progress in the last six hours. A class begins with ./lab class open')
      const grid = plainTable(
        ['student', 'points', 'at', 'minutes there', 'tries', 'last heard'],
        ['left', 'right', 'left', 'right', 'right', 'right'],
      )
      for (const { student, points, possible, at, stuck, away, minutesSilent } of students)
        grid.push([
          stuck ? colors.yellow(student) : away ? colors.dim(student) : student,
          `${points}/${possible}`,
          at ? `${at.exercise} ${at.task}` : 'done',
          at ? String(at.minutes) : '',
          at ? String(at.tries) : '',
          `${minutesSilent < 1 ? 'now' : `${minutesSilent} min ago`}${away ? ', away?' : ''}`,
        ])
      print(grid.toString())
      const stuck = students.filter(each => each.stuck).length
      if (stuck > 0)
        print(colors.yellow(`${stuck} may be stuck: three failed tries, or a quarter of an hour at one task.`))
      if (students.some(({ away }) => away)) print(colors.dim(`away?: not heard of for ${awayAfter} minutes.`))
    })
}

function chosen(address: string | undefined): string {
  const own = ownAddresses()
  if (address !== undefined) return address
  if (own.length === 1) return own[0]!
  throw new LabError({
    found: own.length === 0 ? 'this machine is in no network' : `this machine has the addresses ${own.join(', ')}`,
    expected: 'the one where students reach it',
    next: `./lab class open --address ${own[0] ?? 'ADDRESS'}`,
  })
}

/** Keeps a port of this machine open to Prometheus: that is all, so what students need is no account and the lab no server. */
async function open(address: string, port: number): Promise<void> {
  const { settings } = await loadContext()
  const service = `svc/${releases.prometheus}-prometheus`
  await kubectl(['-n', namespaces.monitoring, 'get', service])
  print(`Students run:  ${colors.bold(`./lab class join http://${address}:${port}`)}`)
  print(`You see them:  http://localhost:${settings.ports.grafana}/d/tetragon-class   or ./lab class show`)
  print(
    colors.yellow(
      `\nUntil Ctrl-C, whoever reaches ${address}:${port} can read this lab's metrics and add to them. Not a network to trust? Then by SSH, on each student's machine:`,
    ),
  )
  print(
    `  ssh -N -L ${port}:127.0.0.1:${settings.ports.prometheus} YOU@${address}      and  ./lab class join http://127.0.0.1:${port}\n`,
  )
  for (let failures = 0; failures < 5; ) {
    const began = Date.now()
    const forward = execa(
      'kubectl',
      [
        ...kubeArgs(settings),
        '-n',
        namespaces.monitoring,
        'port-forward',
        '--address',
        address,
        service,
        `${port}:9090`,
      ],
      { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', reject: false },
    )
    const { stderr, signal } = await forward
    if (signal === 'SIGINT' || signal === 'SIGTERM') return
    // It ends with the pod that it leads to, and with some connections that break. One that never stood is another matter.
    failures = Date.now() - began > 10_000 ? 0 : failures + 1
    if (/bind|unable to listen/.test(stderr))
      throw new LabError({
        found: `port ${port} of ${address} cannot be opened: ${stderr.trim().split('\n').at(-1)}`,
        expected: 'an address of this machine and a port that is free',
        next: `./lab class open --address ${address} --port ${port + 1}`,
      })
    await sleep(1000)
  }
  throw new LabError({
    found: 'Prometheus cannot be reached in the cluster',
    expected: 'a lab that is up',
    next: './lab status',
  })
}

/** Changes settings of the section `class`, where all settings are: in the stack's configuration. */
async function setSettings(values: Record<string, string>): Promise<void> {
  const { env } = await loadContext()
  await ensureStack(env)
  for (const [name, value] of Object.entries(values)) {
    const args =
      value === ''
        ? ['config', 'rm', '--path', `${configNamespace}:class.${name}`]
        : ['config', 'set', '--path', `${configNamespace}:class.${name}`, value]
    const { failed, stderr } = await execa('pulumi', args, { cwd: projectDir, env, stdin: 'ignore', reject: false })
    if (failed && value !== '')
      throw new LabError({
        found: `class.${name} cannot be set: ${stderr.trim().split('\n').at(-1)}`,
        expected: 'a configuration that can be written',
        next: `./lab pulumi ${args.join(' ')}`,
      })
  }
}
