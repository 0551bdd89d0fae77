// The Flow lab in the browser alone: a link to an experiment opens its tab, and the example is shown once.
{
  window.studio = {
    ...window.studio,
    // Not where an experiment has been asked for, or a link asks for one.
    firstFlow: (before) =>
      before || studio.asked || location.hash.startsWith("#flow-lab=") ? before : studio.again(),
  };
  if (location.hash.startsWith("#flow-lab=")) studio.press("#flow-lab-tab-button");
}
