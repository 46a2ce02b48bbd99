import { createDecipheriv, pbkdf2Sync } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMap, parseDocument } from 'yaml'
import { projectDir } from '../../shared/paths.ts'
import { settingsFileName } from '../../shared/stack.ts'

/** Returns whether the passphrase fits a salt of Pulumi: `v1:SALT:v1:NONCE:TEXT`, where TEXT is "pulumi", encrypted. */
export function passphraseFits(passphrase: string, salt: string): boolean {
  const [, saltText = '', , nonce = '', encrypted = ''] = salt.split(':')
  try {
    const key = pbkdf2Sync(passphrase, Buffer.from(saltText, 'base64'), 1_000_000, 32, 'sha256')
    const bytes = Buffer.from(encrypted, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64'))
    decipher.setAuthTag(bytes.subarray(-16))
    return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString() === 'pulumi'
  } catch {
    return false
  }
}

/** Removes Pulumi's salt from the settings file. With another passphrase, Pulumi would reject it. */
export function removeSalt(file = join(projectDir, settingsFileName())): void {
  if (!existsSync(file)) return
  const text = readFileSync(file, 'utf8')
  const document = parseDocument(text)
  // Reading the settings reports a file that is not YAML.
  if (document.errors.length > 0 || !isMap(document.contents) || !document.has('encryptionsalt')) return
  // Pulumi writes it on one line. The rest stays as the user has formatted it.
  const others = text.replace(/^encryptionsalt:.*\n?/m, '')
  writeFileSync(file, document.contents.items.length > 1 ? others : 'config: {}\n')
}
