// The colleague's page.
"use strict";

const BASE = "/api/colleague";
const CALLS = { stop_card: "stop the card" };
let current = null;
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
  list.replaceChildren(...queue.map(one => {
    const item = make("li"), button = make("button", "", `Customer ${one.id}, waits ${minutes(one.queued)}: ${one.text}`);
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
  if (first) $("log").scrollTop = $("log").scrollHeight;
  const waiting = (found.calls || []).filter(call => call.state === "waiting");
  if ($("calls").dataset.shown === String(waiting.map(call => call.id))) return;
  $("calls").dataset.shown = String(waiting.map(call => call.id));
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
  }
  await look();
}

async function write(what, body) {
  const number = current;
  const found = await tried(() => askSurely(`${BASE}/queue/${number}/${what}`, body, trouble));
  if (found && number === current) show($("log"), found.messages, "colleague");
  await look();
  return found !== null;
}

$("login").addEventListener("submit", async event => {
  event.preventDefault();
  const found = await tried(() => ask(`${BASE}/login`, { key: $("key").value }));
  if (found) { $("key").value = ""; await begin(); }
});
$("write").addEventListener("submit", async event => {
  event.preventDefault();
  const text = $("text").value;
  if (text.trim() && await write("messages", { text })) $("text").value = "";
  $("text").focus();
});
$("close").addEventListener("submit", async event => {
  event.preventDefault();
  if (await write("close", { intent: $("intent").value || null })) {
    current = null;
    $("one").hidden = true;
    await look();
    ($("queue").querySelector("button") || $("work")).focus();
  }
});
sendOnEnter($("text"), $("write"));

async function look() {
  await tried(async () => {
    showQueue((await ask(`${BASE}/queue`)).queue);
    const number = current;
    if (number !== null) {
      const found = await ask(`${BASE}/queue/${number}`);
      if (number === current) showOne(found);
    }
    trouble("");
  });
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
