// The search page. PAGES ([address, title]) and SECTIONS ([page, id, heading, text, is a term]) are in sections.js, which
// the build writes. A word is found as a part of others, so Chinese needs no spaces.
const MOST = 40;
const OF_ONE_PAGE = 4;

const count = (text, word) => text.split(word).length - 1;

// How well a section answers; 0 if one of the words is neither in it nor in its page's title.
const points = ([page, , heading, text, term], words, phrase) => {
  const [title, head, body] = [PAGES[page][1], heading, text].map((part) => part.toLowerCase());
  if (!words.every((word) => head.includes(word) || body.includes(word) || title.includes(word))) return 0;
  if (!words.some((word) => head.includes(word) || body.includes(word))) return 0;
  let sum = words.reduce((total, word) => total + Math.min(10, count(body, word)) + (head.includes(word) ? 20 : 0), 0);
  if (head === title && title.includes(phrase)) sum += 60; // the page is about it
  if (head === title && title.replace(/^lesson \d+\. /, "").startsWith(phrase)) sum += 20;
  const names = head.split(", ").map((name) => name.replace(/\s*[（(].*$/, "")); // without what is in brackets
  if (term && names.includes(phrase)) sum += 50;
  return sum;
};

// The text around the first word found, with all words marked.
const excerpt = (text, words) => {
  const lower = text.toLowerCase();
  const first = Math.max(0, Math.min(...words.map((word) => lower.indexOf(word)).filter((at) => at >= 0), text.length) - 60);
  const part = text.slice(first, first + 200);
  const box = element("p", { className: "context" }, first ? "… " : "");
  box.append(...marked(part, words), first + 200 < text.length ? " …" : "");
  return box;
};

const show = (query) => {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const place = document.getElementById("search-results");
  place.replaceChildren();
  if (!words.length) return;
  const ranked = SECTIONS.map((section) => [points(section, words, words.join(" ")), section])
    .filter(([score]) => score > 0)
    .sort((a, b) => b[0] - a[0]);
  const ofPage = {};
  const isTerm = ([, , heading, , term]) => term && words.some((word) => heading.toLowerCase().includes(word));
  const few = ([page]) => (ofPage[page] = (ofPage[page] ?? 0) + 1) <= OF_ONE_PAGE;
  const shown = ranked.filter(([, section]) => isTerm(section) || few(section)).slice(0, MOST);
  const hits = shown.map(([, [page, id, heading, text]]) => {
    const [address, title] = PAGES[page];
    const link = element("a", { href: `${address}?q=${encodeURIComponent(query)}#${id}` }, heading);
    return element("li", {}, link, heading === title ? "" : element("span", { className: "of" }, ` in ${title}`), excerpt(text, words));
  });
  const said = hits.length ? `Sections found: ${ranked.length}` + (ranked.length > hits.length ? `, the best ${hits.length} are shown` : "") : `Nothing was found for “${query}”.`;
  const status = element("p", {}, said);
  status.setAttribute("role", "status");
  place.append(status, element("ul", { className: "search" }, ...hits));
};

document.addEventListener("DOMContentLoaded", () => {
  const query = new URLSearchParams(location.search).get("q") ?? "";
  for (const field of document.querySelectorAll("input[name=q]")) field.value = query;
  show(query);
});
