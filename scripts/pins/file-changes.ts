import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'
import { at } from '../../shared/validation/schema-errors.ts'
import { editYaml, type YamlEdit } from './yaml-edit.ts'

/** Collects changes to files and makes them at once, so that an error before that changes nothing. */
export class FileChanges {
  /** The new text of each file; undefined for a file to remove. */
  readonly #texts = new Map<string, string | undefined>()

  /** Edits a YAML file. */
  edit(file: string, edits: readonly YamlEdit[]): void {
    this.#texts.set(file, editYaml(this.#read(file), edits))
  }

  write(file: string, text: string): void {
    this.#texts.set(file, text)
  }

  remove(file: string): void {
    this.#texts.set(file, undefined)
  }

  /** Returns the value at a path of a YAML file; undefined where there is none, or no file. */
  value(file: string, path: readonly string[]): unknown {
    return existsSync(file) || this.#texts.has(file) ? at(parse(this.#read(file)), path) : undefined
  }

  /** Returns the files that are changed. */
  files(): string[] {
    return [...this.#texts.keys()].filter(file => this.#texts.get(file) !== readIfExists(file))
  }

  /** Makes the changes. */
  apply(): void {
    for (const file of this.files()) {
      const text = this.#texts.get(file)
      if (text === undefined) rmSync(file, { force: true })
      else writeFileSync(file, text)
    }
  }

  #read(file: string): string {
    return this.#texts.get(file) ?? readFileSync(file, 'utf8')
  }
}

const readIfExists = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined)
