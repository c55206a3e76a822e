"use strict";
// The page of toolkit.browse: a table of answers, and a view of the tokens of one.
//
// Texts of answers reach the document through `textContent` alone; the content security policy of
// the page refuses markup (trusted types), other scripts and every request.

const ROWS = 100; // answers of the table at once
const TOKENS = 2000; // tokens of a channel at once; a button adds as many
const find = (id) => document.getElementById(id);

/** Make an element: its name, its class, and texts or elements that it holds. */
function element(name, kind = "", ...children) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(...children.map((child) =>
    child instanceof Node ? child : document.createTextNode(String(child))));
  return made;
}

// --- Data -----------------------------------------------------------------------------------------

/** Decode an element of compressed data; all but the index follow this script in the document. */
async function unpack(id) {
  if (id !== "index" && document.readyState === "loading") {
    await new Promise((done) => document.addEventListener("DOMContentLoaded", done, { once: true }));
  }
  const text = atob(find(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Read columns of whole numbers, whose first bytes come first, then their second bytes. */
function columnsOf(bytes, widths, n) {
  const columns = {};
  let at = 0;
  for (const [name, width] of Object.entries(widths)) {
    const values = new Uint32Array(n);
    for (let plane = 0; plane < width; plane++, at += n) {
      for (let i = 0; i < n; i++) values[i] |= bytes[at + i] << (8 * plane);
    }
    columns[name] = values;
  }
  return columns;
}

const total = (counts) => counts.reduce((sum, count) => sum + count, 0);

/** The token data, unpacked part by part as answers are opened. */
class Tokens {
  constructor(data) {
    this.data = data;
    this.parts = new Map();
    this.starts = []; // of each answer in its part, and at the end of a part its length
    data.first.forEach((first, part) => {
      let at = 0;
      const end = data.first[part + 1] ?? data.shown.length;
      for (let i = first; i < end; i++) {
        this.starts[i] = at;
        at += total(data.shown[i]);
      }
    });
  }

  async part(number) {
    if (!this.parts.has(number)) this.parts.set(number, this.read(number));
    return this.parts.get(number);
  }

  async read(number) {
    const { data } = this;
    const last = (data.first[number + 1] ?? data.shown.length) - 1;
    const n = this.starts[last] + total(data.shown[last]);
    const tokens = columnsOf(await unpack(`tokens-${number}`), data.token, n);
    tokens.logprob = new Float32Array(tokens.logprob.buffer);
    tokens.begins = new Uint32Array(n + 1); // of the alternatives of each token
    for (let i = 0; i < n; i++) tokens.begins[i + 1] = tokens.begins[i] + tokens.kept[i];
    const raw = await unpack(`alternatives-${number}`);
    const alternatives = columnsOf(raw, data.alternative, tokens.begins[n]);
    return { tokens, alternatives };
  }

  /** Return the channels of an answer in the order of reading, with their tokens. */
  async of(answer) {
    const { data } = this;
    let number = data.first.length - 1;
    while (number > 0 && data.first[number] > answer) number--;
    const counts = data.shown[answer];
    const part = total(counts) ? await this.part(number) : null;
    return data.order.map((name) => {
      const code = data.channels.indexOf(name);
      const start = this.starts[answer] + total(counts.slice(0, code));
      const rows = Array.from({ length: counts[code] }, (_, i) => start + i);
      return { name, tokens: rows.map((row, position) => this.token(part, row, position)) };
    });
  }

  token({ tokens, alternatives }, row, position) {
    const { data } = this;
    const status = data.statuses[tokens.status[row]];
    const logprob = tokens.logprob[row];
    const list = [];
    for (let i = tokens.begins[row]; i < tokens.begins[row + 1]; i++) {
      list.push({
        text: data.texts[alternatives.text[i]],
        probability: alternatives.probability[i] / 1000,
        isSampled: alternatives.sampled[i] === 1,
      });
    }
    const missing = tokens.missing[row];
    return {
      position, status, logprob, list,
      text: data.texts[tokens.text[row]],
      probability: status === "ok" ? Math.exp(Math.min(logprob, 0)) : NaN,
      rank: tokens.rank[row],
      listed: tokens.listed[row],
      missing: missing === data.none ? NaN : missing / 1000,
    };
  }
}

// --- Texts ----------------------------------------------------------------------------------------

/** Write a number as toolkit.show does. */
function decimal(value) {
  if (value === null || Number.isNaN(value)) return "unknown";
  const size = Math.abs(value);
  return value === 0 || (size >= 5e-4 && size < 1e4) ? value.toFixed(3) : value.toExponential(1);
}

/** Write a token on its own, on one line. */
function spelled(text) {
  const pieces = typeof text === "string" ? [text] : text;
  const line = pieces
    .map((piece, i) => (i % 2 ? piece : piece.replaceAll(" ", "␣"))).join("");
  return /^\p{M}/u.test(line) ? `◌${line}` : line;
}

/** Return the pieces of a token; marks replace hidden characters, and a line ends after its mark. */
function piecesOf(text) {
  if (typeof text === "string") return [text];
  return text.flatMap((piece, i) => {
    if (i % 2 === 0) return piece ? [piece] : [];
    const mark = element("span", "lp-m", piece);
    return piece === "↵" ? [mark, "\n"] : [mark];
  });
}

/** Colour an element by a probability, on the scale of toolkit.show. */
function tint(made, probability, colours) {
  const isKnown = probability !== null && !Number.isNaN(probability);
  const certainty = isKnown ? Math.round(100 * Math.min(Math.max(probability, 0), 1)) : 101;
  const [ground, ink] = colours[certainty];
  made.style.backgroundColor = ground;
  made.style.color = ink;
  if (isKnown) made.style.setProperty("--q", String(100 - certainty));
  else made.classList.add("lp-na");
  return made;
}

// --- The table ------------------------------------------------------------------------------------

/** The answers that meet the filters, in order; shown a hundred at a time. */
class Table {
  constructor(data, open) {
    this.data = data;
    this.open = open;
    this.columns = new Map(data.columns.map((column) => [column.name, column]));
    this.page = 0;
    this.rows = [];
    this.labels = data.columns.filter((column) => column.labels);
    this.measures = data.columns.filter((column) => column.is_number);
    this.build();
    this.reset();
  }

  build() {
    const heads = this.data.columns.map((column) => {
      const button = element("button", "", column.label);
      button.type = "button";
      button.addEventListener("click", () => this.sortBy(column.name, true));
      const head = element("th", `${column.name}${column.is_number ? " n" : ""}`, button);
      head.scope = "col";
      return head;
    });
    find("heads").replaceChildren(...heads);
    fill(find("sort"), this.data.columns.map((column) => [column.name, column.label]));
    fill(find("measure"), this.measures.map((column) => [column.name, column.label]));
    find("labels").replaceChildren(...this.labels.map((column) => {
      const choice = element("select");
      choice.id = `only-${column.name}`;
      const labels = column.labels.map((label, code) => [String(code), label]);
      const none = column.values.includes(-1) ? [["-1", "none"]] : [];
      fill(choice, [["", "all"], ...labels, ...none]);
      choice.addEventListener("change", () => this.update());
      return element("label", "", `${column.label} `, choice);
    }));
    for (const id of ["query", "low", "high"]) find(id).addEventListener("input", () => this.update());
    find("measure").addEventListener("change", () => this.update());
    find("descending").addEventListener("change", () => this.update());
    find("sort").addEventListener("change", () => this.sortBy(find("sort").value, false));
    find("reset").addEventListener("click", () => this.reset());
    find("back").addEventListener("click", () => this.turn(-1));
    find("on").addEventListener("click", () => this.turn(1));
    find("rows").addEventListener("keydown", (event) => this.key(event));
  }

  reset() {
    for (const id of ["query", "low", "high"]) find(id).value = "";
    for (const column of this.labels) find(`only-${column.name}`).value = "";
    find("measure").value = "min_probability";
    this.sortBy("perplexity", false);
  }

  /** Sort by a column; a head that is chosen again reverses the order. */
  sortBy(name, canReverse) {
    const isSame = canReverse && find("sort").value === name && this.rows.length > 0;
    find("descending").checked = isSame
      ? !find("descending").checked
      : this.columns.get(name).descending;
    find("sort").value = name;
    this.update();
  }

  update() {
    this.page = 0;
    this.rows = this.sorted(this.filtered());
    this.draw();
  }

  /** The texts that the search looks through, in lower case, made when they are first needed. */
  get haystacks() {
    this.lowered ??= this.columns.get("text").values.map((text, i) =>
      `${this.columns.get("custom_id").values[i]} ${text ?? ""}`.toLowerCase());
    return this.lowered;
  }

  filtered() {
    const words = find("query").value.toLowerCase().split(/\s+/).filter(Boolean);
    const codes = this.labels.map((column) => [column.values, find(`only-${column.name}`).value]);
    const { values } = this.columns.get(find("measure").value);
    const [low, high] = ["low", "high"].map((id) => find(id).valueAsNumber);
    const haystacks = words.length ? this.haystacks : [];
    const kept = [];
    for (let i = 0; i < this.data.shown.length; i++) {
      if (!words.every((word) => haystacks[i].includes(word))) continue;
      if (!codes.every(([own, code]) => code === "" || own[i] === Number(code))) continue;
      if (!Number.isNaN(low) && !(values[i] !== null && values[i] >= low)) continue;
      if (!Number.isNaN(high) && !(values[i] !== null && values[i] <= high)) continue;
      kept.push(i);
    }
    return kept;
  }

  sorted(rows) {
    const column = this.columns.get(find("sort").value);
    const sign = find("descending").checked ? -1 : 1;
    const value = (i) => column.labels ? column.labels[column.values[i]] ?? null : column.values[i];
    const order = new Intl.Collator("en", { numeric: true });
    const compare = column.is_number ? (a, b) => a - b : (a, b) => order.compare(a, b);
    const known = rows.filter((i) => value(i) !== null);
    const unknown = rows.filter((i) => value(i) === null);
    return [...known.sort((a, b) => sign * compare(value(a), value(b)) || a - b), ...unknown];
  }

  draw() {
    const from = this.page * ROWS;
    const shown = this.rows.slice(from, from + ROWS);
    find("rows").replaceChildren(...shown.map((i) => this.row(i)));
    const [n, all] = [this.rows.length, this.data.shown.length].map((count) => count.toLocaleString("en"));
    const range = `${(from + 1).toLocaleString("en")}–${(from + shown.length).toLocaleString("en")} of `;
    find("status").textContent = `${shown.length ? range : ""}${n} answers${n === all ? "" : ` (all: ${all})`}`;
    find("back").disabled = this.page === 0;
    find("on").disabled = from + ROWS >= this.rows.length;
    const direction = find("descending").checked ? "descending" : "ascending";
    [...find("heads").children].forEach((head, i) => {
      if (this.data.columns[i].name === find("sort").value) head.setAttribute("aria-sort", direction);
      else head.removeAttribute("aria-sort");
    });
  }

  row(i) {
    const made = element("tr", "", ...this.data.columns.map((column) => this.cell(column, i)));
    made.addEventListener("click", () => this.open(i));
    return made;
  }

  cell(column, i) {
    const value = column.labels ? column.labels[column.values[i]] : column.values[i];
    const cell = element("td", `${column.name}${column.is_number ? " n" : ""}`);
    if (column.name === "custom_id") {
      const button = element("button", "", value);
      button.type = "button";
      button.dataset.answer = String(i);
      cell.append(button);
    } else if (value === null || value === undefined) {
      cell.append("–");
    } else if (column.name.endsWith("_probability")) {
      cell.append(tint(element("span", "lp-t", decimal(value)), value, this.data.colours));
    } else if (column.is_number) {
      cell.append(column.name === "perplexity" ? decimal(value) : value.toLocaleString("en"));
    } else {
      cell.append(element("div", "", value.slice(0, 600)));
    }
    return cell;
  }

  turn(by) {
    this.page += by;
    this.draw();
    document.querySelector(".scroll").scrollTop = 0;
  }

  /** Move to the next or previous row, and at the end of the rows to another hundred. */
  key(event) {
    const at = this.rows.indexOf(Number(event.target.dataset.answer ?? NaN));
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: ROWS, PageUp: -ROWS }[event.key];
    if (at < 0 || step === undefined) return;
    event.preventDefault();
    this.focus(this.rows[Math.min(Math.max(at + step, 0), this.rows.length - 1)]);
  }

  /** Focus the row of an answer, and show the hundred that it is in. */
  focus(answer) {
    const at = this.rows.indexOf(answer);
    if (at < 0) return;
    if (Math.floor(at / ROWS) !== this.page) this.turn(Math.floor(at / ROWS) - this.page);
    find("rows").children[at % ROWS]?.querySelector("button").focus();
  }
}

function fill(choice, options) {
  choice.replaceChildren(...options.map(([value, label]) => {
    const option = element("option", "", label);
    option.value = value;
    return option;
  }));
}

// --- One answer -----------------------------------------------------------------------------------

/** The dialog that shows the tokens of an answer, and the details of the chosen one. */
class Answer {
  constructor(data) {
    this.data = data;
    this.tokens = new Tokens(data);
    this.columns = new Map(data.columns.map((column) => [column.name, column]));
    this.current = null;
    this.legend();
    find("close").addEventListener("click", () => find("answer").close());
    find("earlier").addEventListener("click", () => this.step(-1));
    find("later").addEventListener("click", () => this.step(1));
    find("answer").addEventListener("close", () => this.table.focus(this.current));
    find("answer").addEventListener("keydown", (event) => this.key(event));
    find("body").addEventListener("click", (event) => this.choose(event.target.closest(".lp-t")));
    find("body").addEventListener("focusin", (event) => this.choose(event.target.closest(".lp-t")));
    find("body").addEventListener("mouseover", (event) => this.detail(event.target.closest(".lp-t")));
    find("body").addEventListener("mouseleave", () => this.detail(this.chosen));
  }

  legend() {
    const steps = [0, 0.2, 0.4, 0.6, 0.8, 1].map((step) => tint(element("span"), step, this.data.colours));
    const swatch = element("span", "lp-swatch lp-na");
    find("legend").append(
      element("span", "lp-scale", "probability 0", element("span", "lp-steps", ...steps), "1"),
      element("span", "", element("span", "lp-off", "underlined"), ": not the likeliest token"),
      element("span", "", swatch, "no value"),
    );
  }

  async open(answer) {
    this.current = answer;
    this.chosen = null;
    this.shown = new Map(); // element to token
    const channels = await this.tokens.of(answer);
    if (this.current !== answer) return; // another was opened meanwhile
    const at = this.table.rows.indexOf(answer);
    find("earlier").disabled = at <= 0;
    find("later").disabled = at < 0 || at + 1 >= this.table.rows.length;
    find("name").textContent = this.columns.get("custom_id").values[answer];
    const parts = channels.flatMap((channel) => this.channel(channel, answer));
    const more = this.data.more[answer];
    if (more) parts.push(element("p", "faint", `${more.toLocaleString("en")} more tokens are not in this page`));
    find("body").replaceChildren(...parts, this.facts(answer));
    find("body").scrollTop = 0;
    find("panel").replaceChildren(element("p", "faint", "Point at a token, or move to it with → and ←."));
    if (!find("answer").open) find("answer").showModal();
    this.choose(this.weakest(answer) ?? find("body").querySelector(".lp-t"));
  }

  /** Return the least probable token that is on the page. */
  weakest(answer) {
    let [found, least] = [null, Infinity];
    for (const [made, token] of this.shown) {
      const isMain = token.channel === this.data.channel[answer];
      if (isMain && token.probability < least) [found, least] = [made, token.probability];
    }
    return found;
  }

  channel({ name, tokens }, answer) {
    const isMain = name === this.data.channel[answer];
    const text = isMain ? this.columns.get("text").values[answer] : this.data.other[answer]?.[name];
    if (!tokens.length && !text) return [];
    const box = element("div", "lp-text");
    if (!tokens.length) {
      box.append(text);
      return [element("h3", "", `${name}, without logprobs`), box];
    }
    box.setAttribute("role", "listbox");
    box.setAttribute("aria-label", `${tokens.length} tokens of ${name}`);
    const parts = [element("h3", "", name), box];
    this.add(box, name, tokens, 0, parts);
    return parts;
  }

  /** Add tokens to a channel, and after many a button that adds more. */
  add(box, name, tokens, from, parts) {
    const next = tokens.slice(from, from + TOKENS);
    box.append(...next.map((token) => this.token({ ...token, channel: name })));
    const left = tokens.length - from - next.length;
    if (!left) return;
    const button = element("button", "", `${left.toLocaleString("en")} more tokens`);
    button.type = "button";
    button.addEventListener("click", () => {
      button.remove();
      this.add(box, name, tokens, from + TOKENS, null);
    });
    if (parts) parts.push(button);
    else box.after(button);
  }

  token(token) {
    const made = element("span", token.rank > 1 ? "lp-t lp-off" : "lp-t", ...piecesOf(token.text));
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", "false");
    made.tabIndex = -1;
    this.shown.set(made, token);
    return tint(made, token.probability, this.data.colours);
  }

  facts(answer) {
    const list = element("dl", "facts");
    const add = (name, value, kind = "") => {
      if (value !== null && value !== undefined) list.append(element("dt", "", name), element("dd", kind, value));
    };
    for (const [name, value] of Object.entries(this.data.kept[answer] ?? {})) add(name, value, "kept");
    for (const { name, label, labels, values } of this.data.columns) {
      if (name === "text" || name === "custom_id") continue;
      const value = labels ? labels[values[answer]] : values[answer];
      add(label, typeof value === "number" && name !== "n_tokens" ? decimal(value) : value);
    }
    for (const [name, values] of Object.entries(this.data.facts)) add(name, values[answer]);
    return element("div", "", element("h3", "", "about this answer"), list);
  }

  /** Select a token: it can be reached with Tab, and its details stay. */
  choose(made) {
    if (!made || made === this.chosen) return;
    if (this.chosen) {
      this.chosen.tabIndex = -1;
      this.chosen.setAttribute("aria-selected", "false");
    }
    this.chosen = made;
    made.tabIndex = 0;
    made.setAttribute("aria-selected", "true");
    made.focus({ preventScroll: false });
    this.detail(made);
  }

  /** Show the details of a token, as the panel of toolkit.show has them. */
  detail(made) {
    const token = this.shown.get(made);
    if (!token) return;
    const list = element("ol");
    const line = (mark, probability, text) => {
      const fill = element("i", "fill");
      fill.style.width = `${100 * probability}%`;
      const cells = [mark, decimal(probability), text].map((cell) => element("span", "", cell));
      list.append(element("li", "", fill, ...cells));
    };
    for (const { text, probability, isSampled } of token.list) {
      line(isSampled ? "▸" : "", probability, spelled(text));
    }
    if (token.missing >= 5e-4) line("", token.missing, "not listed");
    const parts = [element("strong", "", spelled(token.text)), element("div", "", this.sentence(token)), list];
    const isCut = this.data.least !== null && token.listed > 0 && !token.list.length;
    if (isCut) parts.push(element("p", "faint", "its alternatives are not in this page, for its size"));
    parts.push(element("div", "faint", `${token.channel}, position ${token.position}`));
    find("panel").replaceChildren(...parts);
  }

  sentence({ status, logprob, probability, rank, listed }) {
    if (status !== "ok") return `${status}: logprob sent as ${Number.isNaN(logprob) ? "null" : logprob}`;
    const facts = [`p ${decimal(probability)}`, `logprob ${decimal(logprob)}`];
    if (rank) facts.push(`rank ${rank}`);
    else if (listed) facts.push(`not among ${listed} listed`);
    return facts.join(" · ");
  }

  step(by) {
    const next = this.table.rows[this.table.rows.indexOf(this.current) + by];
    if (next !== undefined) this.open(next);
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const all = [...this.shown.keys()];
    const at = all.indexOf(this.chosen);
    const to = {
      ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1,
    }[event.key];
    if (to !== undefined && this.shown.has(event.target)) {
      event.preventDefault();
      this.choose(all[Math.min(Math.max(to, 0), all.length - 1)]);
    } else if (event.key === "n" || event.key === "p") {
      this.step(event.key === "n" ? 1 : -1);
    }
  }
}

// --- Start ----------------------------------------------------------------------------------------

async function start() {
  if (typeof DecompressionStream === "undefined") {
    find("status").textContent = "This browser is too old for this page: DecompressionStream is missing.";
    return;
  }
  const data = JSON.parse(new TextDecoder().decode(await unpack("index")));
  const answer = new Answer(data);
  answer.table = new Table(data, (i) => answer.open(i));
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input,select,dialog");
    if (event.key === "/" && !isTyping) {
      event.preventDefault();
      find("query").focus();
    } else if (event.key === "ArrowDown" && event.target.closest("#query")) {
      event.preventDefault();
      answer.table.focus(answer.table.rows[0]);
    }
  });
  performance.mark("ready");
}

start();
