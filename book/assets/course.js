// A new element, for the scripts of the book: its name, properties and children.
const element = (name, properties, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

// What the theme leaves undone for readers who use a keyboard or a screen reader.
document.addEventListener("DOMContentLoaded", () => {
  // Folded cells and the search: the words on the button are its name.
  for (const button of document.querySelectorAll("summary[aria-label], .search-button-field")) {
    button.removeAttribute("aria-label");
  }

  // The sidebar is one place to go to, with its title and its search.
  const sidebar = document.getElementById("pst-primary-sidebar");
  sidebar.setAttribute("role", "complementary");
  sidebar.setAttribute("aria-label", "Sidebar");

  // What scrolls sideways can be reached by Tab, and then scrolled with the arrow keys. (The theme sees to code.)
  const watch = new ResizeObserver((changed) => {
    for (const { target } of changed) {
      if (target.scrollWidth > target.clientWidth) {
        target.tabIndex = 0;
        target.setAttribute("role", "group");
        target.setAttribute("aria-label", "Wider than the page: scrolls sideways");
      } else {
        ["tabindex", "role", "aria-label"].forEach((name) => target.removeAttribute(name));
      }
    }
  });
  const boxes = "div.math, .cell_output, .cell_output .text_html, .cell_output [style*='overflow']";
  document.querySelectorAll(boxes).forEach((box) => watch.observe(box));

  // Menu and contents cover the page on narrow screens: a link in them leads back to it.
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target.closest("a[href]") && dialog.close());
  }
});

// On paper nothing can be unfolded: solutions and hints are printed open, and closed again afterwards.
// Paper is white: what is shown dark is printed light.
const unfolded = new Set();
let shown;
addEventListener("beforeprint", () => {
  shown = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  for (const details of document.querySelectorAll("details:not([open])")) {
    details.open = true;
    unfolded.add(details);
  }
});
addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = shown;
  unfolded.forEach((details) => (details.open = false));
  unfolded.clear();
});
