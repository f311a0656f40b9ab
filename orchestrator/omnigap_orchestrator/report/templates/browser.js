// The item browser: reads the columnar data of the page, filters it, and renders one page of rows at a time.
"use strict";

(function browser() {
  const source = document.getElementById("browser-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const { conditions, items, entries, cells, strings } = data;
  const WIDTH = conditions.length;
  const PAGE = 20;
  const $ = (id) => document.getElementById(id);
  const str = (place) => (place >= 0 ? strings[place] : "");

  // One cell, looked up in the flat columns.
  const at = (entry, c) => {
    const place = entry * WIDTH + c;
    return {
      condition: conditions[c], outcome: str(cells.outcome[place]), support: str(cells.support[place]),
      score: cells.score[place], ownScore: cells.own_text_score[place],
      own: str(cells.own_text[place]), transcript: str(cells.transcript[place]), flags: str(cells.flags[place]),
      parsed: str(cells.parsed[place]), step: str(cells.step[place]),
      reason: str(cells.error_reason[place]), message: str(cells.error_message[place]), metric: str(cells.metric[place]),
      finish: str(cells.finish_reason[place]), audio: cells.audio_seconds[place],
      latency: cells.latency_s[place], logprob: cells.asr_avg_logprob[place], noSpeech: cells.asr_no_speech_prob[place],
      compression: cells.asr_compression_ratio[place], input: cells.input_media[place], output: cells.output_media[place],
    };
  };
  const state = (entry, c) => {
    const place = entry * WIDTH + c;
    const score = cells.score[place];
    if (score === null) return str(cells.outcome[place]) === "answered" ? "unscored" : "missing";
    return score >= data.rightFrom ? "right" : "wrong";
  };
  const flipped = (entry, c) => c > 0 && state(entry, 0) === "right" && state(entry, c) === "wrong";

  const el = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "class") node.className = value; else node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  };
  const mark = (entry, c) => {
    const what = state(entry, c);
    const score = cells.score[entry * WIDTH + c];
    let [kind, sign, words] = { right: ["right", "\u2713", "right"], wrong: ["wrong", "\u2717", "wrong"],
      unscored: ["none", "?", "answered, not scored"], missing: ["none", "\u2013", str(cells.outcome[entry * WIDTH + c]) || "not planned"] }[what];
    if (flipped(entry, c)) { kind = "flip"; words = `wrong, but right in ${conditions[0]}`; }
    if (score !== null && score > 0 && score < 1) sign = String(Math.round(score * 100));
    return el("span", { class: `mark ${kind}`, role: "img", "aria-label": `${conditions[c]}: ${words}`, title: `${conditions[c]}: ${words}` }, sign);
  };

  // ---- filters
  const fields = ["search", "model", "task", "condition", "verdict", "outcome", "flag"].map((name) => $(`filter-${name}`));
  const [search, model, task, condition, verdict, outcome, flag] = fields;
  const fill = (select, values, shown = values) => values.forEach((value, i) => select.append(el("option", { value }, shown[i])));
  fill(model, data.models, data.names);
  fill(task, data.tasks);
  fill(condition, conditions);
  const known = (column) => [...new Set(column)].filter((p) => p >= 0).map(str);
  fill(outcome, known(cells.outcome).sort());
  fill(flag, [...new Set(known(cells.flags).flatMap((f) => f.split(" ")))].sort());
  // The searchable text of an entry, built on first use: most pages are never searched.
  const searchTexts = [];
  const searchText = (entry) => {
    if (searchTexts[entry] === undefined) {
      const item = entries.item[entry];
      const words = [items.id[item], items.question[item], ...items.choices[item], ...items.answers[item]];
      for (let c = 0; c < WIDTH; c++) words.push(str(cells.own_text[entry * WIDTH + c]), str(cells.transcript[entry * WIDTH + c]));
      searchTexts[entry] = words.join("\n").toLowerCase();
    }
    return searchTexts[entry];
  };
  const matches = (entry) => {
    if (model.value && data.models[entries.model[entry]] !== model.value) return false;
    if (task.value && items.task[entries.item[entry]] !== task.value) return false;
    const term = search.value.trim().toLowerCase();
    if (term && !searchText(entry).includes(term)) return false;
    if (!verdict.value && !outcome.value && !flag.value) return true;
    // All filters of a cell must match in the same condition.
    const wanted = condition.value ? [conditions.indexOf(condition.value)] : conditions.map((_, c) => c);
    return wanted.some((c) => {
      const place = entry * WIDTH + c;
      if (verdict.value === "flip" ? !flipped(entry, c) : verdict.value && state(entry, c) !== verdict.value) return false;
      if (outcome.value && str(cells.outcome[place]) !== outcome.value) return false;
      return !flag.value || str(cells.flags[place]).split(" ").includes(flag.value);
    });
  };

  // ---- the list
  let found = [];
  let page = 0;
  const body = $("entry-rows");
  const several = { models: data.models.length > 1, replicates: entries.replicate.some((r) => r > 0) };
  const draw = () => {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    body.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map((entry, i) => {
      const item = entries.item[entry];
      const open = el("button", { class: "open", type: "button" }, items.question[item]);
      const id = items.id[item] + (several.replicates ? ` \u00b7 replicate ${entries.replicate[entry]}` : "");
      const row = el("tr", {},
        el("td", { class: "question" }, open, el("span", { class: "id" }, id)),
        el("td", { class: "hide-narrow" }, items.answers[item][0] || ""),
        el("td", { class: "hide-narrow soft" }, items.task[item]));
      if (several.models) row.append(el("td", { class: "hide-narrow soft" }, data.names[entries.model[entry]]));
      conditions.forEach((_, c) => row.append(el("td", { class: "mark-cell" }, mark(entry, c))));
      row.addEventListener("click", () => show(page * PAGE + i));
      return row;
    }));
    if (!found.length) body.append(el("tr", {}, el("td", { colspan: "12", class: "soft" }, "No entries match these filters.")));
    $("entry-count").textContent = `${found.length.toLocaleString("en")} of ${entries.item.length.toLocaleString("en")} entries`;
    $("page-number").textContent = `page ${page + 1} of ${pages}`;
    $("page-back").disabled = page === 0;
    $("page-on").disabled = page >= pages - 1;
  };
  const refilter = () => {
    found = [];
    for (let entry = 0; entry < entries.item.length; entry++) if (matches(entry)) found.push(entry);
    page = 0;
    draw();
  };
  // Typing filters after a short pause, not at every key: a large run has thousands of entries to search.
  let timer;
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(refilter, 120); });
  fields.slice(1).forEach((field) => field.addEventListener("change", refilter));
  $("filters").addEventListener("submit", (event) => { event.preventDefault(); refilter(); });
  // The event fires before the fields are reset, so filter after it.
  $("filters").addEventListener("reset", () => setTimeout(refilter));
  $("page-back").addEventListener("click", () => { page -= 1; draw(); });
  $("page-on").addEventListener("click", () => { page += 1; draw(); });
  if (!several.models) { model.closest("label").hidden = true; $("entry-model").hidden = true; }

  // ---- one item
  const viewer = $("viewer");
  let shown = 0;
  const address = (place) => {
    const payload = $(`m-${place}`);
    return payload ? `data:${data.media.mime[place]};base64,${payload.textContent}` : data.media.link[place];
  };
  const medium = (place, name) => {
    const kind = data.media.kind[place];
    if (kind === "audio") return el("audio", { controls: "", preload: "metadata", src: address(place), "aria-label": name });
    if (kind === "image") return el("img", { src: address(place), alt: name });
    if (kind === "text") return el("div", { class: "typed" }, data.media.text[place]);
    return el("p", { class: "nothing" }, "The file is missing from the run folder.");
  };
  const number = (value, digits) => (value === null ? null : value.toFixed(digits));
  const pair = (list, name, text, used) => {
    if (text) list.append(el("dt", {}, name), el("dd", used ? { class: "used" } : {}, text));
  };
  const typedQuestion = (item) => [items.question[item], ...items.choices[item].map((choice, i) => `${"ABCDEFGH"[i]}. ${choice}`)].join("\n");

  const carrier = (name, item, row) => {
    const places = [...new Set(row.map((cell) => cell.input).filter((place) => place >= 0))];
    const box = el("div", { class: "carrier" }, el("h4", {}, { t: "Text", s: "Speech", i: "Image" }[name] || name));
    places.forEach((place) => box.append(medium(place, `Question as ${{ t: "text", s: "speech", i: "image" }[name]}`)));
    if (!places.length && name === "t") box.append(el("div", { class: "typed" }, typedQuestion(item)));
    else if (!places.length) box.append(el("p", { class: "nothing" },
      row.some((cell) => cell.outcome === "answered") ? "The carrier was not stored." : "No cell with this input."));
    return box;
  };
  const cellBox = (entry, c) => {
    const cell = at(entry, c);
    const head = el("h4", {}, mark(entry, c), el("code", {}, cell.condition));
    if (cell.score !== null) head.append(el("span", { class: "score", title: `metric: ${cell.metric}` }, `score ${+cell.score.toFixed(3)}`));
    const box = el("div", { class: `cell${flipped(entry, c) ? " flip" : ""}`, "data-condition": cell.condition }, head);
    const speech = data.grid && cell.condition.endsWith("s");
    if (cell.outcome !== "answered") {
      const why = [cell.reason, cell.message].filter(Boolean).join(": ");
      box.append(el("p", { class: "nothing" }, cell.outcome ? `${cell.outcome}${why ? ` (${why})` : ""}` : "not planned"), ...controlLines(entry * WIDTH + c));
      return box;
    }
    if (speech && cell.output >= 0) box.append(medium(cell.output, `Answer as speech in ${cell.condition}`));
    const list = el("dl");
    if (speech) {
      pair(list, "ASR transcript (scored)", cell.transcript || "(empty)", true);
      pair(list, cell.ownScore === null ? "Own text" : `Own text (its score: ${+cell.ownScore.toFixed(3)})`, cell.own || "(none)");
    } else pair(list, "Answer", cell.own || "(empty)", true);
    if (cell.step) pair(list, `Read (${cell.step})`, cell.parsed || "(nothing)");
    box.append(list);
    const meta = el("p", { class: "meta" });
    cell.flags.split(" ").filter(Boolean).forEach((f) => meta.append(el("span", { class: "flag" }, f)));
    [["support", cell.support === "native" ? "" : cell.support], ["finish", cell.finish === "stop" ? "" : cell.finish], ["audio", cell.audio === null ? "" : `${number(cell.audio, 1)} s`],
      ["latency", cell.latency === null ? "" : `${number(cell.latency, 2)} s`], ["avg logprob", number(cell.logprob, 2)],
      ["no speech", number(cell.noSpeech, 2)], ["compression", number(cell.compression, 2)]]
      .forEach(([name, value]) => { if (value) meta.append(el("span", {}, `${name} ${value}`)); });
    if (meta.childNodes.length) box.append(meta);
    box.append(...controlLines(entry * WIDTH + c));
    return box;
  };
  // The control cells of a cell, as short lines without media.
  const controlLines = (place) => {
    const lines = el("dl", { class: "controls" });
    for (const [name, column] of Object.entries(data.controls)) {
      const outcome = str(column.outcome[place]);
      if (!outcome) continue;
      const score = column.score[place];
      const text = outcome === "answered" ? str(column.answer[place]) || "(empty)" : `${outcome} ${str(column.reason[place])}`.trim();
      const label = { "two-pass": "Two-pass control", blank: "Blank control", repeat: "Repeat control" }[name] || name;
      if (name === "two-pass" && outcome === "answered") pair(lines, "First pass", str(column.first[place]).trim() || "(empty)");
      pair(lines, score === null ? label : `${label} (score ${+score.toFixed(3)})`, text);
    }
    return lines.childNodes.length ? [lines] : [];
  };
  const show = (place) => {
    if (place < 0 || place >= found.length) return;
    shown = place;
    const entry = found[place];
    const item = entries.item[entry];
    $("viewer-where").textContent = [`${place + 1} of ${found.length}`, items.id[item], items.task[item], data.names[entries.model[entry]],
      several.replicates ? `replicate ${entries.replicate[entry]}` : "", str(entries.voice[entry]) && `voice ${str(entries.voice[entry])}`,
      str(entries.font[entry]) && `font ${str(entries.font[entry])}`].filter(Boolean).join(" \u00b7 ");
    const head = $("viewer-head");
    head.replaceChildren(el("h3", { id: "viewer-title" }, items.question[item]));
    if (items.choices[item].length) head.append(el("ol", {}, ...items.choices[item].map((choice) => el("li", {}, choice))));
    if (items.instruction[item]) head.append(el("p", { class: "soft" }, `Instruction, given as text in all conditions: ${items.instruction[item]}`));
    const [gold, ...aliases] = items.answers[item];
    if (gold !== undefined) head.append(el("p", { class: "gold" }, "Gold answer: ", el("b", {}, gold), aliases.length ? `; also accepted: ${aliases.join(", ")}` : ""));
    const six = $("viewer-six");
    if (data.grid) {
      six.replaceChildren(el("div", { class: "colhead" }, "Question"), el("div", { class: "colhead" }, "Text answer"), el("div", { class: "colhead" }, "Spoken answer"));
      const outputs = WIDTH / 2;
      for (let r = 0; r < outputs; r++) {
        const row = [at(entry, r), at(entry, r + outputs)];
        six.append(carrier(conditions[r][0], item, row), cellBox(entry, r), cellBox(entry, r + outputs));
      }
    } else six.replaceChildren(...conditions.map((_, c) => cellBox(entry, c)));
    $("viewer-back").disabled = place === 0;
    $("viewer-on").disabled = place >= found.length - 1;
    if (!viewer.open) viewer.showModal();
    viewer.scrollTop = 0;
    history.replaceState(null, "", `#item=${entry}`);
  };
  $("viewer-back").addEventListener("click", () => show(shown - 1));
  $("viewer-on").addEventListener("click", () => show(shown + 1));
  $("viewer-close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
  viewer.addEventListener("keydown", (event) => {
    // The arrow keys of a focused player seek in its audio.
    if (event.target instanceof HTMLMediaElement) return;
    if (event.key === "ArrowRight") show(shown + 1);
    if (event.key === "ArrowLeft") show(shown - 1);
  });
  // Removing the players stops audio that is still playing.
  viewer.addEventListener("close", () => { $("viewer-six").replaceChildren(); history.replaceState(null, "", "#items"); });

  // Links to a filtered list, such as #items?condition=s2t&verdict=flip, and to one item, such as #item=12.
  const follow = () => {
    const one = location.hash.match(/^#item=(\d+)$/);
    const query = location.hash.match(/^#items\?(.*)$/);
    if (query) {
      $("filters").reset();
      new URLSearchParams(query[1]).forEach((value, key) => { const field = $(`filter-${key}`); if (field) field.value = value; });
      refilter();
      $("items").scrollIntoView();
    } else {
      refilter();
      if (one && Number(one[1]) < entries.item.length) show(found.indexOf(Number(one[1])));
    }
  };
  addEventListener("hashchange", () => { if (location.hash.startsWith("#items?")) follow(); });
  follow();
})();
