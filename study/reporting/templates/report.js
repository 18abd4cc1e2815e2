"use strict";
const { plots, palettes } = JSON.parse(document.getElementById("plots").textContent);
const wantsDark = matchMedia("(prefers-color-scheme: dark)");
const button = document.getElementById("theme");
const NARROW = 560;

function theme() {
  return document.documentElement.dataset.theme || (wantsDark.matches ? "dark" : "light");
}

/* Replaces colour names by colours. Names have an at sign: `@ink`, alone or in a label's style. */
function themed(value, palette) {
  if (Array.isArray(value)) return value.map((item) => themed(item, palette));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, themed(v, palette)]));
  }
  if (typeof value !== "string") return value;
  const whole = /^@(\w+)$/.exec(value);
  if (whole && palette[whole[1]]) return palette[whole[1]];
  return value.replace(/color:@(\w+)/g, (text, name) => `color:${palette[name] || text}`);
}

/* Returns a title in lines of at most this many characters, without any text in brackets. */
function foldedTitle(text, most) {
  const lines = [];
  for (const word of text.split(" (")[0].split(" ")) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && longer.length <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.join("<br>");
}

function draw(place) {
  const { data, layout, folded } = themed(plots[place.dataset.plot], palettes[theme()]);
  if (place.clientWidth < NARROW) {
    for (const note of layout.annotations) note.text = note.text.split(" · ")[0];
    const most = folded.some((name) => name) ? 20 : 34; // axis labels take half of the width
    for (const { title } of [layout.xaxis, layout.yaxis]) title.text = foldedTitle(title.text, most);
    layout.height += 16 * (layout.xaxis.title.text.split("<br>").length - 1);
    if (folded.length) layout.yaxis.ticktext = folded;
    layout.font.size = 11;
    if (layout.showlegend) layout.height += 40; // the legend's entries are stacked
  }
  place.dataset.drawn = theme();
  return Plotly.react(place, data, layout, { displayModeBar: false, responsive: true });
}

/* Charts are drawn when they scroll into view; fifty at once keep a phone busy for seconds. */
const places = [...document.querySelectorAll(".plot")];
const seen = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && target.dataset.drawn !== theme()) draw(target);
    }
  },
  { rootMargin: "600px" },
);
for (const place of places) {
  place.style.minHeight = `${place.dataset.height}px`;
  seen.observe(place);
}

function show() {
  button.textContent = theme() === "dark" ? "Light" : "Dark";
  for (const place of places) {
    if (place.dataset.drawn && place.dataset.drawn !== theme()) draw(place);
  }
}

button.addEventListener("click", () => {
  document.documentElement.dataset.theme = theme() === "dark" ? "light" : "dark";
  show();
});
wantsDark.addEventListener("change", show);
addEventListener("beforeprint", () => {
  for (const section of document.querySelectorAll("details.section")) section.open = true;
  places.forEach((place) => place.dataset.drawn || draw(place));
});
show();

for (const copy of document.querySelectorAll(".copy")) {
  copy.addEventListener("click", async () => {
    const line = copy.previousElementSibling;
    try {
      await navigator.clipboard.writeText(line.textContent);
      copy.textContent = "Copied";
    } catch (error) {
      getSelection().selectAllChildren(line);
      copy.textContent = "Selected";
    }
  });
}
