// From a picture to the network's input, and from its logits to a mask of the picture's size; as preprocess.py of the
// bundle's segment.py, with masks enlarged bilinearly.
import * as ort from "./runtime/ort.wasm.min.mjs";
import { resample } from "./resample.js";

const MOST_THREADS = 4;
ort.env.wasm.wasmPaths = new URL("runtime/", import.meta.url).href;
// Threads need memory that pages share, which browsers allow only to isolated pages.
ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1;

function roundedToEven(value) {
  const down = Math.floor(value);
  return value - down === 0.5 ? down + (down % 2) : Math.round(value);
}

/** Where a picture lies in the network's input. */
function place(height, width, layout) {
  if (layout.resize_policy === "resize") return { top: 0, left: 0, height: layout.height, width: layout.width };
  const scale = Math.min(layout.height / height, layout.width / width);
  const inner = [[height, layout.height], [width, layout.width]].map(([side, most]) =>
    Math.min(most, Math.max(1, roundedToEven(side * scale))));
  return {
    top: Math.floor((layout.height - inner[0]) / 2), left: Math.floor((layout.width - inner[1]) / 2),
    height: inner[0], width: inner[1],
  };
}

/** An ImageData as 1 x 3 x height x width; around a picture of another shape it is zero, the mean colour. */
function prepare(picture, placement, { height, width, normalisation: { mean, std } }) {
  const { data } = picture;
  const pixels = resample(data, [picture.height, picture.width, 4], [placement.height, placement.width]);
  const input = new Float32Array(3 * height * width);
  for (let channel = 0; channel < 3; channel++) {
    input.fill((Math.round(255 * mean[channel]) / 255 - mean[channel]) / std[channel],
      channel * height * width, (channel + 1) * height * width);
    for (let row = 0; row < placement.height; row++) {
      let to = (channel * height + placement.top + row) * width + placement.left;
      let from = 4 * row * placement.width + channel;
      for (let column = 0; column < placement.width; column++, to++, from += 4) {
        input[to] = (pixels[from] / 255 - mean[channel]) / std[channel];
      }
    }
  }
  return input;
}

/** Class numbers and foreground probability of each pixel of the picture. */
function spread(logits, placement, layout, [height, width]) {
  const { top, left } = placement;
  const [, classes, netHeight, netWidth] = logits.dims;
  const labels = new Uint8Array(height * width);
  const best = new Float32Array(height * width);
  const odds = new Float32Array(height * width).fill(-Infinity);
  for (let label = 1; label < classes; label++) {
    const inner = new Float32Array(placement.height * placement.width);
    for (let row = 0, at = 0; row < placement.height; row++) {
      let from = (top + row) * netWidth + left;
      for (let column = 0; column < placement.width; column++, from++, at++) {
        inner[at] = logits.data[label * netHeight * netWidth + from] - logits.data[from];
      }
    }
    const margins = resample(inner, [placement.height, placement.width, 1], [height, width]);
    for (let at = 0; at < margins.length; at++) {
      const margin = margins[at];
      if (margin > best[at]) {
        best[at] = margin;
        labels[at] = label;
      }
      const more = Math.max(margin, odds[at]);
      odds[at] = more + Math.log1p(Math.exp(Math.min(margin, odds[at]) - more));
    }
  }
  return { labels, foreground: odds.map((margin) => 0.5 + 0.5 * Math.tanh(margin / 2)) };
}

export class Network {
  static async load() {
    const layout = await (await fetch("network.json")).json();
    const model = await (await fetch("model.onnx")).arrayBuffer();
    return new Network(layout, await ort.InferenceSession.create(model));
  }

  constructor(layout, session) {
    this.layout = layout;
    this.session = session;
    this.free = Promise.resolve();
  }

  get threads() {
    return ort.env.wasm.numThreads;
  }

  /** Labels and foreground of an ImageData, and the milliseconds that the network alone took; one picture at a time. */
  segment(picture) {
    const found = this.free.then(() => this.run(picture));
    this.free = found.catch(() => {});
    return found;
  }

  async run(picture) {
    const { layout, session } = this;
    const placement = place(picture.height, picture.width, layout);
    const input = new ort.Tensor("float32", prepare(picture, placement, layout), [1, 3, layout.height, layout.width]);
    const begun = performance.now();
    const outputs = await session.run({ [layout.name]: input });
    const networkMs = performance.now() - begun;
    const found = spread(outputs[session.outputNames[0]], placement, layout, [picture.height, picture.width]);
    return { ...found, networkMs };
  }
}
