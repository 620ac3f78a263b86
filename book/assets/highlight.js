// Words that a reader has searched for are marked on the page that was found, and the first of them is scrolled to.
const marked = (text, words) => {
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "gi");
  return text.split(pattern).map((part, i) => (i % 2 ? element("mark", {}, part) : part));
};

document.addEventListener("DOMContentLoaded", () => {
  const words = (new URLSearchParams(location.search).get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const article = document.querySelector("article");
  if (!words.length || !article || document.getElementById("search-results")) return;
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const text = node.data.toLowerCase();
    const outside = node.parentElement.closest("script, style, button, .math, .explorer");
    if (!outside && words.some((word) => text.includes(word))) found.push(node);
  }
  for (const node of found) node.replaceWith(...marked(node.data, words));
  const section = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const place = section?.closest("tr, section") ?? article;
  const first = place.querySelector("mark");
  for (let fold = first?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  // After the browser has gone to the section by itself.
  if (first) addEventListener("load", () => setTimeout(() => first.scrollIntoView({ block: "center" })));
});
