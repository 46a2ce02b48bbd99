import { readKubeconfig } from './keyless-kubeconfig.ts'

// A Kubernetes client runs this command, which `.lab/kubeconfig-without-keys` names, to get the key of the cluster.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins

const decode = (value: unknown): string => Buffer.from(String(value), 'base64').toString('utf8')

const { user } = readKubeconfig().users[0]!
console.log(
  JSON.stringify({
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: {
      clientCertificateData: decode(user['client-certificate-data']),
      clientKeyData: decode(user['client-key-data']),
    },
  }),
)
