// One session: onnxruntime-web in a worker, which ends with the session. An order is a line of JSON and the bytes that
// belong to it, and so is its answer; devices/backends/web/orders.py is the other side.
import * as ort from "/runtime/ort.wasm.min.mjs";

const TYPES = {
  float32: Float32Array, float64: Float64Array, float16: globalThis.Float16Array ?? Uint16Array, bool: Uint8Array,
  int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array,
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array,
};
const KERNEL = "_kernel_time";
const models = new Map();
let printed = null;
let consumed;
console.log = (...words) => printed?.push(words.join(" ")); // the runtime prints its profile

function decoded(buffer) {
  const end = new Uint8Array(buffer).indexOf(10);
  return { ...JSON.parse(new TextDecoder().decode(buffer.slice(0, end))), content: buffer.slice(end + 1) };
}

function encoded(header, arrays = []) {
  const line = new TextEncoder().encode(`${JSON.stringify(header)}\n`);
  const bytes = new Uint8Array(arrays.reduce((sum, each) => sum + each.byteLength, line.byteLength));
  bytes.set(line);
  let offset = line.byteLength;
  for (const each of arrays) {
    bytes.set(new Uint8Array(each.buffer, each.byteOffset, each.byteLength), offset);
    offset += each.byteLength;
  }
  return bytes.buffer;
}

function tensors({ arrays, content }) {
  const feeds = {};
  let offset = 0;
  for (const { name, dtype, shape } of arrays) {
    const Type = TYPES[dtype];
    if (!Type) throw new Error(`an input of type ${dtype}`);
    const size = shape.reduce((product, side) => product * side, 1) * Type.BYTES_PER_ELEMENT;
    feeds[name] = new ort.Tensor(dtype, new Type(content.slice(offset, offset + size)), shape);
    offset += size;
  }
  return { feeds, model: new Uint8Array(content, offset) };
}

function consume(outputs) {
  for (const name in outputs) consumed = outputs[name].data[0];
}

function start({ threads }) {
  ort.env.wasm.wasmPaths = "/runtime/";
  ort.env.wasm.numThreads = threads;
  return encoded({});
}

async function load(order) {
  const { feeds, model } = tensors(order);
  await models.get(order.model)?.session.release();
  models.delete(order.model);
  const began = performance.now();
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  models.set(order.model, { session, feeds });
  return encoded({ ms: performance.now() - began });
}

async function block({ model, runs }) {
  const { session, feeds } = models.get(model);
  const began = performance.now();
  for (let run = 0; run < runs; run++) consume(await session.run(feeds));
  return encoded({ ms: performance.now() - began });
}

async function profile(order) {
  const { feeds, model } = tensors(order);
  const options = { executionProviders: ["wasm"], graphOptimizationLevel: "disabled", enableProfiling: true };
  printed = [];
  const session = await ort.InferenceSession.create(model, options);
  for (let run = 0; run < order.runs; run++) consume(await session.run(feeds));
  session.endProfiling();
  await session.release();
  const microseconds = {};
  for (const line of printed.filter((each) => each.startsWith('{"cat" : "Node"'))) {
    const { name, dur } = JSON.parse(line.replace(/,\s*$/, ""));
    if (name.endsWith(KERNEL)) (microseconds[name.slice(0, -KERNEL.length)] ??= []).push(dur);
  }
  printed = null;
  return encoded({ microseconds });
}

async function infer(order) {
  const { session } = models.get(order.model);
  const outputs = await session.run(tensors(order).feeds);
  const made = session.outputNames.map((name) => outputs[name]);
  if (made.some((each) => each.type === "string")) throw new Error("an output is text, or no tensor");
  const arrays = made.map(({ type, dims }, at) => ({ name: session.outputNames[at], dtype: type, shape: dims }));
  return encoded({ arrays }, made.map((each) => each.data));
}

const KINDS = { start, load, block, profile, infer };

self.onmessage = async ({ data }) => {
  let answer;
  try {
    const order = decoded(data);
    answer = await KINDS[order.kind](order);
  } catch (error) {
    answer = encoded({ error: String(error?.message ?? error) });
  }
  self.postMessage(answer, [answer]);
};
