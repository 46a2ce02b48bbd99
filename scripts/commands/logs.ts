import type { Command } from 'commander'
import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { namespaces, releases } from '../../shared/names.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'
import { kubeArgs } from '../cluster/kubectl.ts'
import { loadRunningLab } from '../context/context.ts'
import { wholeNumber, withValues } from '../terminal/lab-command.ts'
import { runningSource } from '../tetragon/running-source.ts'

const { application, monitoring } = namespaces

/** The components whose logs can be shown. */
const components: Record<string, { namespace: string; selector: string; container?: string }> = {
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
    .description('Show the logs of a component')
    .addArgument(
      withValues(
        program.createArgument('<component>', `One of ${Object.keys(components).join(', ')}`),
        Object.keys(components),
      ),
    )
    .option('-f, --follow', 'Keep printing new lines')
    .option('-n, --lines <count>', 'Number of lines from each pod', wholeNumber('--lines', 50), 50)
    .addHelpText('after', '\nExample:\n  ./lab logs shipper --follow')
    .action(async (name: string, { follow = false, lines }: { follow?: boolean; lines: number }) => {
      if (!Object.hasOwn(components, name)) {
        const near = nearest(name, Object.keys(components))
        throw new LabError({
          found: `There is no component ${name}`,
          expected: `one of ${Object.keys(components).join(', ')}`,
          next: `./lab logs ${near ?? '--help'}`,
          exitCode: 2,
        })
      }
      const context = await loadRunningLab()
      const source = name === 'tetragon' && (await runningSource(context)) === 'replay' ? 'replay' : name
      const { namespace, selector, container } = components[source]!
      const { exitCode } = await execa(
        'kubectl',
        [
          ...kubeArgs(context.settings),
          ...['-n', namespace, 'logs', '-l', selector],
          ...(container ? ['-c', container] : ['--all-containers']),
          ...['--prefix', '--tail', String(lines)],
          ...(follow ? ['-f'] : []),
        ],
        {
          stdio: ['ignore', 'inherit', 'inherit'],
          env: context.env,
          reject: false,
          ...(!follow && { timeout: 60_000 }),
        },
      )
      process.exitCode = exitCode
    })
}
