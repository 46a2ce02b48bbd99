import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { kindConfig } from '../../../stacks/kind-config.ts'

const config = kindConfig(parseSettings({}))

test('lets the kubelet start on a machine with cgroup v1', () => {
  expect(config.kubeadmConfigPatches.map(patch => parse(patch))).toEqual([
    { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', failCgroupV1: false },
  ])
})

test('creates one node, with ports on loopback only', () => {
  expect(config.nodes).toHaveLength(1)
  for (const { listenAddress } of config.nodes[0]!.extraPortMappings) expect(listenAddress).toBe('127.0.0.1')
})
