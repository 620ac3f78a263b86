// A figure that had to shrink to fit the page opens at its own size: by its button, or by a click or tap on it.
const enlargeable = (picture, ownWidth) => {
  const button = element("button", { type: "button", className: "larger", hidden: true }, "Show larger");
  picture.after(button);
  new ResizeObserver(() => {
    const { width } = picture.getBoundingClientRect(); // 0 where another form of the figure is shown
    button.hidden = width === 0 || width > 0.85 * ownWidth();
    picture.classList.toggle("shrunk", !button.hidden);
  }).observe(picture);
  const open = () => {
    const close = element("button", { type: "button" }, "Close");
    const box = element("div", { className: "cell_output figure-whole", tabIndex: 0 }, picture.cloneNode(true));
    const dialog = element("dialog", { className: "figure-dialog" }, close, box);
    dialog.setAttribute("aria-label", "The figure at its own size");
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.querySelector("article").append(dialog);
    dialog.showModal();
  };
  button.addEventListener("click", open);
  picture.addEventListener("click", () => button.hidden || open());
};

document.addEventListener("DOMContentLoaded", () => {
  for (const image of document.querySelectorAll(".cell_output img")) {
    image.closest("a")?.replaceWith(image); // a link to the file, for pages without JavaScript
    enlargeable(image, () => parseFloat(image.style.width)); // the build sets it to the width that it was drawn for
  }
});
