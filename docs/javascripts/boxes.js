/* Boxes to tick: the browser remembers them, for each page by itself, and by the words of the item,
   so that a new item does not take the tick of another. Without this script they are to be printed.
   The braces keep its names from those of the other script. */

{
  const boxes = [...document.querySelectorAll(".task-list-control > input")];
  const words = (box) => box.closest("li").textContent.trim().replace(/\s+/g, " ");
  const key = (box) => `box ${location.pathname} ${words(box)}`;

  for (const box of boxes) {
    box.disabled = false;
    box.setAttribute("aria-label", words(box));
    box.checked = localStorage.getItem(key(box)) === "yes";
    box.addEventListener("change", () => {
      if (box.checked) localStorage.setItem(key(box), "yes");
      else localStorage.removeItem(key(box));
    });
  }

  if (boxes.length) {
    const untick = document.createElement("button");
    untick.type = "button";
    untick.className = "md-button untick";
    untick.textContent = "Untick all";
    untick.addEventListener("click", () => {
      for (const box of boxes.filter((box) => box.checked)) box.click();
    });
    document.querySelector("article").append(untick);
  }
}
