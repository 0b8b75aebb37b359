/** A struct of WGSL whose fields have a word each, written and read by name. */
export interface Struct<Field extends string> {
  readonly fields: readonly Field[];
  readonly words: number;
  /** Writes some fields of the struct that begins at a word; the others are left as they are. */
  write(into: Uint32Array, start: number, values: Readonly<Partial<Record<Field, number>>>): void;
  read(from: Uint32Array, start: number, field: Field): number;
}

/** @param fields in the order of the WGSL, which test/struct.test.ts holds them to. */
/* @__NO_SIDE_EFFECTS__ */ // A bundler leaves out the structs of kernels that a page does not use, unless a constant reads their `words`.
export function struct<const Field extends string>(...fields: readonly Field[]): Struct<Field> {
  return {
    fields,
    words: fields.length,
    write(into, start, values) {
      for (const [at, field] of fields.entries()) into[start + at] = values[field] ?? (into[start + at] as number);
    },
    read: (from, start, field) => from[start + fields.indexOf(field)] as number,
  };
}
