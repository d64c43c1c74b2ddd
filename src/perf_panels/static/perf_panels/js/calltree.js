/* The call tree as a treegrid: rows are made when their parent is opened; the hot path is open from the start. */
import { columns, ms } from "./flamegraph.js";

const { PARENT, FRAME, TOTAL, SELF, SAMPLES, PLACE, KIND } = columns;
const HOT_SHARE = 0.5;
const LEAST_SHARE = 0.1;
const INDENT_PX = 14;
const MOST_INDENTS = 30;

export class CallTree {
    constructor(table, graph) {
        this.body = table.tBodies[0];
        this.graph = graph;
        this.nodes = graph.nodes;
        this.children = new Map();
        this.nodes.forEach((row, node) => {
            this.children.set(row[PARENT], [...(this.children.get(row[PARENT]) ?? []), node]);
        });
        const [root] = this.children.get(0)?.length === 1 ? this.children.get(0) : [0];
        const row = this.#row(root, 1, 1, 1);
        row.tabIndex = 0;
        this.body.replaceChildren(row);
        this.#openHotPath(row);
        this.body.addEventListener("click", (event) => this.#click(event));
        this.body.addEventListener("keydown", (event) => this.#key(event));
    }

    #openHotPath(first) {
        const whole = this.nodes[0][TOTAL] || 1;
        let row = first;
        let node = Number(row.dataset.node);
        while (this.children.has(node)) {
            const [hottest] = this.children.get(node);
            const time = this.nodes[hottest][TOTAL];
            this.#open(row);
            if (time < this.nodes[node][TOTAL] * HOT_SHARE || time < whole * LEAST_SHARE) {
                break;
            }
            row = row.nextElementSibling;
            row.classList.add("perf-hot-path");
            node = hottest;
        }
    }

    #row(node, level, position, size) {
        const values = this.nodes[node];
        const frame = this.graph.frames[values[FRAME]];
        const row = document.createElement("tr");
        row.setAttribute("role", "row");
        row.setAttribute("aria-level", level);
        row.setAttribute("aria-posinset", position);
        row.setAttribute("aria-setsize", size);
        row.tabIndex = -1;
        row.dataset.node = node;
        if (this.children.has(node)) {
            row.setAttribute("aria-expanded", "false");
        }
        const name = this.#cell(row, "");
        name.style.paddingInlineStart = `${8 + Math.min(level - 1, MOST_INDENTS) * INDENT_PX}px`;
        const swatch = document.createElement("span");
        swatch.className = `perf-dot perf-o-${frame?.[KIND] ?? "phase"}`;
        const code = document.createElement("code");
        code.dir = "ltr";
        code.textContent = frame ? frame[0] : this.graph.names[values[FRAME]];
        const place = document.createElement("span");
        place.className = "perf-from";
        place.dir = "ltr";
        place.textContent = frame?.[PLACE] && frame[PLACE] !== frame[0] ? frame[PLACE] : "";
        name.append(swatch, code, place);
        const whole = this.nodes[0][TOTAL] || 1;
        this.#cell(row, `${ms(values[TOTAL])} · ${Math.round((values[TOTAL] / whole) * 100)} %`, "perf-num");
        this.#cell(row, values[SELF] ? ms(values[SELF]) : "", "perf-num");
        this.#cell(row, values[SAMPLES].toLocaleString("en"), "perf-num");
        return row;
    }

    #cell(row, text, className = "") {
        const cell = row.insertCell();
        cell.setAttribute("role", "gridcell");
        cell.className = className;
        cell.textContent = text;
        return cell;
    }

    #open(row) {
        const node = Number(row.dataset.node);
        const children = this.children.get(node) ?? [];
        if (row.getAttribute("aria-expanded") !== "false") {
            return;
        }
        const level = Number(row.getAttribute("aria-level")) + 1;
        row.after(...children.map((child, index) => this.#row(child, level, index + 1, children.length)));
        row.setAttribute("aria-expanded", "true");
    }

    #close(row) {
        const level = Number(row.getAttribute("aria-level"));
        for (let next = row.nextElementSibling; next && Number(next.getAttribute("aria-level")) > level; ) {
            const gone = next;
            next = next.nextElementSibling;
            gone.remove();
        }
        row.setAttribute("aria-expanded", "false");
    }

    #click(event) {
        const row = event.target.closest("tr");
        if (row?.getAttribute("aria-expanded") === "true") {
            this.#close(row);
        } else if (row) {
            this.#open(row);
        }
        if (row) {
            this.#go(row);
        }
    }

    #key(event) {
        const row = event.target.closest("tr");
        const expanded = row?.getAttribute("aria-expanded");
        const { key } = event;
        if (!row || event.altKey || event.ctrlKey || event.metaKey) {
            return;
        }
        if (key === "ArrowDown" || key === "ArrowUp") {
            this.#go(key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling);
        } else if (key === "ArrowRight") {
            expanded === "true" ? this.#go(row.nextElementSibling) : this.#open(row);
        } else if (key === "ArrowLeft") {
            expanded === "true" ? this.#close(row) : this.#go(this.#parent(row));
        } else if (key === "Enter" || key === " ") {
            expanded === "true" ? this.#close(row) : this.#open(row);
        } else if (key === "Home" || key === "End") {
            this.#go(key === "Home" ? this.body.firstElementChild : this.body.lastElementChild);
        } else {
            return;
        }
        event.preventDefault();
    }

    #parent(row) {
        const level = Number(row.getAttribute("aria-level"));
        let above = row.previousElementSibling;
        while (above && Number(above.getAttribute("aria-level")) >= level) {
            above = above.previousElementSibling;
        }
        return above;
    }

    #go(row) {
        if (row) {
            for (const each of this.body.querySelectorAll("tr[tabindex='0']")) {
                each.tabIndex = -1;
            }
            row.tabIndex = 0;
            row.focus();
        }
    }
}
