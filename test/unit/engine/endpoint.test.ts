import { expect, test } from 'vitest'
import { dockerEndpoint } from '../../../scripts/engine/endpoint.ts'
import { newFolder } from '../support/folders.ts'

test('finds the engine where the docker command would', () => {
  const { DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG } = process.env
  try {
    process.env.DOCKER_CONFIG = newFolder()
    delete process.env.DOCKER_HOST
    delete process.env.DOCKER_CONTEXT
    expect(dockerEndpoint()).toBe('unix:///var/run/docker.sock')
    process.env.DOCKER_HOST = 'ssh://far'
    expect(dockerEndpoint()).toBe('ssh://far')
  } finally {
    for (const [name, value] of Object.entries({ DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG }))
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
  }
})
