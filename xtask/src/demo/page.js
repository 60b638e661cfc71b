// Runs in the demo's page, and gives what is wrong with it as it is shown now, in `faults`.
(() => {
  const faults = [];
  const seen = { acts: 0, tables: 0, pictures: 0, texts: 0, faults };
  const name = (element) => {
    const place = element.closest("[id]");
    return `${element.tagName.toLowerCase()} in ${place ? "#" + place.id : "the page"}`;
  };
  const shown = (element) => element.getClientRects().length > 0;
  const all = (what) => [...document.querySelectorAll(what)].filter(shown);

  seen.acts = all("section").length;
  for (const table of all("table")) {
    seen.tables += 1;
    if (table.tBodies[0].rows.length === 0) faults.push(`${name(table)} has no rows`);
  }
  for (const picture of all("svg, img, canvas")) {
    seen.pictures += 1;
    const { width, height } = picture.getBoundingClientRect();
    if (width < 8 || height < 8) faults.push(`${name(picture)} is ${width} by ${height}`);
  }
  for (const figure of document.querySelectorAll("figure")) {
    const number = [...figure.querySelectorAll("svg")].filter(shown).length;
    if (number !== 1) faults.push(`${name(figure)} shows ${number} pictures`);
  }

  // Nothing is wider than the screen. (What is within a picture is cut off at its edge.)
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide) faults.push("the page can be moved sideways");
  for (const element of all("body *")) {
    const { left, right } = element.getBoundingClientRect();
    if (left < -0.5 || right > wide + 0.5) {
      faults.push(`${name(element)} reaches from ${left} to ${right} of ${wide}`);
    }
  }

  // Every text stands out: the ratio of luminances of WCAG 2, level AA.
  const channels = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const luminance = ({ r, g, b }) => {
    const linear = [r, g, b].map((channel) => {
      const part = channel / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.a === 1) return colour;
    }
    return { r: 255, g: 255, b: 255 };
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !shown(element)) continue;
    seen.texts += 1;
    const style = getComputedStyle(element);
    const ink = channels(element.closest("svg") ? style.fill : style.color);
    const [less, more] = [luminance(ink), luminance(behind(element))].sort((a, b) => a - b);
    const ratio = (more + 0.05) / (less + 0.05);
    if (ratio < 4.5) {
      const text = texts.currentNode.data.trim().slice(0, 40);
      faults.push(`“${text}” (${name(element)}) stands out by ${ratio.toFixed(2)} only`);
    }
    if (parseFloat(style.fontSize) * scale(element) < 8.5) {
      faults.push(`“${texts.currentNode.data.trim()}” (${name(element)}) is too small`);
    }
  }

  // By how much a picture is made smaller.
  function scale(element) {
    const picture = element.closest("svg");
    return picture ? picture.getScreenCTM().a : 1;
  }
  return seen;
})()
