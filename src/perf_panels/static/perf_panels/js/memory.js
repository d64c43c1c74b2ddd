/* The memory panel in the browser: chooses the engine of the next request, sorts and filters tables, walks the map of
   allocations, asks who refers to objects. Everything hangs on listeners of the toolbar's root. */
import { getDebugElement } from "../../debug_toolbar/js/utils.js";
import { fragment, post } from "./common.js";

const root = getDebugElement();
const FIRST = 40;

function panelOf(element) {
    return element.closest(".perf-memory");
}

function isPressed(button) {
    return button.getAttribute("aria-pressed") === "true";
}

function press(buttons, chosen) {
    for (const each of buttons) {
        each.setAttribute("aria-pressed", String(each === chosen));
    }
}

// The engine of the next request

async function choose(button) {
    const engines = button.closest(".perf-engines");
    const answer = engines.querySelector(":scope > .perf-answer");
    answer.textContent = "";
    engines.setAttribute("aria-busy", "true");
    try {
        await post(panelOf(button), engines.dataset.engineUrl, { token: button.dataset.perfEngine });
        press(engines.querySelectorAll("[data-perf-engine]"), button);
        engines.querySelector(".perf-chosen").hidden = false;
    } catch (error) {
        answer.textContent = error.message;
    } finally {
        engines.removeAttribute("aria-busy");
    }
}

// Tables

function sort(button) {
    const header = button.closest("th");
    const direction = header.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
    for (const other of header.parentElement.querySelectorAll("[aria-sort]")) {
        other.setAttribute("aria-sort", "none");
    }
    header.setAttribute("aria-sort", direction);
    const body = header.closest("table").tBodies[0];
    const sign = direction === "descending" ? 1 : -1;
    const rows = [...body.querySelectorAll(":scope > tr:not(.perf-opened)")].map((row) => ({
        row,
        value: Number(row.dataset[button.dataset.perfSort]),
    }));
    rows.sort((a, b) => (b.value - a.value) * sign);
    body.append(...rows.flatMap(({ row }) => [row, openedBy(row)].filter(Boolean)));
    const part = header.closest(".perf-part");
    if (part.querySelector(".perf-search")) {
        filter(part);
    }
}

function openedBy(row) {
    const next = row.nextElementSibling;
    return next?.classList.contains("perf-opened") ? next : null;
}

function filter(part) {
    const words = part.querySelector(".perf-search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const buttons = [...part.querySelectorAll("[data-perf-owner]")];
    const owners = buttons.filter(isPressed).map((each) => each.dataset.perfOwner);
    const shown = part.querySelector(".perf-by:not([hidden])") ?? part;
    const rows = [...shown.querySelectorAll("tbody > tr:not(.perf-opened)")];
    const matching = rows.filter((row) => {
        const text = `${row.querySelector(".perf-what").textContent} ${row.dataset.owner ?? ""}`.toLowerCase();
        return (
            (owners.length === 0 || owners.includes(row.dataset.owner)) && words.every((word) => text.includes(word))
        );
    });
    // Of very many the first are shown, in the order that was chosen.
    const first = new Set(part.dataset.whole ? matching : matching.slice(0, FIRST));
    for (const row of rows) {
        row.hidden = !first.has(row);
        const opened = openedBy(row);
        if (opened) {
            opened.hidden = row.hidden;
        }
    }
    said(part, first.size, matching.length, rows.length);
}

function said(part, shown, matching, all) {
    const status = part.querySelector(".perf-shown");
    const text = status.dataset.text.replace("%(shown)s", shown.toLocaleString("en"));
    status.textContent = shown === all ? "" : text.replace("%(all)s", all.toLocaleString("en"));
    part.querySelector(".perf-none").hidden = matching > 0;
    const more = part.querySelector("[data-perf-more]");
    more.hidden = shown === matching;
    more.textContent = more.dataset.text.replace("%(all)s", matching.toLocaleString("en"));
}

function showAll(button) {
    const part = button.closest(".perf-part");
    part.dataset.whole = "yes";
    filter(part);
}

function addUpBy(button) {
    const part = button.closest(".perf-part");
    press(part.querySelectorAll("[data-perf-by]"), button);
    for (const each of part.querySelectorAll(".perf-by")) {
        each.hidden = each.dataset.by !== button.dataset.perfBy;
    }
    filter(part);
}

function owner(button) {
    button.setAttribute("aria-pressed", String(!isPressed(button)));
    filter(button.closest(".perf-part"));
}

function clear(button) {
    const part = button.closest(".perf-part");
    for (const each of part.querySelectorAll("[data-perf-owner]")) {
        each.setAttribute("aria-pressed", "false");
    }
    const search = part.querySelector(".perf-search");
    search.value = "";
    filter(part);
    search.focus();
}

// The map

function showMap(button) {
    const maps = button.closest(".perf-maps");
    press(maps.querySelectorAll("[data-perf-map]"), button);
    for (const map of maps.querySelectorAll(".perf-map")) {
        map.toggleAttribute("hidden", map.dataset.map !== button.dataset.perfMap);
    }
}

// Once for each page: of long tables the first rows, and one rectangle of each map in the order of the Tab key; the
// arrows reach the others.
function prepare() {
    for (const part of root.querySelectorAll(".perf-memory .perf-part:not([data-ready])")) {
        part.dataset.ready = "yes";
        if (part.querySelector(".perf-search")) {
            filter(part);
        }
        for (const map of part.querySelectorAll(".perf-map")) {
            map.querySelector(".perf-leaf")?.setAttribute("tabindex", "0");
        }
    }
}

function say(leaf) {
    const said = leaf.closest(".perf-maps").querySelector(".perf-map-said");
    said.textContent = leaf.getAttribute("aria-label");
}

function middle(leaf) {
    const box = leaf.getBoundingClientRect();
    return { x: box.x + box.width / 2, y: box.y + box.height / 2, width: box.width };
}

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function walk(leaf, key) {
    const [right, down] = DIRECTIONS[key];
    const from = middle(leaf);
    let best = null;
    let least = Number.POSITIVE_INFINITY;
    for (const other of leaf.closest(".perf-map").querySelectorAll(".perf-leaf")) {
        const to = middle(other);
        const ahead = (to.x - from.x) * right + (to.y - from.y) * down;
        const aside = Math.abs((to.x - from.x) * down) + Math.abs((to.y - from.y) * right);
        if (other !== leaf && ahead > 0.5 && ahead + 2 * aside < least) {
            best = other;
            least = ahead + 2 * aside;
        }
    }
    if (best) {
        leaf.setAttribute("tabindex", "-1");
        best.setAttribute("tabindex", "0");
        best.focus({ preventScroll: true });
    }
}

function find(leaf) {
    const part = leaf.closest(".perf-part");
    const search = part.querySelector(".perf-search");
    if (!leaf.dataset.place) {
        return;
    }
    for (const each of part.querySelectorAll("[data-perf-owner]")) {
        each.setAttribute("aria-pressed", "false");
    }
    search.value = leaf.dataset.place;
    addUpBy(part.querySelector("[data-perf-by=line]"));
    search.scrollIntoView({ block: "nearest" });
    search.focus({ preventScroll: true });
}

// Who refers to these

async function chains(button) {
    const row = button.closest("tr");
    const opened = openedBy(row);
    if (opened) {
        opened.remove();
        button.setAttribute("aria-expanded", "false");
        return;
    }
    button.setAttribute("aria-expanded", "true");
    const holder = document.createElement("tr");
    holder.className = "perf-opened";
    const cell = holder.appendChild(document.createElement("td"));
    cell.colSpan = row.cells.length;
    cell.setAttribute("aria-busy", "true");
    cell.textContent = "…";
    row.after(holder);
    try {
        const url = button.closest("[data-chains-url]").dataset.chainsUrl;
        const answer = await post(panelOf(button), url, { token: button.dataset.perfChains });
        cell.replaceChildren(fragment(answer.content));
    } catch (error) {
        const said = document.createElement("p");
        said.className = "perf-problem";
        said.setAttribute("role", "alert");
        said.textContent = error.message;
        cell.replaceChildren(said);
    } finally {
        cell.removeAttribute("aria-busy");
    }
}

// What happens where

const CLICKS = [
    ["[data-perf-engine]", choose],
    ["[data-perf-reload]", () => globalThis.location.reload()],
    ["[data-perf-sort]", sort],
    ["[data-perf-by]", addUpBy],
    ["[data-perf-owner]", owner],
    ["[data-perf-clear]", clear],
    ["[data-perf-more]", showAll],
    ["[data-perf-map]", showMap],
    [".perf-leaf", find],
    ["[data-perf-chains]", chains],
];

function onClick(event) {
    if (!panelOf(event.target)) {
        return;
    }
    for (const [selector, action] of CLICKS) {
        const element = event.target.closest(selector);
        if (element) {
            action(element);
            return;
        }
    }
}

function onKey(event) {
    const leaf = event.target.closest(".perf-memory .perf-leaf");
    if (!leaf) {
        return;
    }
    if (event.key in DIRECTIONS) {
        event.preventDefault();
        walk(leaf, event.key);
    } else if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        find(leaf);
    }
}

function onPoint(event) {
    const leaf = event.target.closest?.(".perf-memory .perf-leaf");
    if (leaf) {
        say(leaf);
    }
}

if (root && !root.dataset.perfMemory) {
    root.dataset.perfMemory = "ready";
    root.addEventListener("click", onClick);
    root.addEventListener("keydown", onKey);
    root.addEventListener("mouseover", onPoint);
    root.addEventListener("focusin", onPoint);
    root.addEventListener("input", (event) => {
        if (event.target.matches(".perf-memory .perf-search")) {
            filter(event.target.closest(".perf-part"));
        }
    });
    root.addEventListener("djdt.panel.render", prepare);
}
if (root) {
    prepare();
}
