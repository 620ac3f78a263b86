// Explorers: every state of a figure was drawn beforehand, and here are its controls. Without JavaScript, and on paper,
// the page keeps the still picture.
const unpack = (packed) => {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
};

// A control has `parts` for the page and `chosen()`, the index of its option. It calls `changed` when that changes.
const slider = ({ label, options, start }, changed) => {
  const input = element("input", { type: "range", min: 0, max: options.length - 1, value: start });
  const shown = element("output", {});
  const update = () => {
    shown.textContent = options[input.value];
    input.setAttribute("aria-valuetext", options[input.value]);
  };
  input.addEventListener("input", () => {
    update();
    changed();
  });
  update();
  const parts = [element("label", {}, label, input, shown)];
  if (options.length > 10) parts.push(player(input, `Play ${label}`));
  return { parts, chosen: () => input.valueAsNumber };
};

// A button that moves a slider to its end, from the beginning if it is there already.
const player = (input, name) => {
  const button = element("button", { type: "button" }, "Play");
  button.setAttribute("aria-label", name);
  let timer;
  const set = (value) => {
    input.value = value;
    input.dispatchEvent(new Event("input"));
  };
  const stop = () => {
    timer = clearInterval(timer);
    button.textContent = "Play";
    button.setAttribute("aria-label", name);
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (input.value === input.max) set(input.min);
    button.textContent = "Stop";
    button.setAttribute("aria-label", name.replace("Play", "Stop"));
    timer = setInterval(() => (input.value === input.max ? stop() : set(input.valueAsNumber + 1)), 150);
  });
  input.addEventListener("pointerdown", stop);
  return button;
};

const menu = ({ label, options, start }, changed) => {
  const select = element("select", {}, ...options.map((text, i) => new Option(text, i, i === start, i === start)));
  select.addEventListener("input", changed);
  return { parts: [element("label", {}, label, select)], chosen: () => select.selectedIndex };
};

const build = async (script) => {
  const { controls, packed } = JSON.parse(script.textContent);
  const { lines, drawings, alts } = await unpack(packed);
  const drawing = element("div", { className: "explorer-drawing", role: "img" });
  const draw = () => {
    // The last control varies fastest.
    const state = made.reduce((sum, control, i) => sum * controls[i].options.length + control.chosen(), 0);
    drawing.innerHTML = drawings[state].map((line) => lines[line]).join("\n");
    drawing.setAttribute("aria-label", alts[state]);
  };
  const made = controls.map((control) => (control.slider ? slider : menu)(control, draw));
  draw();
  const box = element("div", { className: "explorer-controls" }, ...made.flatMap((control) => control.parts));
  const output = script.closest(".cell_output");
  output.prepend(element("div", { className: "explorer" }, box, drawing));
  output.querySelector("img").classList.add("explorer-still");
  enlargeable(drawing, () => drawing.firstElementChild.width.baseVal.value);
};

document.addEventListener("DOMContentLoaded", () => {
  if (typeof DecompressionStream === "undefined") return; // an old browser: the still picture stays
  document.querySelectorAll("script.explorer-states").forEach(build);
});
