// The heatmap under pointer and keys: tooltip, arrow keys, and the candles of a cell behind a click.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("heat-data").textContent);
  const table = document.getElementById("heat");
  const frame = table.parentElement;
  const tip = document.getElementById("tip");
  const live = document.getElementById("heat-live");
  const rows = [...table.querySelectorAll("svg.row")];
  const lastColumn = data.edges.length - 2;
  const daySeconds = 86400;
  const words = {
    stored: "stored",
    proven_empty: "proven empty",
    fillable: "missing, still served by Kraken",
    expiring: "missing, leaving the API",
    unfillable: "missing, beyond the API",
    pending: "not due yet",
    not_loaded: "never loaded",
    disputed: "disputed by trades",
    restated: "restated",
  };
  const dayText = new Intl.DateTimeFormat("en-GB", {
    timeZone: "UTC", weekday: "short", day: "numeric", month: "short", year: "numeric",
  });
  const monthText = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", month: "long", year: "numeric" });

  const cursor = document.createElement("div");
  cursor.className = "cursor";
  cursor.hidden = true;
  frame.append(cursor);

  let at = { row: 0, column: lastColumn };

  const cellOf = (row, column) => {
    let rest = column;
    for (const [n, state, ...counts] of data.rows[row]) {
      if (rest < n) return { state: data.states[state], counts };
      rest -= n;
    }
    return null;
  };

  const isoDay = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);

  const periodText = (column) => {
    const [start, end] = [data.edges[column], data.edges[column + 1]];
    const first = dayText.format(start * 1000).replace(",", "");
    const days = (end - start) / daySeconds;
    if (days === 1) return first;
    const last = dayText.format((end - 1) * 1000).replace(",", "");
    const isMonth = isoDay(start).endsWith("-01") && isoDay(end).endsWith("-01");
    return isMonth && days > 7 ? monthText.format(start * 1000) : `${first} – ${last}`;
  };

  const intervalText = (minutes) => {
    if (minutes % 1440 === 0) return `${minutes / 1440} d`;
    return minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`;
  };

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const swatch = (state) => {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("width", "14");
    svg.setAttribute("height", "14");
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", "M0 0h14v18h-14z");
    path.setAttribute("transform", "translate(0 -2)");
    path.setAttribute("fill", `url(#p-${state})`);
    svg.append(path);
    return svg;
  };

  const show = (row, column, speak) => {
    const cell = cellOf(row, column);
    const box = rows[row].getBoundingClientRect();
    const around = frame.getBoundingClientRect();
    if (!cell) return;
    at = { row, column };
    const left = box.left + column * data.pitch;
    const gap = data.pitch >= 10 ? 2 : data.pitch >= 5 ? 1 : 0;
    cursor.hidden = false;
    cursor.style.left = `${left - around.left - frame.clientLeft + frame.scrollLeft - 2}px`;
    cursor.style.top = `${box.top - around.top - frame.clientTop - 2}px`;
    cursor.style.width = `${data.pitch - gap + 4}px`;
    cursor.style.height = `${box.height + 4}px`;

    const [ticker, minutes] = data.series[row];
    const title = cell.state === "outside" ? "Nothing is expected" : data.titles[cell.state];
    const head = element("div", "tip-head");
    head.append(element("b", "", `${ticker} · ${intervalText(minutes)}`), element("span", "", periodText(column)));
    const state = element("div", "tip-state");
    if (cell.state !== "outside") state.append(swatch(cell.state));
    state.append(title);
    const counts = element("dl", "tip-counts");
    const spoken = [];
    data.counts.forEach((name, number) => {
      const n = cell.counts[number];
      if (!n) return;
      counts.append(element("dt", "", n.toLocaleString("en").replaceAll(",", "\u2009")), element("dd", "", words[name]));
      spoken.push(`${n} ${words[name]}`);
    });
    tip.replaceChildren(head, state, counts);
    if (cell.state !== "outside") tip.append(element("div", "tip-hint", speak ? "Enter: its candles" : "Click: its candles"));
    tip.hidden = false;
    const own = tip.getBoundingClientRect();
    const x = Math.min(Math.max(8, left + data.pitch / 2 - own.width / 2), window.innerWidth - own.width - 8);
    const below = box.bottom + 10;
    const y = below + own.height > window.innerHeight - 8 ? box.top - own.height - 10 : below;
    tip.style.left = `${x}px`;
    tip.style.top = `${y}px`;
    if (speak) live.textContent = `${ticker} ${intervalText(minutes)}, ${periodText(column)}: ${title}. ${spoken.join(", ")}`;
  };

  const hide = () => {
    tip.hidden = true;
    cursor.hidden = true;
  };

  const open = (row, column) => {
    const [ticker, interval] = data.series[row];
    const query = new URLSearchParams({
      ticker,
      interval,
      from: isoDay(data.edges[column]),
      to: isoDay(data.edges[column + 1] - 1),
    });
    window.location.assign(`candles?${query}`);
  };

  const columnUnder = (event, row) => {
    const x = event.clientX - rows[row].getBoundingClientRect().left;
    return Math.min(lastColumn, Math.max(0, Math.floor(x / data.pitch)));
  };

  rows.forEach((svg, row) => {
    svg.addEventListener("pointermove", (event) => show(row, columnUnder(event, row), false));
    svg.addEventListener("pointerleave", () => {
      if (document.activeElement !== svg) hide();
    });
    svg.addEventListener("click", (event) => open(row, columnUnder(event, row)));
    svg.addEventListener("focus", () => {
      if (svg.matches(":focus-visible")) show(row, at.column, true);
    });
    svg.addEventListener("blur", hide);
  });

  const moves = {
    ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
    PageUp: [-10, 0], PageDown: [10, 0], Home: [0, -Infinity], End: [0, Infinity],
  };
  table.addEventListener("keydown", (event) => {
    const row = rows.indexOf(document.activeElement);
    if (row < 0) return;
    if (event.key === "Enter") {
      open(row, at.column);
      event.preventDefault();
    } else if (event.key === "Escape") {
      hide();
    } else if (moves[event.key]) {
      const [down, right] = moves[event.key];
      const next = Math.min(rows.length - 1, Math.max(0, row + down));
      const column = Math.min(lastColumn, Math.max(0, at.column + right));
      rows[row].tabIndex = -1;
      rows[next].tabIndex = 0;
      at.column = column;
      if (next !== row) rows[next].focus();
      rows[next].scrollIntoView({ block: "nearest" });
      show(next, column, true);
      event.preventDefault();
    }
  });

  // What happened last is at the right edge.
  frame.scrollLeft = frame.scrollWidth;
  window.addEventListener("scroll", hide, { passive: true });
})();
