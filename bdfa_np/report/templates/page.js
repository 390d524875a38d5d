"use strict";
{
  const root = document.documentElement;
  root.classList.add("scripts");

  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const say = (text) => { document.getElementById("said").textContent = text; };

  document.getElementById("theme").addEventListener("change", (event) => {
    if (event.target.value) root.dataset.theme = event.target.value;
    else delete root.dataset.theme;
  });

  // Tables are sorted by a cell's data-value, or by its text where it has none; cells without either come last.
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.textContent.trim();
    return "value" in cell.dataset ? Number(cell.dataset.value) : text === "" ? null : text;
  };
  const order = (a, b) => {
    if (a === null || b === null) return 0;
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  };
  for (const table of all("table[data-sortable]")) {
    all("thead th", table).forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const falls = heading.getAttribute("aria-sort") === "ascending";
        for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", falls ? "descending" : "ascending");
        const body = table.tBodies[0];
        const keyed = [...body.rows].map((row) => [key(row, column), row]);
        keyed.sort(([a], [b]) => (a === null) - (b === null) || (falls ? -order(a, b) : order(a, b)));
        body.append(...keyed.map(([, row]) => row));
        say(`sorted by ${button.textContent}, ${falls ? "descending" : "ascending"}`);
      });
    });
  }

  // What is folded is printed too, also by a browser that cannot be told so by a style sheet.
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = all("details:not([open])");
    for (const one of unfolded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of unfolded) one.open = false;
  });

  // Rows come as columns' names and lists, a third of what objects take.
  const tables = {};
  const rows = (name) => {
    if (!(name in tables)) {
      const { columns, values } = JSON.parse(document.getElementById(`rows-${name}`).textContent);
      tables[name] = values.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at]])));
    }
    return tables[name];
  };
  const views = new Map();
  const shared = {};
  const chosen = (figure) => {
    const found = Object.fromEntries(all("[data-parameter]", figure).map((one) => [one.dataset.parameter, one.value]));
    return { ...shared, ...found, positive: found.scale === "log" };
  };
  const draw = async (figure, place, layer) => {
    const values = { ...chosen(figure), ...(layer === undefined ? {} : { layer: Number(layer) }) };
    const specification = JSON.parse(figure.querySelector(".specification").textContent, (name, value) =>
      name === "scale" && value && value.type === "linear" && values.positive ? { type: "log" } : value);
    for (const parameter of specification.params)
      if (parameter.name in values) parameter.value = values[parameter.name];
    specification.description = place.dataset.text;
    specification.datasets = {
      ...specification.datasets,
      rows: rows(specification.usermeta.rows).map((row) => ({ ...row })), // which a view adds to
    };
    views.get(place)?.finalize();
    const { view } = await vegaEmbed(place, specification, {
      renderer: "svg", actions: false, ast: true, defaultStyle: false,
      tooltip: { theme: "page", disableDefaultStyle: true },
    });
    views.set(place, view);
  };
  const drawn = (figure) => all(".panel", figure).length
    ? all(".panel:not([hidden])", figure).map((panel) => [panel.querySelector(".drawn"), panel.dataset.layer])
    : [[figure.querySelector(".drawn"), undefined]];
  const redraw = (figure) => Promise.all(drawn(figure).map(([place, layer]) => draw(figure, place, layer)));
  const set = (figure, name, value) => {
    for (const [place] of drawn(figure)) {
      const view = views.get(place);
      if (view) view.signal(name, value).runAsync();
    }
  };
  const figures = all("figure.chart");
  for (const figure of figures) {
    for (const box of all("[data-line]", figure))
      box.addEventListener("change", () => {
        for (const other of all(`[data-line="${box.dataset.line}"]`)) other.checked = box.checked;
        shared.shown = all("[data-line]:checked", figure).map((one) => Number(one.dataset.line));
        for (const other of figures) set(other, "shown", shared.shown);
      });
    for (const seed of all("[data-seed]", figure))
      seed.addEventListener("change", () => {
        shared.seed = seed.value;
        for (const other of all("[data-seed]")) other.value = seed.value;
        for (const other of figures) set(other, "seed", shared.seed);
      });
    for (const choice of all("[data-parameter]", figure))
      choice.addEventListener("change", () => {
        if (choice.dataset.parameter === "scale") redraw(figure);
        else set(figure, choice.dataset.parameter, choice.value);
      });
    for (const box of all("[data-panel]", figure))
      box.addEventListener("change", () => {
        const panel = figure.querySelector(`[data-layer="${box.dataset.panel}"]`);
        panel.hidden = !box.checked;
        if (box.checked) draw(figure, panel.querySelector(".drawn"), panel.dataset.layer);
      });
  }
  Promise.all(figures.map(redraw)).then(() => { root.dataset.drawn = "all"; });
}
