import { afterEach, describe, expect, test, vi } from 'vitest'
import { docker, dockerError } from '../../../scripts/engine/docker.ts'
import { newFolder } from '../support/folders.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('explains what Docker printed', () => {
  test.each([
    [
      'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.51/info": dial unix /var/run/docker.sock: connect: permission denied',
      'You do not have permission to use the Docker socket',
    ],
    [
      'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
      'Cannot connect to Docker at unix:///var/run/docker.sock',
    ],
    ['error during connect: Get "https://10.0.0.5:2376/v1.51/info": dial tcp: i/o timeout', 'Cannot connect to Docker'],
    [
      'Error response from daemon: no space left on device',
      'docker ps failed: Error response from daemon: no space left on device',
    ],
  ])('%s', (stderr, found) => expect(dockerError(['ps'], { stderr }, 'linux').found).toBe(found))
})

test('starts the engine of a dev container with the script of its feature', () => {
  const stderr = 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?'
  const exists = (path: string): boolean => path === '/usr/local/share/docker-init.sh'
  expect(dockerError(['info'], { stderr }, 'linux', exists).next).toBe('sudo /usr/local/share/docker-init.sh')
})

describe('starts or restarts the engine that the endpoint belongs to', () => {
  test.each([
    ['unix:///Users/ada/.colima/default/docker.sock', 'darwin', 'colima start', 'colima restart'],
    ['unix:///Users/ada/.orbstack/run/docker.sock', 'darwin', 'orb start', 'orb stop && orb start'],
    ['unix:///Users/ada/.rd/docker.sock', 'darwin', 'rdctl start', 'rdctl shutdown && rdctl start'],
    [
      'unix:///Users/ada/.docker/run/docker.sock',
      'darwin',
      'start Docker Desktop',
      'docker desktop restart, or in its menu: Restart',
    ],
    [
      'unix:///Users/ada/.lima/docker/sock/docker.sock',
      'darwin',
      'limactl start docker',
      'limactl stop --force docker && limactl start docker',
    ],
    ['unix:///var/run/docker.sock', 'linux', 'sudo systemctl start docker', 'sudo systemctl restart docker'],
    ['unix:///var/run/docker.sock', 'darwin', 'start Docker Desktop', 'restart Docker Desktop'],
  ])('%s on %s', (endpoint, platform, start, restart) => {
    vi.stubEnv('DOCKER_HOST', endpoint)
    const stderr = `Cannot connect to the Docker daemon at ${endpoint}. Is the docker daemon running?`
    expect(dockerError(['info'], { stderr }, platform, () => false)).toMatchObject({
      found: `Cannot connect to Docker at ${endpoint}`,
      next: start,
    })
    expect(dockerError(['info'], { stderr: '', timedOut: true }, platform)).toMatchObject({
      found: `Docker at ${endpoint} is not responding (the VM may not have resumed from sleep)`,
      next: restart,
    })
  })
})

test('says so when the docker command is not installed', async () => {
  vi.stubEnv('PATH', newFolder())
  await expect(docker(['info'])).rejects.toMatchObject({ found: 'The docker command is not on PATH' })
})
