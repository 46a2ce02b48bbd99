import { expect, it } from 'vitest'
import { type S3Request, signedHeaders } from '../../../../../../stacks/monitoring/loki/object-storage/signature.ts'

// The examples of AWS, with its own signatures:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html

const credentials = {
  region: 'us-east-1',
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const now = new Date('2013-05-24T00:00:00Z')
const server = 'https://examplebucket.s3.amazonaws.com'

it.each<[string, S3Request, string]>([
  [
    'gets an object',
    { method: 'GET', url: new URL(`${server}/test.txt`), headers: { range: 'bytes=0-9' } },
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ],
  [
    'puts an object, whose name has a character that URLs leave alone',
    {
      method: 'PUT',
      url: new URL(`${server}/test$file.text`),
      body: 'Welcome to Amazon S3.',
      headers: { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    },
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  ],
  [
    'asks for a parameter without a value',
    { method: 'GET', url: new URL(`${server}/?lifecycle`) },
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  ],
  [
    'lists objects',
    { method: 'GET', url: new URL(`${server}/?max-keys=2&prefix=J`) },
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  ],
])('signs as AWS does when it %s', (_, request, signature) => {
  const { authorization } = signedHeaders(request, credentials, now)
  expect(authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE\/20130524\/us-east-1\/s3\/aws4_request,/,
  )
  expect(authorization).toContain(`Signature=${signature}`)
})
