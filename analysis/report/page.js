/* The page's own script: the theme, tables that sort, and the trials in pages. Text of a ledger becomes text nodes, never HTML. */
"use strict";
(() => {
  const PAGE = 50;
  const root = document.documentElement;
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const remembered = (store, key, value) => {  // a page opened from a disk may be forbidden to remember
    try { return value === undefined ? store().getItem(key) : store().setItem(key, value); } catch { return null; }
  };

  // --- light and dark
  const themes = ["auto", "light", "dark"];
  const switcher = document.getElementById("theme");
  const show = (theme) => {
    if (theme === "auto") root.removeAttribute("data-theme"); else root.setAttribute("data-theme", theme);
    switcher.textContent = `Theme: ${theme}`;
    remembered(() => localStorage, "theme", theme);
  };
  show(themes.includes(remembered(() => localStorage, "theme")) ? remembered(() => localStorage, "theme") : "auto");
  switcher.hidden = false;
  switcher.addEventListener("click", () => {
    const now = root.getAttribute("data-theme") || "auto";
    show(themes[(themes.indexOf(now) + 1) % themes.length]);
  });
  const contents = document.querySelector(".contents details");
  if (matchMedia("(min-width: 1100px)").matches) contents.open = true;

  // --- tables that sort: missing values last, whichever way
  const ordered = (a, b, down) => {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    return down ? -order : order;
  };
  const turned = (head) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const each of head.parentElement.children) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    return down;
  };
  const valueOf = (cell) => {
    const text = cell.dataset.v;
    if (cell.classList.contains("number")) return text === undefined ? null : Number(text);
    return cell.textContent === "" ? null : cell.textContent;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    for (const head of table.tHead.rows[0].cells) {
      head.firstElementChild.addEventListener("click", () => {
        const down = turned(head), place = head.cellIndex, body = table.tBodies[0];
        const rows = [...body.rows].map((row, i) => [valueOf(row.cells[place]), i, row]);
        rows.sort((a, b) => ordered(a[0], b[0], down) || a[1] - b[1]);
        body.append(...rows.map((row) => row[2]));
      });
    }
  }

  // --- the trials
  const source = document.getElementById("trials-data");
  if (source) trials(JSON.parse(source.textContent));

  function trials({ columns, filters }) {
    const area = document.getElementById("trials-area");
    const byName = new Map(columns.map((column) => [column.name, column]));
    const total = columns.length ? columns[0].values.length : 0;
    const raw = (column, i) => {
      const value = column.values[i];
      return column.levels ? (value < 0 ? null : column.levels[value]) : value;
    };
    const textOf = (column, i) => {
      const value = raw(column, i);
      if (value === null) return "–";
      if (column.kind === "percent") return (100 * value).toFixed(1);
      if (column.kind !== "number") return value;
      if (Number.isInteger(value)) return Math.abs(value) < 10000 ? String(value) : value.toLocaleString("en").replaceAll(",", "\u202f");
      const size = Math.abs(value);
      return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
    };
    let filtered = new Map(), words = "", page = 0, sort = null, rows = [];

    // the text after #trials? says which rows are shown, so that links, reloads and the back button keep them
    const fromAddress = () => {
      const at = location.hash.indexOf("?");
      filtered = new Map();
      words = "";
      if (!location.hash.startsWith("#trials") || at < 0) return;
      for (const [name, value] of new URLSearchParams(location.hash.slice(at + 1))) {
        if (name === "words") words = value;
        else if (byName.has(name)) filtered.set(name, [...(filtered.get(name) || []), value]);
      }
    };
    const toAddress = () => {
      const pairs = new URLSearchParams();
      for (const [name, values] of filtered) for (const value of values) pairs.append(name, value);
      if (words) pairs.append("words", words);
      history.replaceState(null, "", `#trials${pairs.size ? `?${pairs}` : ""}`);
      refresh();
    };
    const fits = (column, values) => {
      if (column.kind === "words") return (i) => (raw(column, i) || "").split(" ").some((word) => values.includes(word));
      if (!column.levels) return (i) => values.some((value) => column.values[i] === Number(value));
      const numbers = new Set(values.map((value) => column.levels.indexOf(value)).filter((each) => each >= 0));
      return (i) => numbers.has(column.values[i]);
    };
    const chosen = () => {
      const tests = [...filtered].map(([name, values]) => fits(byName.get(name), values));
      if (words) {
        const wanted = words.toLowerCase();
        const hits = columns.filter((each) => each.levels).map((column) => {
          const found = new Set(column.levels.flatMap((level, i) => (level.toLowerCase().includes(wanted) ? [i] : [])));
          return (i) => found.has(column.values[i]);
        });
        tests.push((i) => hits.some((hit) => hit(i)));
      }
      const found = [];
      for (let i = 0; i < total; i += 1) if (tests.every((test) => test(i))) found.push(i);
      if (sort) {
        const values = new Map(found.map((i) => [i, raw(sort.column, i)]));
        found.sort((a, b) => ordered(values.get(a), values.get(b), sort.down) || a - b);
      }
      return found;
    };

    // --- the table
    const count = area.querySelector("output"), chips = area.querySelector(".chips");
    const [back, next] = area.querySelectorAll(".pager button");
    const table = area.querySelector("table"), body = table.createTBody();
    const numeric = (column) => column.kind === "number" || column.kind === "percent";
    const head = table.createTHead().insertRow();
    const seen = columns.filter((column) => column.shown);
    for (const column of seen) {
      const button = make("button", { type: "button" }, column.heading);
      const cell = make("th", { scope: "col", class: numeric(column) ? "number" : null }, button);
      button.addEventListener("click", () => { sort = { column, down: turned(cell) }; page = 0; refresh(); });
      head.append(cell);
    }
    const selects = filters.filter((name) => byName.has(name) && byName.get(name).shown).map((name) => {
      const column = byName.get(name);
      const levels = column.levels || [...new Set(column.values)].filter((each) => each !== null).sort((a, b) => a - b);
      const single = column.kind === "words" ? [...new Set(levels.flatMap((level) => level.split(" ")))].sort() : levels;
      const select = make("select", {}, make("option", { value: "" }, "all"), ...single.slice(0, 200).map((level) => make("option", { value: level }, String(level))));
      select.addEventListener("change", () => {
        if (select.value === "") filtered.delete(name); else filtered.set(name, [select.value]);
        page = 0;
        toAddress();
      });
      area.querySelector(".filters").append(make("label", {}, column.heading, select));
      return [name, select];
    });
    const search = make("input", { type: "search", autocomplete: "off" });
    search.addEventListener("input", () => { words = search.value; page = 0; toAddress(); });
    area.querySelector(".filters").append(make("label", {}, "search", search));

    function refresh() {
      rows = chosen();
      const pages = Math.max(1, Math.ceil(rows.length / PAGE));
      page = Math.min(page, pages - 1);
      const start = page * PAGE, shown = rows.slice(start, start + PAGE);
      body.replaceChildren(...shown.map((i) => make("tr", {}, ...seen.map((column, place) => {
        const text = textOf(column, i);
        const kind = { class: numeric(column) ? "number" : null, title: text.length > 30 ? text : null };
        return place === 0 ? make("th", { scope: "row", ...kind }, text) : make("td", kind, text);
      }))));
      const whole = rows.length === total ? "" : ` of ${total.toLocaleString("en")}`;
      count.textContent = rows.length
        ? `Rows ${start + 1} to ${start + shown.length} of ${rows.length.toLocaleString("en")}${whole ? ` selected${whole}` : ""}`
        : `No trial matches${whole}`;
      back.disabled = page === 0;
      next.disabled = page >= pages - 1;
      for (const [name, select] of selects) select.value = filtered.has(name) && filtered.get(name).length === 1 ? filtered.get(name)[0] : "";
      if (search.value !== words) search.value = words;
      chips.replaceChildren(...[...filtered].map(([name, values]) => {
        const chip = make("button", { type: "button" }, `${byName.get(name).heading}: ${values.join(" or ")} ×`);
        chip.setAttribute("aria-label", `Remove the filter ${name} ${values.join(" or ")}`);
        chip.addEventListener("click", () => { filtered.delete(name); toAddress(); });
        return chip;
      }));
      if (filtered.size) {
        const all = make("button", { type: "button" }, "Show all trials");
        all.addEventListener("click", () => { filtered.clear(); words = ""; toAddress(); search.focus(); });
        chips.append(all);
      }
    }
    const turn = (by) => { page += by; refresh(); area.querySelector(".scroll").scrollIntoView({ block: "nearest" }); };
    back.addEventListener("click", () => turn(-1));
    next.addEventListener("click", () => turn(1));
    const follow = () => {
      fromAddress();
      page = 0;
      refresh();
      if (!location.hash.startsWith("#trials")) return;
      const title = document.getElementById("trials-title");
      title.scrollIntoView();
      title.focus({ preventScroll: true });
    };
    area.hidden = false;
    addEventListener("hashchange", follow);
    fromAddress();
    refresh();
    if (location.hash.startsWith("#trials?")) requestAnimationFrame(() => { if (!scrollY) follow(); });
  }

  // --- a page that is rewritten while its study runs: reload it, unless the reader is typing or selecting
  const every = Number(root.dataset.refreshS || 0);
  if (every) {
    let held = false;
    const pause = make("button", { type: "button", "aria-pressed": "false" }, "Pause");
    pause.addEventListener("click", () => { held = !held; pause.setAttribute("aria-pressed", String(held)); pause.textContent = held ? "Resume" : "Pause"; });
    document.body.append(make("div", { class: "fresh", role: "region", "aria-label": "This page reloads itself" }, `Written ${root.dataset.written}; reloads every ${every} s`, pause));
    setInterval(() => {
      const busy = ["INPUT", "SELECT"].includes(document.activeElement?.tagName) || String(getSelection()) !== "";
      if (!held && !busy && !document.hidden) location.reload();
    }, 1000 * every);
  }
})();
