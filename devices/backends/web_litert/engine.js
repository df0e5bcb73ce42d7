// One session: LiteRT.js on the processor, with one thread, in a worker which ends with the session.
import { answerOrders, encoded, read } from "/frames.js";
import { loadAndCompile, loadLiteRt, Tensor } from "/runtime/core.js";

const SCRIPT = "/runtime/litert_wasm_internal.js";
const models = new Map();
let consumed;
self.importScripts = () => {}; // a module has none: the script is imported as one, before LiteRT.js asks for it
self.Module = { locateFile: (name) => `/runtime/${name}` };

function tensors(order) {
  return read(order, (dtype, numbers, shape) => ({ numbers, shape }));
}

function fed(model, feeds) {
  return model.getInputDetails().map(({ name, shape }) => {
    if (!feeds[name]) throw new Error(`no input ${name}`);
    return new Tensor(feeds[name].numbers, [...shape]);
  });
}

function release(all) {
  for (const each of all) each.delete();
}

async function start({ threads }) {
  if (threads !== 1) throw new Error(`one thread, and not ${threads}`);
  await import(SCRIPT);
  await loadLiteRt(SCRIPT);
  return encoded({});
}

async function load(order) {
  const { feeds, model: content } = tensors(order);
  const last = models.get(order.model);
  if (last) release([...last.inputs, last.model]);
  models.delete(order.model);
  const began = performance.now();
  const model = await loadAndCompile(content, { accelerator: "wasm" });
  models.set(order.model, { model, inputs: order.arrays.length ? fed(model, feeds) : [] });
  return encoded({ ms: performance.now() - began });
}

async function block({ model: number, runs }) {
  const { model, inputs } = models.get(number);
  const began = performance.now();
  for (let run = 0; run < runs; run++) {
    const outputs = await model.run(inputs);
    for (const each of outputs) consumed = each.toTypedArray()[0];
    release(outputs);
  }
  return encoded({ ms: performance.now() - began });
}

async function infer(order) {
  const { model } = models.get(order.model);
  const inputs = fed(model, tensors(order).feeds);
  const outputs = await model.run(inputs);
  const arrays = model.getOutputDetails().map(({ name }, at) => {
    const { dtype, layout } = outputs[at].type;
    return { name, dtype, shape: [...layout.dimensions] };
  });
  const answer = encoded({ arrays }, outputs.map((each) => each.toTypedArray()));
  release([...inputs, ...outputs]);
  return answer;
}

answerOrders({ start, load, block, infer });
