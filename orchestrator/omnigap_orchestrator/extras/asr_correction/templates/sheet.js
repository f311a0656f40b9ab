"use strict";
// Shows one clip at a time; a label is stored at once, then the next unlabelled clip is shown.
(() => {
  const { sample, clips } = JSON.parse(document.getElementById("data").textContent);
  const STORE = `omnigap-labels-${sample}`;
  const WORDS = { right: "right", wrong: "wrong", unsure: "can't tell" };
  const find = (id) => document.getElementById(id);
  let place = 0;
  let showsGold = true;
  let keeps = true;
  const labels = read();

  function read() {
    try {
      return JSON.parse(localStorage.getItem(STORE)) || {};
    } catch {
      keeps = false;
      return {};
    }
  }

  function keep() {
    try {
      localStorage.setItem(STORE, JSON.stringify(labels));
    } catch {
      keeps = false;
    }
    find("storage").hidden = keeps;
  }

  function label(word) {
    const { clip } = clips[place];
    if (word) labels[clip] = word;
    else delete labels[clip];
    keep();
    find("saved").textContent = "";
    if (word) move(following());
    else draw(false);
  }

  // The next clip without a label, wrapping around; the following clip if all have labels.
  function following() {
    for (let step = 1; step <= clips.length; step += 1) {
      const next = (place + step) % clips.length;
      if (!labels[clips[next].clip]) return next;
    }
    return Math.min(place + 1, clips.length - 1);
  }

  function move(next) {
    place = Math.max(0, Math.min(next, clips.length - 1));
    draw(true);
  }

  function play() {
    const audio = find("audio");
    audio.currentTime = 0;
    audio.play().catch(() => {}); // Browsers may block autoplay before a click: the controls work then.
  }

  function draw(fresh) {
    const shown = clips[place];
    const current = labels[shown.clip] || "";
    find("place").textContent = `Clip ${place + 1} of ${clips.length}`;
    find("current").textContent = current ? WORDS[current] : "";
    find("current").dataset.label = current;
    find("question").textContent = shown.question;
    find("question").lang = shown.language;
    find("choices").replaceChildren(
      ...shown.choices.map((text) => Object.assign(document.createElement("li"), { textContent: text, lang: shown.language })),
    );
    find("instruction").textContent = shown.instruction;
    find("gold").textContent = shown.answers.join("  /  ");
    find("gold").hidden = !showsGold;
    for (const button of document.querySelectorAll(".labels button")) {
      button.setAttribute("aria-pressed", String(button.dataset.label === current));
    }
    const done = clips.filter(({ clip }) => labels[clip]).length;
    find("progress").value = done;
    find("count").textContent = `${done} of ${clips.length} labelled`;
    [...find("grid").children].forEach((button, index) => {
      const word = labels[clips[index].clip] || "";
      button.dataset.label = word;
      button.setAttribute("aria-current", String(index === place));
      button.setAttribute("aria-label", `Clip ${index + 1}: ${word ? WORDS[word] : "no label"}`);
    });
    if (fresh) {
      find("audio").src = shown.audio;
      play();
    }
  }

  function toggleGold() {
    showsGold = !showsGold;
    const button = find("gold-toggle");
    button.firstChild.textContent = showsGold ? "Hide gold answers " : "Show gold answers ";
    button.setAttribute("aria-expanded", String(showsGold));
    draw(false);
  }

  function save() {
    const head = "clip,stratum,stratum_size,inclusion_probability,label";
    const rows = clips.map((c) => [c.clip, c.stratum, c.stratum_size, c.inclusion_probability, labels[c.clip] || ""].join(","));
    const url = URL.createObjectURL(new Blob([[head, ...rows, ""].join("\n")], { type: "text/csv" }));
    const link = Object.assign(document.createElement("a"), { href: url, download: "labels.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    const done = clips.filter(({ clip }) => labels[clip]).length;
    find("saved").textContent = `Saved with ${done} of ${clips.length} labels.`;
  }

  const KEYS = {
    1: () => label("right"),
    r: () => label("right"),
    2: () => label("wrong"),
    w: () => label("wrong"),
    3: () => label("unsure"),
    u: () => label("unsure"),
    0: () => label(""),
    " ": play,
    ArrowLeft: () => move(place - 1),
    ArrowRight: () => move(place + 1),
    g: toggleGold,
    s: save,
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  for (const button of document.querySelectorAll(".labels button")) {
    button.addEventListener("click", () => label(button.dataset.label));
  }
  find("back").addEventListener("click", () => move(place - 1));
  find("next").addEventListener("click", () => move(place + 1));
  find("again").addEventListener("click", play);
  find("clear").addEventListener("click", () => label(""));
  find("gold-toggle").addEventListener("click", toggleGold);
  find("save").addEventListener("click", save);
  find("grid").append(
    ...clips.map((_, index) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: index + 1 });
      button.addEventListener("click", () => move(index));
      return button;
    }),
  );
  keep();
  const first = clips.findIndex(({ clip }) => !labels[clip]);
  move(first < 0 ? 0 : first);
})();
