// A card of the gallery opens in full; a button of an import says what to do with which.
document.addEventListener("click", (event) => {
  const { actModel, actImport, id } =
    event.target.closest?.("[data-act-model], [data-act-import]")?.dataset ?? {};
  if (actImport) studio.tell("sent-imports", { act: actImport, id });
  if (!actModel) return;
  studio.put("sent-models", id);
  if (innerWidth <= 960) studio.show("#model-side");
});
