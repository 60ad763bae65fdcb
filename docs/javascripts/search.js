/* Three things of Material's search and code blocks that no setting reaches:

   1. Material's search reads a query as a language: `--merge` excludes a word or stops the search,
      and a quoted name is demanded of every result. People paste error texts, which are full of
      this. So the search is given the words alone; what the reader typed stays as it is.
      Numbers alone are left out: the search of Lunr stops at some (its tree mixes them up). Of a
      whole console output only what it is about, as “Find my trouble” has it: the names around it
      would weigh more.
   2. It does not see a paste with the mouse.
   3. Two of Material's elements have no name or the wrong role for a screen reader. */

const FIELD = "[data-md-component=search-query]";
const LETTER = /\p{L}/u;
// What the last exception says. Of one of the database the class says less than the words do, and the
// statement that PostgreSQL quotes nothing.
const SAID = /.*(?:^|\s)(?:django\.db\.utils\.\w+: |(?=(?:\w+\.)*(?:[A-Z]\w*(?:Error|Exception|History|Missing|Plan)|\w*DoesNotExist):))(.*)/s;
const QUOTED = /\sLINE \d+: .*/s;
const LONG = 200; // characters: more is no question but a console output
const QUERY = 2; // the type of the message in which Material sends the query to its worker

let known; // find.json, once it is there

/** Of a console output what its last exception says, and the title of the page that helps: twice,
    for it is short. */
function meant(text) {
  const said = (text.match(SAID)?.[1] ?? text).replace(QUOTED, "");
  const found = known && text.length > LONG ? findMyTrouble.diagnose(text, known) : null;
  const page = found?.pages[0]?.[0];
  if (!page) return said;
  const { title } = known.pages[page];
  return `${title} ${title} ${said}`;
}

function words(text) {
  const parts = meant(text).split(/[^\p{L}\p{N}_.]+/u);
  return parts.map((part) => part.replace(/^\.+|\.+$/g, "")).filter((part) => LETTER.test(part)).join(" ");
}

if (document.querySelector(FIELD)) {
  const send = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...rest) {
    const query = message?.type === QUERY && typeof message.data === "string";
    return send.call(this, query ? { ...message, data: words(message.data) } : message, ...rest);
  };
}

document.addEventListener("focusin", async ({ target }) => {
  if (!target.matches(FIELD) || known) return;
  const { base } = JSON.parse(document.getElementById("__config").textContent);
  known = await findMyTrouble.load(new URL(`${base}/`, location.href));
});

document.addEventListener("input", ({ target }) => {
  if (target.matches(FIELD)) target.dispatchEvent(new KeyboardEvent("keyup"));
});

function describe() {
  document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search");
  for (const nav of document.querySelectorAll(".md-code__nav:not([role])")) nav.setAttribute("role", "none");
}

new MutationObserver(describe).observe(document.body, { childList: true, subtree: true });
describe();
