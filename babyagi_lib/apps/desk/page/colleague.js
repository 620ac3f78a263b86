// The colleague's page.
"use strict";

const BASE = "/api/colleague";
const CALLS = { stop_card: "stop the card" };
let current = null;
let busy = false;
let lost = false; // whether the last look failed: only then may a look that works take the message away
const trouble = text => { if ($("trouble").textContent !== text) $("trouble").textContent = text; };

/** Ask, and show what went wrong; without the cookie, the form for the key appears. */
async function tried(work) {
  try {
    return await work();
  } catch (error) {
    if (error.status === 401) { $("work").hidden = true; $("login").hidden = false; }
    trouble(error.status ? error.message : "No connection at the moment.");
    return null;
  }
}

function minutes(since) {
  const passed = Math.floor((Date.now() / 1000 - since) / 60);
  return passed < 1 ? "just now" : passed === 1 ? "for 1 minute" : `for ${passed} minutes`;
}

function showQueue(queue) {
  const list = $("queue"), focused = document.activeElement?.dataset?.number;
  const shown = JSON.stringify([current, queue.map(one => [one.id, one.text, minutes(one.queued)])]);
  if (list.dataset.shown === shown) return; // a button that is replaced while it is pressed is not clicked
  list.dataset.shown = shown;
  list.replaceChildren(...queue.map(one => {
    const item = make("li"), button = make("button", "", `Customer ${one.id}, waits ${minutes(one.queued)}: ${[...one.text].slice(0, 80).join("")}`);
    button.type = "button";
    button.dataset.number = one.id;
    button.setAttribute("aria-current", String(one.id === current));
    button.addEventListener("click", () => open(one.id));
    item.append(button);
    return item;
  }));
  if (focused) list.querySelector(`[data-number="${Number(focused)}"]`)?.focus();
  $("empty").hidden = queue.length > 0;
  const state = `${queue.length} waiting`;
  if ($("state").textContent !== state) $("state").textContent = state;
}

function showOne(found) {
  const first = $("log").childElementCount === 0;
  show($("log"), found.messages, "colleague");
  const waiting = (found.calls || []).filter(call => call.state === "waiting");
  const asked = String(waiting.map(call => call.id));
  if (first || $("calls").dataset.shown !== asked) showCalls(waiting);
  $("calls").dataset.shown = asked;
}

function showCalls(waiting) {
  $("calls").replaceChildren(...waiting.map(call => {
    const box = make("div", "call"), row = make("div", "options");
    box.append(make("p", "", `The customer asks for this: ${CALLS[call.tool] || call.tool}. It needs your yes, as ${call.reason}.`), row);
    for (const [label, approved] of [["Yes, do it", true], ["No", false]]) {
      const button = make("button", "", label);
      button.type = "button";
      button.addEventListener("click", () => write("calls", { call: call.id, approved }));
      row.append(button);
    }
    return box;
  }));
  $("log").scrollTop = $("log").scrollHeight; // the box takes some of its height
}

async function open(number) {
  if (current !== number) {
    current = number;
    $("log").replaceChildren();
    $("calls").replaceChildren();
    $("calls").dataset.shown = "";
    $("text").value = "";
    $("intent").value = "";
    $("who").textContent = `Customer ${number}`;
    $("one").hidden = false;
    $("who").focus();
    trouble("");
  }
  await look();
}

/** Do one thing at a time; returns whether it was done, for the customer who is still shown. */
async function write(what, body) {
  if (busy) return false;
  busy = true;
  const number = current;
  const found = await tried(() => askSurely(`${BASE}/queue/${number}/${what}`, body, trouble));
  busy = false;
  await look();
  return found !== null && number === current;
}

function leave() {
  const inside = $("one").contains(document.activeElement);
  current = null;
  $("one").hidden = true;
  if (inside) ($("queue").querySelector("button") || $("work")).focus();
}

$("login").addEventListener("submit", async event => {
  event.preventDefault();
  const found = await tried(() => ask(`${BASE}/login`, { key: $("key").value }));
  if (found) { $("key").value = ""; await begin(); $("work").focus(); }
});
$("write").addEventListener("submit", async event => {
  event.preventDefault();
  const text = $("text").value;
  if (text.trim() && await write("messages", { text }) && $("text").value === text) $("text").value = "";
  $("text").focus();
});
$("close").addEventListener("submit", async event => {
  event.preventDefault();
  await write("close", { intent: $("intent").value || null });
});
sendOnEnter($("text"), $("write"));

async function look() {
  const before = lost;
  lost = await tried(async () => {
    const { queue } = await ask(`${BASE}/queue`);
    showQueue(queue);
    const number = current;
    if (!queue.some(one => one.id === number)) leave(); // ended, here or by another colleague
    else {
      const found = await ask(`${BASE}/queue/${number}`);
      if (number === current) showOne(found);
    }
  }) === null;
  if (before && !lost) trouble("");
}

async function begin() {
  trouble("");
  const { intents } = await ask(`${BASE}/intents`);
  $("intent").replaceChildren($("intent").options[0], ...intents.map(({ name, title }) => {
    const option = make("option", "", title);
    option.value = name;
    return option;
  }));
  $("login").hidden = true;
  $("work").hidden = false;
  await look();
}
begin().catch(() => { $("key").focus(); }); // without the cookie the form for the key stays
every(2, async () => { if (!$("work").hidden) await look(); });
