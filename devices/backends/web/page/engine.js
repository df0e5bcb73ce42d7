// One session: onnxruntime-web in a worker, which ends with the session.
import { answerOrders, encoded, read } from "/frames.js";
import * as ort from "/runtime/ort.wasm.min.mjs";

const KERNEL = "_kernel_time";
const models = new Map();
let printed = null;
let consumed;
console.log = (...words) => printed?.push(words.join(" ")); // the runtime prints its profile

function tensors(order) {
  return read(order, (dtype, numbers, shape) => new ort.Tensor(dtype, numbers, shape));
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

answerOrders({ start, load, block, profile, infer });
