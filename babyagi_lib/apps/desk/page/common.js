// What both pages need. Text from a server reaches a page as text only (textContent): it is never read as HTML.
"use strict";

const $ = id => document.getElementById(id);

/** A new element with a class and a text. */
function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** A name for a request, so that the server knows it when it comes again. */
const newName = () => [...crypto.getRandomValues(new Uint8Array(16))].map(b => b.toString(16).padStart(2, "0")).join("");

/** An error that the server explained, with its status. */
class Refused extends Error {
  constructor(status, message, wait) { super(message); this.status = status; this.wait = wait; }
}

/** Ask the server once. */
async function ask(address, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch(address, { ...options, credentials: "same-origin", signal: AbortSignal.timeout(15000) });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw new Refused(answer.status, found.error || "Something went wrong.", Number(answer.headers.get("Retry-After")));
  }
  return found;
}

/** Ask until there is an answer: with the same name, the server does once what it is asked twice. */
async function askSurely(address, body, say) {
  const named = { request: newName(), ...body };
  for (let wait = 1; ; wait = Math.min(2 * wait, 15)) {
    try {
      const found = await ask(address, named);
      say("");
      return found;
    } catch (error) {
      const later = !(error instanceof Refused) || error.status === 429 || error.status >= 500;
      if (!later) throw error;
      if (error.wait) wait = error.wait;
      say(error instanceof Refused ? error.message : "No connection. Your message is sent as soon as there is one.");
      await new Promise(done => setTimeout(done, 1000 * wait));
    }
  }
}

const NAMES = { customer: "Customer", agent: "Automatic agent", colleague: "Colleague" };

/** Show messages that are not yet in the log; `mine` is the side that reads the page. */
function show(log, messages, mine, onChoice) {
  const fresh = messages.filter(message => !log.querySelector(`[data-id="${Number(message.id)}"]`));
  // Follow the conversation, unless the reader has scrolled back.
  const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 80 || fresh.some(message => message.who === mine);
  for (const message of fresh) {
    log.querySelectorAll(".options").forEach(old => old.remove()); // only the last message can be answered by a button
    const item = make("div", message.who === mine ? "item mine" : "item");
    item.dataset.id = message.id;
    const head = make("div", "who", message.who === mine ? "You" : NAMES[message.who]);
    const time = make("time", "", new Date(1000 * message.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = new Date(1000 * message.at).toISOString();
    head.append(time);
    item.append(head, make("div", "text", message.text));
    if (message.options.length && onChoice) item.append(optionsOf(message, onChoice));
    log.append(item);
  }
  if (fresh.length && follow) log.scrollTop = log.scrollHeight;
}

/** The buttons under a message. */
function optionsOf(message, onChoice) {
  const group = make("div", "options");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Choose an answer");
  for (const [name, label] of message.options) {
    const button = make("button", "", label);
    button.type = "button";
    button.addEventListener("click", () => onChoice(message.id, name));
    group.append(button);
  }
  return group;
}

/** Call something again and again, `seconds` after it has ended; not while nobody looks at the page. */
function every(seconds, step) {
  const run = async () => {
    if (!document.hidden) await step();
    setTimeout(run, 1000 * seconds);
  };
  setTimeout(run, 1000 * seconds);
}

/** Enter sends a form, Shift + Enter begins a new line; not while a word is being composed. */
function sendOnEnter(area, form) {
  area.addEventListener("keydown", event => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}
