/* The only script of this site beyond Material's own. Two things that no setting reaches:

   1. The search reads a query as a language: `--merge` excludes a word or stops the search, a
      quoted name is demanded of every result, and a paste with the mouse is not seen at all.
      People paste error texts, which are full of this. Each such sign becomes a space.
   2. Two of Material's elements have no name or the wrong role for a screen reader. */

document.addEventListener("input", ({ target: field }) => {
  if (!field.matches("[data-md-component=search-query]")) return;
  const caret = field.selectionStart;
  const words = field.value.replace(/["*^~\\]|(?<=^|[\s'(])[-+]+(?=\S)/g, (sign) => " ".repeat(sign.length));
  if (words !== field.value) {
    field.value = words;
    field.setSelectionRange(caret, caret);
  }
  field.dispatchEvent(new KeyboardEvent("keyup"));
});

function describe() {
  document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search");
  for (const nav of document.querySelectorAll(".md-code__nav:not([role])")) nav.setAttribute("role", "none");
}

new MutationObserver(describe).observe(document.body, { childList: true, subtree: true });
describe();
