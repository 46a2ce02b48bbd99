import { expect, test } from 'vitest'
import { enclosingContainer, initialPidNamespace } from '../../../scripts/engine/enclosing-container.ts'

const own = 'pid:[4026532620]'
const where = (env: NodeJS.ProcessEnv, files: string[], pidNamespace: string | undefined) =>
  enclosingContainer({ env, exists: path => files.includes(path), pidNamespace })

test.each([
  ['GitHub Codespaces', { CODESPACES: 'true', REMOTE_CONTAINERS: 'true' }, ['/.dockerenv'], own],
  ['a dev container', { REMOTE_CONTAINERS: 'true' }, ['/.dockerenv'], own],
  ['a container', {}, ['/.dockerenv'], own],
  ['a container', {}, ['/run/.containerenv'], own],
  ['a container', { KUBERNETES_SERVICE_HOST: '10.96.0.1' }, [], own],
  // A WSL distribution.
  [undefined, {}, [], own],
  // It shares the processes of the machine.
  [undefined, { REMOTE_CONTAINERS: 'true' }, ['/.dockerenv'], initialPidNamespace],
  // macOS, from which VS Code has opened a container elsewhere.
  [undefined, { REMOTE_CONTAINERS: 'true' }, [], undefined],
])('is %s with %j, %j and %s', (container, env, files, pidNamespace) => {
  expect(where(env, files, pidNamespace)).toBe(container)
})
