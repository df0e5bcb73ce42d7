// Resizing as Pillow's Image.resize(..., BILINEAR) does it: a triangle that reaches one pixel of the smaller side to each side, first along
// the rows, then along the columns; bytes are rounded after each (Pillow, src/libImaging/Resample.c).

/** For each of `target` places along a side of `size` pixels: the first pixel that counts, and the weights from it on. */
function windows(size, target) {
  const scale = size / target;
  const reach = Math.max(scale, 1);
  return Array.from({ length: target }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const end = Math.min(Math.trunc(centre + reach + 0.5), size);
    const weights = [];
    for (let at = first; at < end; at++) weights.push(Math.max(0, 1 - Math.abs((at - centre + 0.5) / reach)));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

/** One pass over `lines` lines; a line's pixels lie `step` apart, lines `stride`, both in numbers. */
function pass(values, result, found, { lines, stride, step, resultStride, resultStep, channels }, bytes) {
  for (let line = 0; line < lines; line++) {
    for (let place = 0; place < found.length; place++) {
      const { first, weights } = found[place];
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        let at = line * stride + first * step + channel;
        for (let tap = 0; tap < weights.length; tap++, at += step) sum += weights[tap] * values[at];
        result[line * resultStride + place * resultStep + channel] = bytes ? Math.floor(sum + 0.5) : sum;
      }
    }
  }
  return result;
}

/** `values`, height x width x channels, at `target` height and width; bytes stay bytes, other numbers are float32. */
export function resample(values, [height, width, channels], [targetHeight, targetWidth]) {
  const bytes = values.BYTES_PER_ELEMENT === 1;
  const make = (size) => (bytes ? new Uint8ClampedArray(size) : new Float32Array(size));
  const rows = pass(values, make(height * targetWidth * channels), windows(width, targetWidth), {
    lines: height, stride: width * channels, step: channels,
    resultStride: targetWidth * channels, resultStep: channels, channels,
  }, bytes);
  return pass(rows, make(targetHeight * targetWidth * channels), windows(height, targetHeight), {
    lines: targetWidth, stride: channels, step: targetWidth * channels,
    resultStride: channels, resultStep: targetWidth * channels, channels,
  }, bytes);
}
