/** One tensor inside the flat parameter vector. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly size: number;
}

/** Where everything lies in the flat vectors of a network. */
export interface FlatLayout {
  readonly parameters: readonly Parameter[];
  readonly parameterCount: number;
  /** Length of the moving means (and of the moving variances) of all batch norms together. */
  readonly statisticsCount: number;
}

/** All weights of a network as three flat arrays, in layout order. */
export interface FlatWeights {
  readonly theta: Float32Array;
  readonly movingMean: Float32Array;
  readonly movingVariance: Float32Array;
}

/** Lays parameters out one behind the other, in the order of the calls of `add`. */
export class ParameterList {
  readonly #parameters: Parameter[] = [];
  #count = 0;

  add(name: string, ...shape: number[]): void {
    const size = shape.reduce((a, b) => a * b, 1);
    this.#parameters.push({ name, shape, offset: this.#count, size });
    this.#count += size;
  }

  layout(statisticsCount: number): FlatLayout {
    return { parameters: this.#parameters, parameterCount: this.#count, statisticsCount };
  }
}

/** A copy of one parameter's values. */
export function parameterOf(layout: FlatLayout, theta: Float32Array, name: string): Float32Array {
  const { offset, size } = layout.parameters.find((parameter) => parameter.name === name)!;
  return theta.slice(offset, offset + size);
}

/** 1 where weight decay takes from a parameter, which are the matrices of linear layers, else 0. */
export function decaying({ parameters, parameterCount }: FlatLayout): Float32Array {
  const out = new Float32Array(parameterCount);
  for (const { name, offset, size } of parameters) {
    if (name.endsWith('.kernel')) out.fill(1, offset, offset + size);
  }
  return out;
}
