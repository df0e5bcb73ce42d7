// Orders and answers of an engine: a line of JSON, and the bytes of its arrays; devices/backends/web/orders.py is the
// other side.
const TYPES = {
  float32: Float32Array, float64: Float64Array, float16: globalThis.Float16Array ?? Uint16Array, bool: Uint8Array,
  int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array,
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array,
};

function decoded(buffer) {
  const end = new Uint8Array(buffer).indexOf(10);
  return { ...JSON.parse(new TextDecoder().decode(buffer.slice(0, end))), content: buffer.slice(end + 1) };
}

export function encoded(header, arrays = []) {
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

// The arrays of an order by name, each made by `make(dtype, numbers, shape)`, and the model, which follows them.
export function read({ arrays, content }, make) {
  const feeds = {};
  let offset = 0;
  for (const { name, dtype, shape } of arrays) {
    const Type = TYPES[dtype];
    if (!Type) throw new Error(`an input of type ${dtype}`);
    const size = shape.reduce((product, side) => product * side, 1) * Type.BYTES_PER_ELEMENT;
    feeds[name] = make(dtype, new Type(content.slice(offset, offset + size)), shape);
    offset += size;
  }
  return { feeds, model: new Uint8Array(content, offset) };
}

// Answers each order by the function of its kind.
export function answerOrders(kinds) {
  self.onmessage = async ({ data }) => {
    let answer;
    try {
      const order = decoded(data);
      answer = await kinds[order.kind](order);
    } catch (error) {
      answer = encoded({ error: String(error?.message ?? error) });
    }
    self.postMessage(answer, [answer]);
  };
}
