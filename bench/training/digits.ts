// E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (1998),
// https://doi.org/10.24432/C50P49, CC BY 4.0. 1,797 records: 64 pixels of 0 to 16, row by row, then the label.

export const classCount = 10;
export const sequenceLength = 32;
export const pixelsPerStep = 2;

const pixelCount = sequenceLength * pixelsPerStep;
const recordLength = pixelCount + 1;
const largestPixel = 16;
const trainingCount = 1400;
const heldOutCount = 384;

/** Digits as a recurrent network reads them: [step, example, pixel], with one-hot labels: [example, class]. */
export interface Batch {
  size: number;
  inputs: Float32Array<ArrayBuffer>;
  targets: Float32Array<ArrayBuffer>;
}

export class Digits {
  readonly #records: Uint8Array;

  constructor(records: Uint8Array) {
    this.#records = records;
  }

  static async load(): Promise<Digits> {
    const response = await fetch(new URL("./digits8.bin", import.meta.url));
    if (!response.ok) throw new Error(`The digits could not be loaded: ${response.status} ${response.statusText}.`);
    return new Digits(new Uint8Array(await response.arrayBuffer()));
  }

  /** `size` training digits, drawn with replacement. */
  draw(size: number, uniform: () => number): Batch {
    return this.#batch(Array.from({ length: size }, () => Math.floor(uniform() * trainingCount)));
  }

  /** Digits that are never trained on. */
  heldOut(): Batch {
    return this.#batch(Array.from({ length: heldOutCount }, (_, index) => trainingCount + index));
  }

  heldOutLabels(): Uint8Array {
    return Uint8Array.from({ length: heldOutCount }, (_, index) => this.#label(trainingCount + index));
  }

  /** The 8 by 8 grey levels of one held-out digit, each in [0, 1]. */
  heldOutImage(index: number): Float32Array {
    return Float32Array.from({ length: pixelCount }, (_, pixel) => this.#pixel(trainingCount + index, pixel));
  }

  #batch(indices: number[]): Batch {
    const size = indices.length;
    const inputs = new Float32Array(sequenceLength * size * pixelsPerStep);
    const targets = new Float32Array(size * classCount);
    indices.forEach((index, example) => {
      for (let pixel = 0; pixel < pixelCount; pixel++) {
        const step = Math.floor(pixel / pixelsPerStep);
        inputs[(step * size + example) * pixelsPerStep + (pixel % pixelsPerStep)] = this.#pixel(index, pixel);
      }
      targets[example * classCount + this.#label(index)] = 1;
    });
    return { size, inputs, targets };
  }

  #pixel(index: number, pixel: number): number {
    return (this.#records[index * recordLength + pixel] ?? 0) / largestPixel;
  }

  #label(index: number): number {
    return this.#records[index * recordLength + pixelCount] ?? 0;
  }
}
