/** What V8, the C++ library and TensorFlow print when memory runs out. */
const PATTERN =
  /heap out of memory|bad_alloc|Cannot allocate memory|OOM when allocating|RESOURCE_EXHAUSTED|ENOMEM|Array buffer allocation failed/i;

export const isOutOfMemory = (text: string): boolean => PATTERN.test(text);
