// Runs before the page's own scripts and counts what they have under way: requests until their last byte, events of
// Gradio until the stream of answers brings the last one, timers, pictures being decoded. `settled()` resolves once
// nothing has been under way, begun or ended for three frames: between a request and the one that follows from it
// there are only promises and, at times, one frame. What repeats (intervals) and what is for the eye (a message that
// goes after seconds) keeps nobody waiting, nor does a stream that is open: Gradio at times leaves an idle one so.
// `answered` counts the events that are over.
(() => {
  const SOON = 1000; // milliseconds; no timer as long as this leads to a request
  const QUIET = 3; // frames
  const { fetch, setTimeout, clearTimeout, createImageBitmap } = window;
  const { decode } = HTMLImageElement.prototype;
  const underWay = new Map(); // what each is, by its own key
  let changes = 0;

  const begin = (what) => {
    const key = {};
    underWay.set(key, what);
    changes += 1;
    return () => {
      if (underWay.delete(key)) changes += 1;
    };
  };
  const counted = (what, promise) => promise.finally(begin(what));

  const events = new Map(); // of Gradio, by id: what ends each; null for one that is over, perhaps before its id is known here
  window.answered = 0;
  const hear = (message) => {
    if (message.msg !== "process_completed" || message.event_id === "idle") return; // by which a stream is closed
    window.answered += 1;
    events.get(message.event_id)?.();
    events.set(message.event_id, null);
  };
  const joined = (id, end) => (id && !events.has(id) ? events.set(id, end) : end());
  const listen = async (stream) => {
    const [reader, decoder] = [stream.getReader(), new TextDecoder()];
    for (let text = "", next; !(next = await reader.read()).done; ) {
      const messages = (text + decoder.decode(next.value, { stream: true })).split("\n\n");
      text = messages.pop();
      for (const each of messages) if (each.includes("process_completed")) hear(JSON.parse(each.slice(5)));
    }
  };
  window.fetch = async (request, options) => {
    const address = String(request.url ?? request);
    if (address.includes("/heartbeat/")) return fetch(request, options); // as long as the page is open
    const end = begin(address);
    try {
      const answer = await fetch(request, options);
      if (!answer.body) return end(), answer;
      const [ours, theirs] = answer.body.tee();
      if (answer.headers.get("content-type")?.startsWith("text/event-stream")) {
        end();
        listen(ours).catch(() => {}); // left by the page, it is over as well
      } else {
        const text = new Response(ours).text();
        if (address.includes("/queue/join")) text.then((found) => joined(JSON.parse(found).event_id, end));
        else text.finally(end);
      }
      return new Response(theirs, answer);
    } catch (error) {
      end();
      throw error;
    }
  };

  const timers = new Map();
  window.setTimeout = (act, after = 0, ...rest) => {
    if (after >= SOON) return setTimeout(act, after, ...rest);
    const end = begin(`a timer of ${after} ms`);
    const id = setTimeout(() => {
      timers.delete(id);
      try {
        act(...rest);
      } finally {
        end();
      }
    }, after);
    timers.set(id, end);
    return id;
  };
  window.clearTimeout = (id) => {
    clearTimeout(id);
    timers.get(id)?.();
    timers.delete(id);
  };

  window.createImageBitmap = (...of) => counted("a picture", createImageBitmap(...of));
  HTMLImageElement.prototype.decode = function () {
    return counted("a picture", decode.call(this));
  };

  window.shown = () => `${document.body.innerText}\n\nUnder way: ${[...underWay.values()].join(", ") || "nothing"}`;

  window.settled = async (patience) => {
    const until = performance.now() + patience;
    for (let quiet = 0; quiet < QUIET; ) {
      const before = changes;
      await new Promise(requestAnimationFrame);
      quiet = underWay.size || changes !== before ? 0 : quiet + 1;
      if (performance.now() > until)
        throw new Error(`the page does not settle; under way: ${[...underWay.values()].join(", ")}`);
    }
  };
})();
