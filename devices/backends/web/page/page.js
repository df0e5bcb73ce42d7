// Fetches orders from latseg, hands each to the engine of its session, and sends the answers back. The request for the
// next order is open all the time: by it latseg knows that the page is.
const address = new URL(location.href);
const name = address.searchParams.get("page");
const headers = {
  Authorization: `Bearer ${address.searchParams.get("token")}`,
  "X-Page": [...crypto.getRandomValues(new Uint32Array(4))].map((each) => each.toString(16)).join(""),
};
const query = `page=${encodeURIComponent(name)}`;
const engines = new Map();
const counts = { load: 0, block: 0 };
const RETRY_MS = 1000;
const RETRIES = 30;
const SPIN_MS = 50;
let received = 0;
let shownAt = 0;

function show(id, text) {
  document.getElementById(id).textContent = text;
}

function state(text, kind = "") {
  show("state", text);
  document.getElementById("state").className = kind;
}

function clockResolution() {
  let least = Infinity;
  let last = performance.now();
  for (const end = last + SPIN_MS; last < end; ) {
    const now = performance.now();
    if (now > last) least = Math.min(least, now - last);
    last = now;
  }
  return least;
}

function browser() {
  const brand = navigator.userAgentData?.brands.find((each) => !/Not.?A.?Brand/i.test(each.brand));
  if (brand) return `${brand.brand} ${brand.version}`;
  const [, program, version] = /(Firefox|FxiOS|CriOS|Chrome|Version)\/(\d+)/.exec(navigator.userAgent) ?? [];
  return program ? `${program === "Version" ? "Safari" : program} ${version}` : "unknown";
}

async function hardware() {
  const known = await navigator.userAgentData?.getHighEntropyValues?.(["model", "architecture", "platformVersion"]);
  const system = /\(([^)]*)\)/.exec(navigator.userAgent)?.[1] ?? "unknown";
  const words = known ? [known.model, known.platform, known.platformVersion, known.architecture] : [system];
  return `${words.filter(Boolean).join(" ").slice(0, 150)} (${navigator.hardwareConcurrency ?? 1} cores)`;
}

async function description() {
  const isolated = self.crossOriginIsolated === true;
  const cores = isolated ? (navigator.hardwareConcurrency ?? 1) : 1;
  return { hardware: await hardware(), browser: browser(), threads: cores, isolated, clock_ms: clockResolution() };
}

function display(known) {
  show("device", name ? `page:${name}` : "page");
  show("threads", known.threads);
  show("clock", `${Number(known.clock_ms.toPrecision(2))} ms`);
  show("browser", known.browser);
  document.getElementById("insecure").hidden = known.isolated;
}

function pause() {
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS));
}

// Not more often than once a second: what the page draws disturbs what it measures.
function measuring() {
  if (Date.now() - shownAt < RETRY_MS) return;
  shownAt = Date.now();
  state("Measuring");
  show("loaded", counts.load);
  show("blocks", counts.block);
  show("last", new Date().toLocaleTimeString());
}

function engineOf(session) {
  if (!engines.has(session)) {
    const engine = { worker: new Worker("/engine.js", { type: "module" }), order: null, kind: "" };
    engine.worker.onmessage = ({ data }) => answer(engine, data);
    engine.worker.onerror = ({ message }) => answer(engine, `${JSON.stringify({ error: message || "no engine" })}\n`);
    engines.set(session, engine);
  }
  return engines.get(session);
}

function idle() {
  if (engines.size === 0) state("Ready: waiting for a latseg command", "waiting");
}

function perform(session, order, body) {
  if (body.byteLength === 0) {
    engines.get(session)?.worker.terminate();
    engines.delete(session);
    idle();
    return;
  }
  const line = new TextDecoder().decode(body.slice(0, new Uint8Array(body).indexOf(10)));
  const engine = engineOf(session);
  Object.assign(engine, { order, kind: JSON.parse(line).kind });
  engine.worker.postMessage(body, [body]);
}

// The engine may have the next order before its last answer is sent: where only the reply to that answer was lost.
async function answer({ kind, order }, body) {
  if (kind in counts) counts[kind] += 1;
  const refusal = await send(order, body);
  if (refusal) await send(order, `${JSON.stringify({ error: refusal })}\n`);
}

// Returns why the answer was not taken, else an empty text.
async function send(order, body) {
  for (let left = RETRIES; left; left--) {
    try {
      const options = { method: "POST", headers: { ...headers, "X-Order": order }, body };
      const reply = await fetch(`/answer?${query}`, options);
      return reply.ok ? "" : `the outputs could not be sent: ${await reply.text()}`;
    } catch {
      await pause();
    }
  }
  return "the outputs could not be sent";
}

async function next(known) {
  const reply = await fetch(`/next?${query}`, {
    method: "POST", headers: { ...headers, "X-Received": received }, body: JSON.stringify(known),
  });
  if (reply.status === 200) {
    measuring();
    const body = await reply.arrayBuffer();
    received = Number(reply.headers.get("X-Order"));
    perform(reply.headers.get("X-Session"), received, body);
  } else if (reply.status === 204) {
    idle();
  } else {
    state(await reply.text(), "ended");
    return false;
  }
  return true;
}

async function keepScreenOn() {
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // refused where power is being saved
  }
}

async function main() {
  const known = await description();
  display(known);
  idle();
  keepScreenOn();
  document.addEventListener("visibilitychange", keepScreenOn);
  for (let open = true; open; ) {
    try {
      open = await next(known);
    } catch {
      state("latseg does not answer: waiting for it", "waiting");
      await pause();
    }
  }
}

main();
