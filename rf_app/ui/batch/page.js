// The batch of this browser: its form, and the random name by which a page that is loaded anew finds it again.
{
  const KEPT = "instaflow-batch";
  const kept = () => studio.stored(() => JSON.parse(localStorage.getItem(KEPT))) || {};
  const keep = (values) => studio.stored(() => localStorage.setItem(KEPT, JSON.stringify({ ...kept(), ...values })));
  const hex = (byte) => byte.toString(16).padStart(2, "0");
  const name = kept().name ?? [...crypto.getRandomValues(new Uint8Array(16))].map(hex).join("");
  const left = JSON.stringify({ ...kept(), name });
  keep({ name });
  window.studio = {
    ...window.studio,
    batch: (act) => JSON.stringify({ act, name, at: performance.now() }),
    batchForm: (prompts, count, seed, model, steps, guidance, solver, negative_prompt, ...more) => {
      const form = { prompts, count, seed, model, steps, guidance, solver, negative_prompt };
      const [width, height, decoder, rows] = more;
      keep({ form: { ...form, width, height, decoder, loras: studio.used(rows) } });
      return [];
    },
    batchLeft: () => [left],
  };
}
