import { stackPath } from './stack.ts'

/** Returns the path of the lab's kubeconfig, with its keys. kind writes it, mode 0600. */
export const kubeconfigFile = (): string => stackPath('kubeconfig')

/** Returns the path of a kubeconfig without keys, for a Pulumi that was started without `lab env`. */
export const keylessKubeconfigFile = (): string => stackPath('kubeconfig-without-keys')

/**
 * Returns the `kubeconfig` argument of Pulumi's Kubernetes provider, which never has a key in it.
 *
 * In the lab's environment it is empty, so that the provider reads the file that `KUBECONFIG` names. A Pulumi that the
 * user started in their own environment has no such variable and needs a path. The provider copies the file behind a
 * path to a temporary folder and leaves it there, so that file has no keys.
 */
export const providerKubeconfig = (): string =>
  process.env.KUBECONFIG === kubeconfigFile() ? '' : keylessKubeconfigFile()
