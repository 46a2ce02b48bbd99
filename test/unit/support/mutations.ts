import fc from 'fast-check'

// Mutations of real files, as a full disk, a text editor or a beginner make them. They get further into a parser than
// random text, which fails at its first byte.

/** Generates copies of some bytes with a few changed, lost, doubled, inserted or cut off. */
export const damagedBytes = (bytes: Buffer): fc.Arbitrary<Buffer> =>
  fc
    .array(
      fc.record({
        what: fc.constantFrom('flip', 'lose', 'double', 'insert', 'cut off'),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        length: fc.integer({ min: 1, max: 120 }),
        insert: fc.constantFrom(
          '\n',
          '\t',
          '"',
          "'",
          '{',
          ']',
          ': ',
          '- ',
          '---\n',
          '&a ',
          '*a',
          '!!set ',
          '\0',
          '\xff',
          '1e999',
          '~',
        ),
      }),
      { minLength: 1, maxLength: 3 },
    )
    .map(changes => {
      const result = changes.reduce((left, { what, at, length, insert }) => {
        const from = Math.floor(at * left.length)
        const [before, some, after] = [
          left.subarray(0, from),
          left.subarray(from, from + length),
          left.subarray(from + length),
        ]
        if (what === 'cut off') return before
        if (what === 'lose') return Buffer.concat([before, after])
        if (what === 'double') return Buffer.concat([before, some, some, after])
        if (what === 'insert') return Buffer.concat([before, Buffer.from(insert, 'latin1'), left.subarray(from)])
        const flipped = Buffer.from(left)
        if (from < flipped.length) flipped[from]! ^= 1 << (length % 8)
        return flipped
      }, bytes)
      // fast-check would print a failing buffer as thousands of numbers.
      return Object.assign(result, { [fc.toStringMethod]: () => JSON.stringify(changes) })
    })

const wrongValues = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e308, '', 'x', '0', '__proto__', '/(/', [], [[]], {}, { a: 1 }, [
    'x',
    null,
  ]),
  fc.jsonValue({ maxDepth: 2 }),
)

/** Generates copies of a JSON value with one or two parts replaced, removed, doubled or renamed. */
export const mutatedValue = (value: unknown): fc.Arbitrary<unknown> => {
  const places = pathsOf(value)
  const change = fc.record({
    path: fc.constantFrom(...places),
    what: fc.constantFrom('replace', 'replace', 'remove', 'rename', 'double'),
    by: wrongValues,
    name: fc.constantFrom('x', 'naem', '__proto__', 'constructor', '', 'a b', 'line\nend'),
  })
  return fc.array(change, { minLength: 1, maxLength: 2 }).map(changes => {
    let whole = structuredClone(value)
    for (const { path, what, by, name } of changes) {
      if (path.length === 0) {
        whole = structuredClone(by)
        continue
      }
      const last = path.at(-1)!
      const holder = path
        .slice(0, -1)
        .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], whole)
      if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, last) || last === 'length') continue
      const record = holder as Record<string | number, unknown>
      if (what === 'remove' && Array.isArray(holder)) holder.splice(Number(last), 1)
      else if (what === 'remove') delete record[last]
      else if (what === 'double' && Array.isArray(holder)) holder.push(structuredClone(record[last]))
      else if (what === 'rename' && !Array.isArray(holder)) {
        // As a parser does, even for `__proto__`.
        Object.defineProperty(record, name, {
          value: record[last],
          enumerable: true,
          configurable: true,
          writable: true,
        })
        delete record[last]
      } else record[last] = structuredClone(by)
    }
    return whole
  })
}

function pathsOf(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path]
  const keys = Array.isArray(value) ? value.map((_, index) => index) : Object.keys(value)
  return [path, ...keys.flatMap(key => pathsOf((value as Record<string | number, unknown>)[key], [...path, key]))]
}
