// The page in another language: every text that stands in the language's table (ui/words/de.json), in the place of the
// English that Gradio, the server and our scripts put there. Gradio names the language in <html lang>: the browser's, or
// the one chosen in its settings. In English nothing of this runs.
{
  const LANGUAGES = document.querySelector('meta[name="languages"]').content.split(" ");
  const ATTRIBUTES = ["placeholder", "title", "aria-label", "alt", "data-tip"];
  const PART = /[^·]+/g; // each is a text of its own
  // What people wrote, what goes into an English prompt, and lists, whose chosen line stands in an input.
  const LEFT = 'script, style, [translate="no"], [data-add], [role="listbox"]';
  const root = document.documentElement;
  const written = new WeakMap(); // for each text and element, by attribute: the English, and what stands there
  let table = {};
  let patterns = [];

  // In a key {#} is a number and {} is anything, which is a text of its own; the translation has {} in their order.
  const pattern = ([english, words]) => {
    const literal = english.split(/(\{#?\})/).map((part) => {
      if (part === "{#}") return "([\\d.,]+)";
      return part === "{}" ? "(.+)" : part.replace(/[.*+?^$()|[\]\\/]/g, "\\$&");
    });
    return [new RegExp(`^${literal.join("")}$`), words];
  };
  const word = (text) => {
    if (Object.hasOwn(table, text)) return table[text];
    for (const [shape, words] of patterns) {
      const found = shape.exec(text)?.slice(1);
      if (found) return words.replaceAll("{}", () => word(found.shift()));
    }
    const [, of, reason] = /^(.+?: )(.+)$/.exec(text) ?? []; // of a file, say
    return reason ? of + word(reason) : text;
  };
  const translated = (english) =>
    english.replace(PART, (part) => {
      const text = part.trim();
      return text ? part.replace(text, () => word(text.replace(/\s+/g, " "))) : part;
    });

  window.studio = { ...window.studio, translated }; // for what is said outside of the page

  const put = (node, name = "") => {
    const now = name ? node.getAttribute(name) : node.data;
    if (now === null) return;
    const all = written.get(node) ?? {};
    const [before, shown] = all[name] ?? [];
    const english = now === shown ? before : now;
    const words = translated(english);
    written.set(node, { ...all, [name]: [english, words] });
    if (words === now) return;
    if (name) node.setAttribute(name, words);
    else node.data = words;
  };
  const within = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return put(node);
    if (node.nodeType !== Node.ELEMENT_NODE || node.matches(LEFT)) return;
    for (const name of ATTRIBUTES) if (node.hasAttribute(name)) put(node, name);
    if (!node.matches("textarea")) node.childNodes.forEach(within);
  };
  const left = (node, more = "") => (node.closest ? node : node.parentElement)?.closest(LEFT + more);
  const observer = new MutationObserver((changes) => {
    for (const { type, target, attributeName, addedNodes } of changes) {
      if (left(target, type === "attributes" ? "" : ", textarea")) continue;
      if (type === "attributes") put(target, attributeName);
      else if (type === "characterData") put(target);
      else addedNodes.forEach(within);
    }
    observer.takeRecords(); // what was written just now
  });

  const speak = async () => {
    const language = root.lang.split("-")[0];
    const known = LANGUAGES.includes(language);
    if (!known && !patterns.length) return;
    const before = table;
    table = known ? await (await fetch(`words/${language}.json`)).json() : {};
    patterns = Object.entries(table).filter(([english]) => english.includes("{")).map(pattern);
    for (const name in { ...before, ...table }) // what style.css says
      if (name.startsWith("--words-")) root.style.setProperty(name, table[name] ?? "");
    observer.disconnect();
    within(document.body);
    if (known)
      observer.observe(document.body, {
        childList: true,
        characterData: true,
        attributeFilter: ATTRIBUTES,
        subtree: true,
      });
  };
  new MutationObserver(speak).observe(root, { attributeFilter: ["lang"] });
  speak();
}
