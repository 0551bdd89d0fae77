// Runs before the page's own scripts and counts what they have under way: requests until their last byte (an
// event's answer comes through a stream that Gradio closes when no event is left), timers, pictures being decoded.
// `settled()` resolves once nothing has been under way, begun or ended for three frames: between a request and
// the one that follows from it there are only promises and, at times, one frame. What repeats (intervals) and
// what is for the eye (a message that goes after seconds) keeps nobody waiting. `answered` counts the events of the
// page that the server has finished.
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

  window.answered = 0;
  const exhaust = async (stream) => {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = "", next; !(next = await reader.read()).done; ) {
      const parts = (text + next.value).split('"msg":"process_completed"');
      window.answered += parts.length - 1;
      text = parts.at(-1).slice(-30); // a message may come in two pieces
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
      exhaust(ours).catch(() => {}).finally(end); // left early, it is over as well
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
