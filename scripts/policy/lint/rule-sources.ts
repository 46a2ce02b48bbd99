// Where each rule comes from. `tetragon:` is a path in Tetragon's repository at the version of the schemas, with a
// line. Anything else is a path in this repository, for the rules about its pipeline, or an address.
// cspell:ignoreRegExp tetragon:\S+

const selectors = 'tetragon:pkg/selectors/kernel.go'
const kprobe = 'tetragon:pkg/sensors/tracing/generickprobe.go'
const lsm = 'tetragon:pkg/sensors/tracing/genericlsm.go'
const handler = 'tetragon:pkg/sensors/tracing/policyhandler_linux.go'
const options = 'tetragon:pkg/sensors/tracing/options.go'
const types = 'tetragon:pkg/k8s/apis/cilium.io/v1alpha1'
const guide = 'tetragon:docs/content/en/docs/concepts/tracing-policy'

/** The source of every rule, by its id. */
export const ruleSources: Readonly<Record<string, string>> = {
  yaml: 'tetragon:pkg/tracingpolicy/k8s.go#L38',
  'kind-of-object': 'tetragon:pkg/tracingpolicy/k8s.go#L58',
  schema: 'tetragon:pkg/crdutils/crdutils.go#L100',
  template: 'tetragon:examples/quickstart/network_egress_cluster.yaml',
  'name-twice': 'https://kubernetes.io/docs/concepts/overview/working-with-objects/names/',
  waiver: 'scripts/policy/lint/document-rules.ts',

  name: 'https://kubernetes.io/docs/concepts/overview/working-with-objects/names/',
  'cluster-namespace': `${types}/tracing_policy_types.go#L41`,
  'no-namespace': 'tetragon:pkg/tracingpolicy/generictracingpolicy.go#L53',
  'message-length': 'tetragon:pkg/sensors/tracing/message.go#L13',
  tags: 'tetragon:pkg/sensors/tracing/tags.go#L14',
  'severity-tag': 'stacks/monitoring/fields.ts',

  'unscoped-enforcement': `${guide}/k8s-filtering.md`,
  'uprobe-scope': 'tetragon:pkg/sensors/tracing/genericuprobe.go#L728',
  'token-enforcement': `${guide}/k8s-filtering.md`,
  'unfiltered-enforcement': `${guide}/selectors.md`,
  'hidden-namespace': 'tetragon:install/kubernetes/tetragon/values.yaml#L93',
  'whole-machine': `${guide}/k8s-filtering.md`,
  'empty-selector': 'tetragon:pkg/policyfilter/state.go#L188',
  'host-selector': `${types}/tracing_policy_types.go#L53`,

  'no-hook': `${handler}#L145`,
  'hook-name': `${lsm}#L241`,
  'arch-prefix': 'tetragon:pkg/arch/arch.go#L15',
  'one-section': `${handler}#L165`,
  'syscall-flag': 'tetragon:pkg/btf/validation.go#L104',
  'unknown-hook': 'tetragon:pkg/btf/validation.go#L107',
  'twice-hooked': `${kprobe}#L745`,
  list: 'tetragon:pkg/sensors/tracing/lists_linux.go#L63',
  'hot-hook': `${guide}/selectors.md`,

  'uprobe-target': 'tetragon:pkg/sensors/tracing/genericuprobe.go#L529',
  'tracepoint-field': 'tetragon:pkg/sensors/tracing/generictracepoint.go#L274',
  'tracepoint-order': 'tetragon:pkg/sensors/tracing/generictracepoint.go#L728',

  'lsm-prefix': `${lsm}#L258`,
  'lsm-action': `${lsm}#L212`,
  'lsm-repeat': 'tetragon:bpf/process/bpf_generic_lsm_output.c#L48',
  'lsm-error': 'tetragon:bpf/process/types/basic.h#L2743',

  'argument-type': `${kprobe}#L328`,
  'argument-count': `${kprobe}#L839`,
  'argument-unknown': `${selectors}#L913`,
  'return-argument': `${kprobe}#L882`,
  'return-action': `${kprobe}#L733`,

  'argument-mismatch': 'tetragon:pkg/btf/validation.go#L173',
  'data-source': `${kprobe}#L847`,
  'resolve-path': 'tetragon:pkg/btf/btf.go#L259',
  'size-argument': 'tetragon:pkg/sensors/tracing/args_linux.go#L82',

  'in-for-arguments': `${guide}/selectors.md`,
  'operator-type': `${selectors}#L1026`,
  'value-format': `${selectors}#L699`,
  'too-many-values': `${selectors}#L687`,
  'value-length': `${selectors}#L777`,

  wildcard: `${selectors}#L738`,
  substring: 'tetragon:bpf/process/types/basic.h#L906',

  'too-many-selectors': `${selectors}#L1651`,
  'unreachable-selector': 'tetragon:bpf/process/generic_calls.h#L1332',
  'too-many-filters': `${selectors}#L1097`,
  'namespace-value': `${selectors}#L1300`,
  capability: `${selectors}#L1406`,
  'host-namespace': `${selectors}#L1293`,
  'init-tree': `${selectors}#L354`,
  'macro-missing': 'tetragon:pkg/sensors/tracing/generic.go#L203',

  'macro-conflict': 'tetragon:pkg/sensors/tracing/generic.go#L275',
  'macro-unused': 'tetragon:pkg/sensors/tracing/generic.go#L194',
  'no-values': `${selectors}#L1505`,

  'one-binaries': `${selectors}#L1560`,
  'follow-children': `${selectors}#L1516`,
  'parent-binaries': `${selectors}#L1564`,
  'binary-by-link': 'tetragon:bpf/process/types/basic.h#L1967',
  'binary-is-caller': 'tetragon:bpf/process/types/basic.h#L1967',

  'token-path': 'tetragon:bpf/process/types/basic.h#L352',
  'linked-path': 'tetragon:bpf/process/types/basic.h#L352',
  'relative-path': 'tetragon:bpf/process/types/basic.h#L352',
  'folder-equal': 'tetragon:bpf/process/types/basic.h#L669',
  'path-by-name': `${guide}/hooks.md`,

  'override-place': `${kprobe}#L363`,
  'override-multi': `${kprobe}#L356`,
  'override-error': `${guide}/selectors.md`,
  'override-and-kill': `${guide}/selectors.md`,
  'override-syscall': `${kprobe}#L360`,

  'too-many-actions': `${selectors}#L1268`,
  'late-kill': 'tetragon:docs/content/en/docs/concepts/enforcement/_index.md',
  'action-order': 'tetragon:bpf/process/generic_calls.h#L1084',
  'action-place': 'tetragon:bpf/process/generic_calls.h#L872',
  'fentry-action': 'tetragon:pkg/sensors/tracing/genericfentry.go#L40',
  'kernel-feature': `${kprobe}#L352`,
  'signal-number': `${guide}/selectors.md`,
  'post-only': `${kprobe}#L409`,
  'rate-limit': `${selectors}#L1148`,
  enforcer: 'tetragon:pkg/sensors/tracing/enforcer.go#L196',
  'deprecated-action': `${guide}/selectors.md#L742`,

  'unknown-option': `${options}#L99`,
  'option-twice': `${options}#L99`,
  'monitor-name': 'stacks/monitoring/fields.ts',
  'monitor-return': `${kprobe}#L1102`,
  'monitor-nothing': `${handler}#L95`,
}
