import { Network } from "./network.js";

const element = (name) => document.getElementById(name);
const status = element("status");
const links = [element("save-cutout"), element("save-mask")];
const grabbed = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
let stream = null;

function say(text, failed = false) {
  status.textContent = text;
  status.classList.toggle("failed", failed);
}

function pixelsOf(picture, width, height) {
  Object.assign(grabbed.canvas, { width, height });
  grabbed.drawImage(picture, 0, 0);
  return grabbed.getImageData(0, 0, width, height);
}

function paint(name, image) {
  const canvas = element(name);
  Object.assign(canvas, { width: image.width, height: image.height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Two classes: black and white; more: the class number as grey, spread over the greys. */
function show(picture, { labels, foreground }, classes) {
  const mask = new ImageData(picture.width, picture.height);
  for (let at = 0, to = 0; at < labels.length; at++, to += 4) {
    mask.data[to] = mask.data[to + 1] = mask.data[to + 2] = Math.round((255 * labels[at]) / (classes - 1));
    mask.data[to + 3] = 255;
    picture.data[to + 3] = Math.round(foreground[at] * picture.data[to + 3]);
  }
  paint("cutout", picture);
  paint("mask", mask);
  document.querySelector(".results").hidden = false;
}

async function segment(network, picture, isWanted = () => true) {
  const begun = performance.now();
  const found = await network.segment(picture);
  if (isWanted()) show(picture, found, network.layout.classes.length);
  return `${Math.round(performance.now() - begun)} ms, ${found.networkMs.toFixed(1)} ms of them the network`;
}

async function photograph(network, file) {
  stop();
  try {
    const bitmap = await createImageBitmap(file);
    const words = await segment(network, pixelsOf(bitmap, bitmap.width, bitmap.height));
    for (const link of links) {
      const blob = await new Promise((done) => element(link.id.replace("save-", "")).toBlob(done));
      URL.revokeObjectURL(link.href);
      link.href = URL.createObjectURL(blob);
      link.hidden = false;
    }
    say(`${file.name}, ${bitmap.width} x ${bitmap.height}: ${words}.`);
  } catch (error) {
    say(`${file.name} cannot be segmented: ${error.message}`, true);
  }
}

async function film(network) {
  try {
    const own = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    stop();
    stream = own;
    element("camera").setAttribute("aria-pressed", "true");
    links.forEach((link) => { link.hidden = true; });
    const video = Object.assign(document.createElement("video"), { srcObject: own, muted: true, playsInline: true });
    await video.play();
    while (stream === own) {
      const words = await segment(network, pixelsOf(video, video.videoWidth, video.videoHeight), () => stream === own);
      if (stream === own) say(`Camera: ${words}.`);
      await new Promise(requestAnimationFrame);
    }
  } catch (error) {
    stop();
    say(`No camera: ${error.message}. A page needs HTTPS or the address localhost for it.`, true);
  }
}

function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  element("camera").setAttribute("aria-pressed", "false");
}

async function main() {
  const network = await Network.load();
  const { height, width, classes } = network.layout;
  element("network").textContent = `The network takes ${height} x ${width} and knows ${classes.join(", ")}; ` +
    `it runs on ${network.threads === 1 ? "one thread" : `${network.threads} threads`}.`;
  element("photograph").addEventListener("change", ({ target }) => {
    if (target.files.length) photograph(network, target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
  element("camera").addEventListener("click", () => (stream ? stop() : film(network)));
  element("photograph").disabled = element("camera").disabled = false;
  say("Choose a photograph, or start the camera.");
}

main().catch((error) => say(`The network cannot be loaded: ${error.message}`, true));
