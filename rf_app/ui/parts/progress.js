// What long work says beyond its own line: the page's title tells how far it is, the browser that it is over, where
// the person wants that and looks elsewhere; and a hidden line has it for readers of the page who do not see it.
{
  const NAME = "InstaFlow Studio";
  const SOON = 2000; // milliseconds: what takes no longer is not told
  const LONG = 8000; // from here on somebody may want to be told
  const PAUSE = 1000; // what changes sooner, as letters are typed, is not said
  let since = 0; // when the work began that is under way
  let told = 0; // the quarter that was said last
  let ending, saying;

  const said = document.createElement("p");
  said.id = "said";
  said.setAttribute("role", "status");
  const ask = document.createElement("button");
  ask.id = "tell-me";
  ask.className = "act";
  ask.textContent = "Tell me when it is done";
  ask.addEventListener("click", () => Notification.requestPermission().finally(() => ask.remove()));

  const say = (text) => {
    clearTimeout(saying);
    saying = setTimeout(() => (said.textContent = text), PAUSE);
  };
  const askable = () => window.Notification?.permission === "default";
  const over = () => {
    const long = performance.now() - since > LONG;
    [since, told, ending] = [0, 0, null];
    ask.remove();
    document.title = document.hidden && long ? `${studio.translated("Done")} · ${NAME}` : NAME;
    if (!long || !document.hidden || window.Notification?.permission !== "granted") return;
    try {
      new Notification(NAME, { body: studio.translated("The work you asked for is over.") });
    } catch {
      // on Android only a service worker may
    }
  };
  const look = () => {
    const bars = [...document.querySelectorAll('[role="progressbar"]')];
    if (!bars.length) {
      if (since) ending ??= setTimeout(over, PAUSE); // another part of it may be about to begin
      return;
    }
    clearTimeout(ending);
    ending = null;
    const now = performance.now();
    since ||= now;
    const share = Math.min(...bars.map((bar) => +bar.getAttribute("aria-valuenow")));
    if (now - since < SOON) return;
    document.title = `${share} % · ${NAME}`;
    const quarter = Math.floor(share / 25);
    if (quarter > told) say(`${25 * (told = quarter)} %`);
    if (now - since > LONG && askable() && !ask.isConnected) document.body.append(ask);
  };

  // The words at the end, such as "Stopped.", and what made a picture.
  const WORDS = ".way > p:only-child, .stage .made p";
  const within = (node) => (node.matches?.(WORDS) ? node : node.querySelector?.(WORDS));
  const around = (node) => (node.closest ? node : node.parentElement)?.closest(WORDS);
  const observer = new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes)
      for (const found of [around(target), ...[...addedNodes].map(within)]) if (found) say(found.textContent);
    look();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !since) document.title = NAME;
  });
  document.body.append(said);
  // Gradio writes new HTML over what is there: of another picture, or a bar that goes on, often no element is new.
  const attributeFilter = ["aria-valuenow"];
  observer.observe(document.body, { childList: true, characterData: true, attributeFilter, subtree: true });
}
