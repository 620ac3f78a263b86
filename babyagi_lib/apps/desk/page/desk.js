// The customer's page.
"use strict";

let last = 0;
let busy = false;
const trouble = text => { if ($("trouble").textContent !== text) $("trouble").textContent = text; };

function take(found) {
  show($("log"), found.messages, "customer", choose);
  for (const message of found.messages) last = Math.max(last, message.id);
  const state = found.state === "queued" ? "A colleague has your conversation." : "";
  if ($("state").textContent !== state) $("state").textContent = state;
}

/** Do one thing at a time; returns whether it was done. */
async function send(address, body) {
  if (busy) return false;
  busy = true;
  document.querySelectorAll("#write button, .options button").forEach(button => { button.disabled = true; });
  $("log").setAttribute("aria-busy", "true");
  try {
    take(await askSurely(address, body, trouble));
    return true;
  } catch (error) {
    if (error.status === 401) await begin();
    trouble(error.status === 401 ? "A new conversation was begun. Please send your message again." : error.message);
    return false;
  } finally {
    busy = false;
    document.querySelectorAll("#write button, .options button").forEach(button => { button.disabled = false; });
    $("log").removeAttribute("aria-busy");
  }
}

async function choose(message, choice) {
  if (await send("/api/choices", { message, choice })) $("text").focus();
}

async function begin() {
  last = 0;
  $("log").replaceChildren();
  take(await ask("/api/conversation", {}));
}

$("write").addEventListener("submit", async event => {
  event.preventDefault();
  const text = $("text").value;
  if (text.trim() && await send("/api/messages", { text }) && $("text").value === text) {
    $("text").value = "";
    $("left").textContent = "";
  }
  $("text").focus();
});
$("text").addEventListener("input", () => {
  const left = 2000 - $("text").value.length;
  $("left").textContent = left < 200 ? `${left} characters are left.` : "";
});
sendOnEnter($("text"), $("write"));

async function look() {
  if (busy) return;
  try {
    if (last === 0) await begin();
    else take(await ask(`/api/messages?after=${last}`));
    trouble("");
  } catch (error) {
    if (error.status === 401) last = 0; // the conversation is gone; the next look begins a new one
    else trouble(error.status ? error.message : "No connection at the moment.");
  }
}
look();
every(1.5, look);
