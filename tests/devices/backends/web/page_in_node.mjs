// Runs page.js without a browser: `node page_in_node.mjs FOLDER SCENARIO` prints the answers that it sends, as [order, body].
const [folder, scenario] = process.argv.slice(2);
const sent = [];
const orders = [1, 2];
const waiting = [];
const later = setImmediate;

const define = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
define("self", globalThis);
define("location", { href: "http://127.0.0.1/?page=&token=t" });
define("navigator", { userAgent: "Node" });
define("document", { getElementById: () => ({}), addEventListener: () => {} });
define("setTimeout", (call) => later(call));
define("Worker", class {
  postMessage() {
    const number = String(++this.count);
    later(() => this.onmessage({ data: number }));
  }
  count = 0;
});

// The page has the next order only once the first answer has come, whatever became of the reply to it.
function next() {
  const order = orders[0];
  if (order === undefined || order > 1 + sent.length) return new Promise((resolve) => waiting.push(() => resolve(next())));
  orders.shift();
  return new Response('{"kind": "block"}\n', { headers: { "X-Order": String(order), "X-Session": "7" } });
}

async function reply(number) {
  if (scenario === "refused" && number === 1) return new Response("no answer to an order\n", { status: 400 });
  if (scenario === "forbidden") return new Response("another token\n", { status: 403 });
  if (scenario === "lost" && number === 1) {
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => later(resolve));
    throw new TypeError("the reply was lost");
  }
  return new Response(null, { status: 204 });
}

define("fetch", async (url, { headers, body }) => {
  if (url.startsWith("/next")) return next();
  sent.push([Number(headers["X-Order"]), body]);
  const result = reply(sent.length);
  waiting.splice(0).forEach((resume) => resume());
  return result;
});

process.on("exit", () => console.log(JSON.stringify(sent)));
await import(`${folder}/page.js`);
for (let turns = 0; turns < 200; turns++) await new Promise((resolve) => later(resolve));
process.exit(0);
