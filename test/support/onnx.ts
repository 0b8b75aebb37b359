/** A small model as ONNX stores it: a protocol buffer, onnx.proto of https://github.com/onnx/onnx. */

interface Node {
  op: string;
  inputs: string[];
  outputs: string[];
}

/** Name and shape of a float32 tensor. */
type Value = [name: string, shape: number[]];

export function onnxModel(nodes: Node[], inputs: Value[], outputs: Value[]): Uint8Array {
  const graph = message([
    ...nodes.map((node) => field(1, message([...texts(1, node.inputs), ...texts(2, node.outputs), text(4, node.op)]))),
    text(2, "graph"),
    ...inputs.map((value) => field(11, valueInfo(value))),
    ...outputs.map((value) => field(12, valueInfo(value))),
  ]);
  const operators = message([text(1, ""), integer(2, 17)]);
  return Uint8Array.from(message([integer(1, 8), field(7, graph), field(8, operators)]));
}

function valueInfo([name, shape]: Value): number[] {
  const dimensions = message(shape.map((size) => field(1, integer(1, size))));
  const float32 = 1;
  const tensor = message([integer(1, float32), field(2, dimensions)]);
  return message([text(1, name), field(2, field(1, tensor))]);
}

function message(fields: number[][]): number[] {
  return fields.flat();
}

/** Of fields that hold bytes: the key's low bits are 2. */
function field(number: number, bytes: number[]): number[] {
  return [(number << 3) | 2, ...varint(bytes.length), ...bytes];
}

function integer(number: number, value: number): number[] {
  return [number << 3, ...varint(value)];
}

function text(number: number, value: string): number[] {
  return field(number, [...new TextEncoder().encode(value)]);
}

function texts(number: number, values: string[]): number[][] {
  return values.map((value) => text(number, value));
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
