/* A flame graph of a tree given as rows in preorder: zoom, search, owners, comparison and keyboard. Knows nothing of the
   page around it but the element it draws into; what happens is told by events: perf-shown (under the pointer or the
   focus), perf-chosen (clicked, Enter) and perf-zoomed. */
const ROW_PX = 19;
const GAP_PX = 1;
const THIN_PX = 1;
const PADDING_PX = 6;
const [PARENT, FRAME, TOTAL, SELF, SAMPLES] = [0, 1, 2, 3, 4];
const [NAME, PLACE, KIND, OWNER, KEY] = [0, 1, 2, 3, 4];

export class FlameGraph {
    constructor(host, graph) {
        this.host = host;
        this.graph = graph;
        this.nodes = graph.nodes;
        this.upward = false;
        this.comparing = false;
        this.owners = new Set();
        this.matching = null;
        this.elements = new Map();
        this.#lay();
        this.base = this.#only();
        this.zoomed = this.base;
        this.current = this.base;
        this.#listen();
        this.draw();
    }

    // What others ask

    frame(node) {
        return this.nodes[node][FRAME];
    }

    name(node) {
        const frame = this.frame(node);
        return frame < 0 ? this.graph.names[frame] : this.graph.frames[frame][NAME];
    }

    facts(node) {
        const frame = this.graph.frames[this.frame(node)];
        const row = this.nodes[node];
        const both = this.graph.before?.both[node];
        return {
            name: this.name(node),
            place: frame?.[PLACE] ?? "",
            owner: frame?.[OWNER] ?? "",
            total: `${ms(row[TOTAL])} · ${this.share(row[TOTAL])}`,
            self: `${ms(row[SELF])} · ${this.share(row[SELF])}`,
            samples: row[SAMPLES].toLocaleString("en"),
            before: both ? both.map(ms).join(" → ") : "",
        };
    }

    /* A time as a share of the whole, with the error that so many samples leave. */
    share(time) {
        const whole = this.nodes[0][TOTAL];
        const share = whole ? Math.min(1, time / whole) : 0;
        return `${(share * 100).toFixed(0)} ± ${Math.max(1, Math.round(standardError(share, this.graph.samples) * 100))} %`;
    }

    ancestors(node) {
        const found = [];
        for (let each = node; each > this.base; each = this.nodes[each][PARENT]) {
            found.unshift(this.nodes[each][PARENT]);
        }
        return found.filter((each) => each >= this.base);
    }

    // What others change

    zoom(node, { focus = false } = {}) {
        this.zoomed = node;
        this.current = node;
        this.draw();
        if (focus) {
            this.elements.get(node)?.focus({ preventScroll: true });
        }
        this.#tell("perf-zoomed", node);
    }

    /* Show the whole request, its view or its render. */
    restrict(frame) {
        const found = this.nodes.findIndex((row) => row[FRAME] === frame);
        this.base = found > 0 ? found : this.#only();
        this.zoom(this.base);
    }

    turn(upward) {
        this.upward = upward;
        this.draw();
        // The root is what everything stands on: in a flame graph it is at the bottom.
        this.host.scrollTop = upward ? this.host.scrollHeight : 0;
    }

    compare(on) {
        this.comparing = on;
        this.draw();
    }

    filter(owners) {
        this.owners = owners;
        this.draw();
    }

    /* Mark what matches; return how many frames and which share of what is shown they cover, nested ones once. */
    find(text) {
        const words = text.toLowerCase().split(/\s+/).filter(Boolean);
        return this.#mark(
            words.length
                ? ([name, place]) => {
                      const said = `${name} ${place}`.toLowerCase();
                      return words.every((word) => said.includes(word));
                  }
                : null,
        );
    }

    #mark(matches) {
        this.matching = matches && this.graph.frames.map(matches);
        let count = 0;
        let time = 0;
        let covered = 0;
        for (let node = this.base; this.matching && node < this.end[this.base]; node++) {
            if (this.matching[this.frame(node)]) {
                count++;
                if (node >= covered) {
                    time += this.nodes[node][TOTAL];
                    covered = this.end[node];
                }
            }
        }
        this.draw();
        return { count, share: this.share(time) };
    }

    // Drawing

    #lay() {
        const { nodes } = this;
        this.depth = new Uint32Array(nodes.length);
        this.left = new Float64Array(nodes.length);
        this.end = new Uint32Array(nodes.length);
        const cursor = new Float64Array(nodes.length);
        for (let node = 0; node < nodes.length; node++) {
            const [parent] = nodes[node];
            this.end[node] = node + 1;
            if (parent >= 0) {
                this.depth[node] = this.depth[parent] + 1;
                this.left[node] = cursor[parent];
                cursor[parent] += nodes[node][TOTAL];
            }
            cursor[node] = this.left[node];
        }
        for (let node = nodes.length - 1; node > 0; node--) {
            const [parent] = nodes[node];
            this.end[parent] = Math.max(this.end[parent], this.end[node]);
        }
    }

    /* With one phase only, the whole and its phase are the same: draw one of them. */
    #only() {
        return this.nodes.length > 1 && this.end[1] === this.nodes.length ? 1 : 0;
    }

    draw() {
        const width = this.host.clientWidth;
        if (!width) {
            return;
        }
        this.width = width;
        this.letter ??= letterWidth(this.host);
        const shown = this.#visible(width);
        const deepest = shown.reduce((most, { level }) => Math.max(most, level), 0);
        const fragment = document.createDocumentFragment();
        this.elements.clear();
        for (const each of shown) {
            const element = this.#element(each);
            element.style.left = `${each.x}px`;
            element.style.width = `${Math.max(each.width - GAP_PX, THIN_PX)}px`;
            element.style.top = `${(this.upward ? deepest - each.level : each.level) * ROW_PX}px`;
            this.elements.set(each.node, element);
            fragment.append(element);
        }
        const box = document.createElement("div");
        box.className = "perf-stack";
        box.setAttribute("role", "none");
        box.style.height = `${(deepest + 1) * ROW_PX}px`;
        box.append(fragment);
        this.host.replaceChildren(box);
        this.#reach(this.elements.has(this.current) ? this.current : this.zoomed);
    }

    #visible(width) {
        const { nodes, zoomed } = this;
        const above = this.ancestors(zoomed);
        const shown = above.map((node, level) => ({ node, level, x: 0, width, above: true }));
        const scale = width / (nodes[zoomed][TOTAL] || 1);
        const start = this.left[zoomed];
        for (let node = zoomed; node < this.end[zoomed]; ) {
            const wide = nodes[node][TOTAL] * scale;
            if (wide < THIN_PX) {
                node = this.end[node];
                continue;
            }
            const level = above.length + this.depth[node] - this.depth[zoomed];
            shown.push({ node, level, x: (this.left[node] - start) * scale, width: wide });
            node++;
        }
        return shown;
    }

    #element({ node, level, width, above }) {
        const frame = this.frame(node);
        const [, , kind = "phase", owner, key = kind] = this.graph.frames[frame] ?? [];
        const element = document.createElement("div");
        element.className = `perf-frame perf-o-${kind}`;
        element.dataset.node = node;
        element.tabIndex = -1;
        element.setAttribute("role", "treeitem");
        element.setAttribute("aria-level", level + 1);
        element.setAttribute("aria-selected", String(node === this.zoomed));
        const facts = this.facts(node);
        element.setAttribute("aria-label", [facts.name, facts.total, owner].filter(Boolean).join(", "));
        element.textContent = clipped(facts.name, Math.floor((width - PADDING_PX) / this.letter));
        element.classList.toggle("perf-above", Boolean(above));
        element.classList.toggle("perf-match", Boolean(this.matching?.[frame]));
        const faded = (this.matching && !this.matching[frame]) || (this.owners.size > 0 && !this.owners.has(key));
        element.classList.toggle("perf-faded", Boolean(faded));
        if (this.comparing) {
            this.#compareOne(element, node);
        }
        return element;
    }

    #compareOne(element, node) {
        const { both, samples } = this.graph.before;
        const [then, now] = both[node];
        const [before, whole] = both[0];
        const change = now - then;
        // Two profiles, each with its error, and many frames: what is within three times both is no change.
        const doubt = 3 * Math.hypot(error(then, before, samples), error(now, whole, this.graph.samples));
        const much = Math.min(1, Math.abs(change) / (whole || 1) / 0.3);
        element.classList.add("perf-compared");
        if (Math.abs(change) > doubt) {
            element.classList.add(change > 0 ? "perf-grew" : "perf-shrank");
            element.style.setProperty("--perf-much", `${Math.round(25 + 75 * much)}%`);
        }
    }

    // Pointer and keys

    #listen() {
        const { host } = this;
        const nodeOf = (event) => {
            const element = event.target.closest?.(".perf-frame");
            return element ? Number(element.dataset.node) : null;
        };
        for (const kind of ["pointerover", "focusin"]) {
            host.addEventListener(kind, (event) => {
                const node = nodeOf(event);
                if (node !== null) {
                    this.#tell("perf-shown", node);
                }
            });
        }
        host.addEventListener("click", (event) => {
            const node = nodeOf(event);
            if (node !== null) {
                this.choose(node);
            }
        });
        host.addEventListener("keydown", (event) => {
            const node = nodeOf(event);
            if (node !== null && !event.altKey && !event.ctrlKey && !event.metaKey && this.#key(event.key, node)) {
                event.preventDefault();
                event.stopPropagation();
            }
        });
        new ResizeObserver(() => {
            if (host.isConnected && host.clientWidth !== this.width) {
                this.draw();
            }
        }).observe(host);
    }

    choose(node) {
        this.zoom(node, { focus: true });
        this.#tell("perf-chosen", node);
    }

    #key(key, node) {
        const [up, down] = this.upward ? ["child", "parent"] : ["parent", "child"];
        const moves = { ArrowUp: up, ArrowDown: down, ArrowLeft: "before", ArrowRight: "after", Home: "first" };
        if (moves[key]) {
            this.#move(this.#neighbour(moves[key], node));
            return true;
        }
        if (key === "Enter" || key === " ") {
            this.choose(node);
            return true;
        }
        if (key === "Escape" && this.zoomed !== this.base) {
            this.zoom(this.nodes[this.zoomed][PARENT], { focus: true });
            return true;
        }
        return false;
    }

    #neighbour(way, node) {
        const drawn = [...this.elements.keys()];
        if (way === "first") {
            return drawn[0];
        }
        if (way === "parent") {
            return this.nodes[node][PARENT];
        }
        if (way === "child") {
            return drawn.find((each) => this.nodes[each][PARENT] === node);
        }
        const row = drawn.filter((each) => this.depth[each] === this.depth[node]);
        return row[row.indexOf(node) + (way === "after" ? 1 : -1)];
    }

    #move(node) {
        const element = this.elements.get(node);
        if (element) {
            this.#reach(node);
            element.focus({ preventScroll: true });
            element.scrollIntoView({ block: "nearest", inline: "nearest" });
        }
    }

    /* One frame is in the order of the Tab key, the arrows reach the others. */
    #reach(node) {
        const last = this.elements.get(this.current);
        if (last) {
            last.tabIndex = -1;
        }
        this.current = node;
        const element = this.elements.get(node);
        if (element) {
            element.tabIndex = 0;
        }
    }

    #tell(kind, node) {
        this.host.dispatchEvent(new CustomEvent(kind, { bubbles: true, detail: { node, graph: this } }));
    }
}

export function ms(time) {
    const digits = time >= 100 ? 0 : time >= 10 ? 1 : 2;
    return `${time.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ms`;
}

/* As findings.error on the server. */
function standardError(share, samples) {
    const likely = (share * samples + 1) / (samples + 2);
    return Math.sqrt((likely * (1 - likely)) / (samples + 2));
}

/* What so many samples leave open of a time, of the whole, in ms. */
function error(time, whole, samples) {
    return standardError(whole ? Math.min(1, time / whole) : 0, samples) * whole;
}

function letterWidth(host) {
    const probe = document.createElement("div");
    probe.className = "perf-frame perf-probe";
    probe.textContent = "0".repeat(100);
    host.append(probe);
    const width = probe.scrollWidth / 100;
    probe.remove();
    return width || 7;
}

function clipped(name, letters) {
    if (name.length <= letters) {
        return name;
    }
    // Of a template's line the end tells more than the beginning.
    return letters < 3 ? "" : `${[...name].slice(0, letters - 1).join("")}…`;
}

export const columns = { PARENT, FRAME, TOTAL, SELF, SAMPLES, NAME, PLACE, KIND, OWNER, KEY };
