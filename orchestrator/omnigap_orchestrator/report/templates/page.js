// Page script except the item browser: light and dark mode, popovers of definitions, export of tables.
"use strict";

(function theme() {
  const button = document.querySelector(".theme");
  const dark = () => document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    label();
  });
  label();
})();

// Browsers open popovers in the middle of the window; place them next to their question mark instead.
document.querySelectorAll("button[popovertarget]").forEach((button) => {
  const note = document.getElementById(button.getAttribute("popovertarget"));
  if (!note || !note.showPopover) return;
  button.addEventListener("click", () => { note.opener = button; });
  note.addEventListener("toggle", (event) => {
    if (event.newState !== "open" || note.opener !== button) return;
    const at = button.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left - 20, innerWidth - note.offsetWidth - 8));
    const below = at.bottom + 6 + note.offsetHeight < innerHeight;
    note.style.margin = "0";
    note.style.left = `${left}px`;
    note.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - 6 - note.offsetHeight)}px`;
  });
});

(function exports() {
  const lines = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => ({
    shown: (cell.querySelector("[data-shown]") || cell).textContent.replace(/\s+/g, " ").trim(),
    exact: cell.dataset.v,
    low: cell.dataset.low,
    high: cell.dataset.high,
    number: cell.classList.contains("num") || table.classList.contains("heat"),
  })));

  // Spreadsheets run a cell that starts like a formula, and names come from the models and items: mark it as text.
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const csvField = (cell) => {
    const text = cell.exact ?? cell.shown;
    return quoted(cell.exact === undefined && /^[=+@\t]/.test(text) ? `'${text}` : text);
  };
  // An interval becomes two columns; a number with its interval in one cell becomes three.
  const csv = (table) => {
    const rows = lines(table);
    const split = rows[0].map((_, i) => rows.some((row) => row[i] && row[i].low !== undefined));
    const valued = split.map((yes, i) => yes && rows.some((row) => row[i] && row[i].exact !== undefined));
    const line = (row, r) => row.flatMap((cell, i) => {
      if (!split[i]) return [csvField(cell)];
      const limits = r === 0 ? [quoted(`${cell.shown} low`), quoted(`${cell.shown} high`)] : [cell.low ?? "", cell.high ?? ""];
      return valued[i] ? [csvField(cell), ...limits] : limits;
    }).join(",");
    return rows.map(line).join("\n") + "\n";
  };

  const escapes = { "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", $: "\\$", "#": "\\#", _: "\\_", "{": "\\{", "}": "\\}",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}" };
  const tex = (text) => text.replace(/[\\&%$#_{}~^<>]/g, (c) => escapes[c]).replaceAll("\u2212", "$-$")
    .replaceAll("\u2013", "--").replaceAll("\u2026", "\\ldots{}").replaceAll("\u2192", "$\\to$").replaceAll("\u00d7", "$\\times$");
  const latex = (table) => {
    const rows = lines(table);
    const body = rows.slice(1);
    const columns = rows[0].map((_, i) => (body.some((row) => row[i] && row[i].number) ? "r" : "l")).join("");
    const line = (row) => `  ${row.map((cell) => tex(cell.shown)).join(" & ")} \\\\`;
    return [`% ${table.dataset.caption}`, "% needs \\usepackage{booktabs}", `\\begin{tabular}{${columns}}`, "  \\toprule", line(rows[0]),
      "  \\midrule", ...body.map(line), "  \\bottomrule", "\\end{tabular}", ""].join("\n");
  };
  const makers = { csv, latex };

  document.querySelectorAll("details.export").forEach((details) => {
    const table = details.closest("figure").querySelector("table");
    const area = details.querySelector("textarea");
    const buttons = details.querySelectorAll("button[data-format]");
    const done = details.querySelector("[role=status]");
    const show = (format) => {
      area.value = makers[format](table);
      buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.format === format)));
      done.textContent = "";
    };
    details.addEventListener("toggle", () => { if (details.open && !area.value) show("csv"); });
    buttons.forEach((b) => b.addEventListener("click", () => show(b.dataset.format)));
    details.querySelector("button[data-copy]").addEventListener("click", async () => {
      area.select();
      // Browsers may deny the clipboard API to pages opened from disk, but still allow execCommand.
      try { await navigator.clipboard.writeText(area.value); } catch { document.execCommand("copy"); }
      done.textContent = "Copied.";
    });
  });
})();
