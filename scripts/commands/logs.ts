import type { Command } from 'commander'
import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { namespaces, releases } from '../../shared/names.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'
import { kubeArgs } from '../cluster/kubectl.ts'
import { loadContext } from '../context/context.ts'
import { wholeNumber } from '../terminal/lab-command.ts'
import { runningSource } from '../tetragon/tetra.ts'

const { application, monitoring } = namespaces

/** Parts whose logs can be asked for, and where they are. */
const parts: Record<string, { namespace: string; selector: string; container?: string }> = {
  guestbook: { namespace: application, selector: 'app=guestbook' },
  redis: { namespace: application, selector: 'app=redis' },
  traffic: { namespace: application, selector: 'app=traffic' },
  visitor: { namespace: application, selector: 'app=visitor' },
  tetragon: { namespace: monitoring, selector: 'app.kubernetes.io/name=tetragon', container: 'tetragon' },
  replay: { namespace: monitoring, selector: 'app.kubernetes.io/name=tetragon-replay' },
  prometheus: { namespace: monitoring, selector: 'app.kubernetes.io/name=prometheus' },
  loki: { namespace: monitoring, selector: 'app.kubernetes.io/name=loki' },
  shipper: { namespace: monitoring, selector: `app.kubernetes.io/name in (${releases.otel}, ${releases.fluentBit})` },
  grafana: { namespace: monitoring, selector: 'app.kubernetes.io/name=grafana' },
}

export function register(program: Command): void {
  program
    .command('logs')
    .description('show what a part of the lab writes')
    .argument('<part>', `one of ${Object.keys(parts).join(', ')}`)
    .option('-f, --follow', 'go on as more comes')
    .option('-n, --lines <count>', 'how many lines of each pod', wholeNumber('--lines', 50), 50)
    .addHelpText('after', '\nExample:\n  ./lab logs shipper --follow')
    .action(async (name: string, { follow = false, lines }: { follow?: boolean; lines: number }) => {
      if (!Object.hasOwn(parts, name)) {
        const near = nearest(name, Object.keys(parts))
        throw new LabError({
          found: `no part named ${name}`,
          expected: `one of ${Object.keys(parts).join(', ')}`,
          next: `./lab logs ${near ?? '--help'}`,
          exitCode: 2,
        })
      }
      const { settings } = await loadContext()
      const asked = name === 'tetragon' && (await runningSource()) === 'replay' ? 'replay' : name
      const part = parts[asked]!
      const container = part.container ? ['-c', part.container] : ['--all-containers']
      const { exitCode } = await execa(
        'kubectl',
        [
          ...kubeArgs(settings),
          '-n',
          part.namespace,
          'logs',
          '-l',
          part.selector,
          ...container,
          '--prefix',
          '--tail',
          String(lines),
          ...(follow ? ['-f'] : []),
        ],
        { stdio: ['ignore', 'inherit', 'inherit'], reject: false },
      )
      process.exitCode = exitCode
    })
}
