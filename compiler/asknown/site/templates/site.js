"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const [form, input, found, hits, count] = ["search", "q", "found", "hits", "count"].map($);
  const facets = [...found.querySelectorAll("select")];
  const MOST = 100;
  let things = null;
  form.hidden = false;

  // One entry for each page and each feature, read from the pages themselves when somebody first searches.
  function read() {
    const all = [];
    for (const page of document.querySelectorAll(".thing")) {
      const { owner = "", tag = "", entity = "" } = page.dataset;
      const kind = page.id.split("/", 1)[0];
      const name = page.querySelector("h1").firstChild.textContent.trim();
      const lead = page.querySelector(".lead")?.textContent ?? "";
      const shared = { owner: [owner], tag: tag.split("\n"), entity: entity.split("\n") };
      const about = `${owner} ${tag} ${entity}`;
      all.push(entry(name, kind, `#${page.id}`, lead, about, shared));
      for (const row of page.querySelectorAll("tr[id]")) {
        const [feature, , type] = [...row.children].map((cell) => cell.textContent.trim());
        const said = [...row.children[1].childNodes].filter((node) => !node.matches?.("details, p:not([class])"));
        const text = said.map((node) => node.textContent.trim()).filter(Boolean).join(" · ");
        all.push(entry(feature, `feature of ${name}`, `#${row.id}`, text, `${name} ${type} ${about}`, shared));
      }
    }
    return all;
  }

  function entry(name, kind, href, text, about, shared) {
    return { name, kind, href, text, shared, low: [name, text, about].map((one) => one.toLowerCase()) };
  }

  // How well all words match: lower is better, null where one is missing.
  function score(thing, words) {
    let total = 0;
    for (const word of words) {
      const [name, text, about] = thing.low;
      if (name === word) total += 0;
      else if (name.startsWith(word)) total += 1;
      else if (name.includes(word)) total += 2;
      else if (about.includes(word)) total += 4;
      else if (text.includes(word)) total += 5;
      else return null;
    }
    return total;
  }

  function search() {
    const words = input.value.toLowerCase().split(/[\s:]+/).filter(Boolean);
    const chosen = facets.filter((one) => one.value);
    if (!words.length && !chosen.length) return stop();
    things ??= read();
    document.body.classList.add("searching");
    found.hidden = false;
    const matching = [];
    for (const thing of things) {
      if (!chosen.every((one) => thing.shared[one.dataset.facet].includes(one.value))) continue;
      const points = score(thing, words);
      if (points !== null) matching.push([points, thing]);
    }
    matching.sort((a, b) => a[0] - b[0]);
    count.textContent = `${matching.length} found${matching.length > MOST ? `, the first ${MOST} shown` : ""}`;
    hits.replaceChildren(...matching.slice(0, MOST).map(([, thing]) => line(thing)));
  }

  function line(thing) {
    const [item, link, kind, text] = ["li", "a", "span", "p"].map((tag) => document.createElement(tag));
    link.href = thing.href;
    link.textContent = thing.name;
    kind.className = "quiet";
    kind.textContent = `  ${thing.kind}`;
    text.textContent = thing.text;
    item.append(link, kind, text);
    return item;
  }

  function stop() {
    document.body.classList.remove("searching");
    found.hidden = true;
  }

  function leave() {
    input.value = "";
    for (const one of facets) one.value = "";
    stop();
  }

  // The names on the page of all features become links to them. Without a script each stands below its view's link.
  function link() {
    for (const names of $("all").querySelectorAll("p")) {
      const view = $(names.previousElementSibling.querySelector("a")?.hash.slice(1));
      const rows = view ? [...view.querySelectorAll("tr[id]")] : [];
      const links = rows.map((row) => {
        const one = document.createElement("a");
        one.href = `#${row.id}`;
        one.textContent = row.firstElementChild.textContent;
        return [one, " "];
      });
      if (links.length) names.replaceChildren(...links.flat());
    }
  }

  input.addEventListener("input", search);
  for (const one of facets) one.addEventListener("change", search);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    hits.querySelector("a")?.focus();
  });
  hits.addEventListener("click", (event) => event.target.closest("a") && leave());
  window.addEventListener("hashchange", () => {
    leave();
    const target = $(decodeURIComponent(location.hash.slice(1)));
    if (target?.id === "all") link();
    if (target?.classList.contains("page")) window.scrollTo(0, 0);
  });
  if (location.hash === "#all") link();
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
    } else if (event.key === "Escape") {
      leave();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const links = [...hits.querySelectorAll("a")];
      const at = links.indexOf(document.activeElement);
      if (found.hidden || (at < 0 && event.target !== input)) return;
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (links[next] ?? (next < 0 ? input : links[at]))?.focus();
    }
  });
})();
