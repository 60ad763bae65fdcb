/* “Find my trouble”: paste an error, land on the fix. Nothing leaves the page.

   The first half does what `playbook_kit/diagnosis.py` does, from the same patterns (`find.json`), and
   both are tested on the same texts; the second half is the box. The braces keep its names from
   those of the other scripts. */

{
  const COLOURS = /\x1b\[[0-9;?]*[A-Za-z]/g;
  const BEFORE =
    /^(?:[\w.-]+ +\| ?|\[?\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?\]? ?|(?:CRITICAL|ERROR|WARNING|INFO|DEBUG)\b[: -]*|E {2,}|[│|>] ?)+/gm;
  const LIKELY = /(?:Error|Exception|DoesNotExist|History|Missing|Plan)\b/;
  const RAISED = new RegExp(`^(?:\\w+\\.)*(?:[A-Z]\\w*${LIKELY.source}|(?<=\\.)DoesNotExist\\b).*$`, "gm");
  const AT = /(?<does>Applying|Unapplying|Faking) (?<app>\w+)\.(?<migration>\w+)\.\.\.(?!\s*(?:OK|DONE|FAKED))/g;
  const DJANGO = /migrat|manage\.py|django/i;
  const NONE = "Is none of these so?";
  const NARROW = 40;
  const TAIL = 300;
  const AROUND = 10;
  const MOST = 50;

  const cleaned = (text) =>
    text
      .replace(COLOURS, "")
      .replace(/\r\n?/g, "\n")
      .replace(/[\u2018\u2019]/g, "'")
      .replace(/[\u201c\u201d]/g, '"')
      .replace(/\xa0/g, " ")
      .replace(BEFORE, "");

  /** Of a long text its end, and what stands around the last exceptions. */
  function relevant(text) {
    const lines = text.split("\n");
    if (lines.length <= 2 * TAIL) return text;
    const end = lines.length - TAIL;
    const raised = [];
    for (let at = end - 1; at >= 0 && raised.length < MOST; at--) {
      if (LIKELY.test(lines[at])) raised.push(at);
    }
    const kept = new Set();
    for (const at of raised) {
      for (let near = Math.max(0, at - AROUND); near <= Math.min(end - 1, at + AROUND); near++) kept.add(near);
    }
    return [...[...kept].sort((a, b) => a - b), ...Array.from({ length: TAIL }, (_, at) => end + at)].map((at) => lines[at]).join("\n");
  }

  function unwrapped(text) {
    const lines = text.split("\n");
    const width = Math.max(...lines.map((line) => line.length));
    if (width < NARROW) return text;
    return lines.map((line) => (line.length === width ? line : `${line}\n`)).join("");
  }

  /** The patterns of the data, made once. */
  function compiled(data) {
    for (const message of data.messages) {
      message.made ??= message.says.map(([says, fixed]) => [new RegExp(says.replaceAll("(?P<", "(?<"), "g"), fixed]);
    }
  }

  function best(text, data) {
    const last = [...text.matchAll(RAISED)].at(-1)?.index ?? 0;
    let found = null;
    for (const message of data.messages) {
      if (text.search(message.needed ?? "") < 0) continue;
      for (const [says, fixed] of message.made) {
        for (const match of text.matchAll(says)) {
          const score = [match.index + match[0].length > last ? 1 : 0, fixed, match.index];
          if (!found || larger(score, found.score)) found = { score, message, match, text };
        }
      }
    }
    return found;
  }

  function larger(one, other) {
    const at = one.findIndex((part, index) => part !== other[index]);
    return at >= 0 && one[at] > other[at];
  }

  function withApp(names) {
    const table = (names.table ?? "").split(".").at(-1);
    return table.includes("_") ? { app: table.split("_")[0], ...names } : names;
  }

  const named = (match) =>
    Object.fromEntries(Object.entries(match?.groups ?? {}).filter(([, value]) => value !== undefined));

  /** See `diagnosis.Diagnosis`. */
  function diagnose(text, data) {
    compiled(data);
    text = cleaned(relevant(text));
    let found = best(text, data);
    const whole = best(unwrapped(text), data);
    if (whole && (!found || larger(whole.score.slice(0, 2), found.score.slice(0, 2)))) found = whole;
    const raised = ([...text.matchAll(RAISED)].at(-1)?.[0] ?? "").trim();
    const { does, ...names } = named([...text.matchAll(AT)].at(-1));
    const stage = does ? `${does.toLowerCase()} ${names.app}.${names.migration}` : seen(data.stages, text);
    if (!found) return { message: null, line: "", raised, stage, pages: [], names, django: DJANGO.test(text) };
    const start = found.text.lastIndexOf("\n", found.match.index - 1) + 1;
    const end = found.match.index + found.match[0].length;
    const line = found.text.slice(start, end).trim().replace(/\s+/g, " ");
    const hidden = ({ seen }) => (seen && new RegExp(seen).test(text) ? 0 : 1);
    const pages = found.message.pages.toSorted((one, other) => hidden(one) - hidden(other));
    return {
      message: found.message,
      line,
      raised,
      stage,
      pages: pages.map(({ name, ask }, at) => [name, ask ?? (at ? NONE : "")]),
      names: withApp({ ...names, ...named(found.match) }),
      django: true,
    };
  }

  const seen = (rows, text) => rows.find(([files]) => new RegExp(files).test(text))?.[1] ?? "";

  function reason({ line, raised, stage }, { words }) {
    if (!raised) return "";
    if (line && !raised.includes(line) && !line.includes(raised)) return words.another.replace("{raised}", () => raised);
    const name = raised.split(":")[0].split(".").at(-1);
    return (stage ? words.during : words.raised).replace("{raised}", name).replace("{stage}", stage);
  }

  /** What the error texts of a page name: those of this message, then those of others. */
  function* own(said, made) {
    const others = [];
    for (const text of said) {
      const names = named([...text.matchAll(AT)][0]);
      // Without `g`, which would remember a place.
      const match = made.map(([says]) => text.match(says.source)).find(Boolean);
      if (match) yield withApp({ ...names, ...named(match) });
      others.push(names);
    }
    yield* others;
  }

  /** The short version of a page, with the names of the text in place of its own. */
  function toType(name, diagnosis, data) {
    const { said, short } = data.pages[name];
    for (const ours of own(said, diagnosis.message.made)) {
      const pairs = Object.entries(diagnosis.names).filter(([key]) => ours[key]);
      const wanted = new Map(pairs.map(([key, value]) => [ours[key], value]));
      const longest = [...wanted.keys()].sort((one, other) => other.length - one.length);
      const escaped = longest.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
      const words = new RegExp(`\\b(?:${escaped.join("|")})\\b`, "g");
      if (wanted.size && short.some(([, text]) => text.search(words) >= 0)) {
        return short.map(([title, text]) => [title, text.replace(words, (word) => wanted.get(word))]);
      }
    }
    return short;
  }

  let loading;
  /** The data, asked for once. `root`: the address of the site. */
  const load = (root) => (loading ??= fetch(new URL("find.json", root)).then((answer) => answer.json()));

  window.findMyTrouble = { diagnose, toType, reason, load };

  /* The box */

  const element = (name, options = {}, ...inside) => {
    const made = Object.assign(document.createElement(name), options);
    made.append(...inside);
    return made;
  };

  function link(name, data, root) {
    const page = data.pages[name];
    return element("a", { href: new URL(page.path, root).href }, page.title);
  }

  function* told(text, data, root) {
    const { words } = data;
    const found = diagnose(text, data);
    if (!found.message) {
      if (found.raised) yield element("p", {}, `${words.last} `, element("code", {}, found.raised));
      const [, family, path] = data.nearest.find(([known]) => new RegExp(known).test(text));
      const help = element("a", { href: new URL(path, root).href }, family);
      if (found.django) yield element("p", {}, `${words.unknown} ${words.nearest} `, help);
      else yield element("p", {}, words.stranger);
      return;
    }
    yield element("p", {}, `${words.says} `, element("code", {}, found.line));
    yield element("p", {}, `${found.message.family}: ${found.message.means} ${reason(found, data)}`);
    if (!found.pages.length) return;
    const [[first], ...others] = found.pages;
    yield element("p", { className: "found" }, link(first, data, root));
    yield element("p", {}, data.pages[first].cause);
    for (const [title, lines] of toType(first, found, data)) {
      yield element("p", { className: "where" }, title);
      yield element("pre", {}, element("code", {}, lines));
    }
    if (data.pages[first].data) yield element("p", {}, `${words.data} ${data.pages[first].data}`);
    if (others.length) yield element("p", {}, words.others);
    const items = others.map(([name, ask]) => element("li", {}, `${ask} `, link(name, data, root)));
    if (items.length) yield element("ul", {}, ...items.slice(0, 2));
    if (items.length > 2) {
      yield element("details", {}, element("summary", {}, words.more), element("ul", {}, ...items.slice(2)));
    }
  }

  for (const place of document.querySelectorAll(".finder")) {
    const root = new URL(place.dataset.root, location.href);
    const box = element("textarea", { id: "find-error", rows: 2, spellcheck: false });
    const label = element("label", { htmlFor: "find-error" }, "Paste the error, or all that the console says");
    const answer = element("div", { className: "answer" });
    answer.setAttribute("aria-live", "polite");
    const show = async () => {
      const text = box.value;
      const data = text.trim() ? await load(root) : null;
      answer.replaceChildren(...(data ? told(text, data, root) : []));
    };
    box.addEventListener("input", show);
    box.addEventListener("focus", () => load(root), { once: true });
    place.replaceChildren(label, box, answer);
    const given = new URLSearchParams(location.search).get("error");
    if (given) {
      box.value = given;
      show();
    }
  }
}
