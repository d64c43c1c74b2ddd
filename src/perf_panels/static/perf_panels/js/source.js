/* Source with numbers for each line: folded lines, the arrow keys between lines that matter, links to a line. Everything
   hangs on listeners of the toolbar's root, as the panels are replaced whenever they are loaded again. */
import { getDebugElement } from "../../debug_toolbar/js/utils.js";

const root = getDebugElement();

function unfold(button, open = button.getAttribute("aria-expanded") !== "true") {
    button.setAttribute("aria-expanded", String(open));
    button.closest("tbody").nextElementSibling.hidden = !open;
}

function lines(table) {
    return [...table.querySelectorAll("tr[tabindex]")].filter((row) => !row.parentElement.hidden);
}

function focus(row) {
    for (const other of row.closest("table").querySelectorAll("tr[tabindex='0']")) {
        other.tabIndex = -1;
    }
    row.tabIndex = 0;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
}

function move(row, key) {
    const all = lines(row.closest("table"));
    const here = all.indexOf(row);
    const there = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[key];
    focus(all[Math.min(Math.max(there, 0), all.length - 1)]);
}

/* Show a line: data-perf-goto is its number, data-perf-in the id of what holds its table. */
function go(button) {
    const panel = button.closest(".perf-panel");
    const holder = panel.querySelector(`[data-source="${CSS.escape(button.dataset.perfIn)}"]`);
    const row = holder?.querySelector(`tr[data-line="${CSS.escape(button.dataset.perfGoto)}"]`);
    if (!row) {
        return;
    }
    for (let details = row.closest("details"); details; details = details.parentElement.closest("details")) {
        details.open = true;
    }
    const body = row.parentElement;
    if (body.hidden) {
        unfold(body.previousElementSibling.querySelector("[data-perf-fold]"), true);
    }
    row.tabIndex = -1;
    focus(row);
    row.scrollIntoView({ block: "center" });
}

function onClick(event) {
    const fold = event.target.closest(".perf-panel [data-perf-fold]");
    const link = event.target.closest(".perf-panel [data-perf-goto]");
    if (fold) {
        unfold(fold);
    } else if (link) {
        go(link);
    }
}

function onKey(event) {
    const row = event.target.closest?.(".perf-lines-table tr[tabindex]");
    if (!row) {
        return;
    }
    const menu = row.querySelector("details");
    if (["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) {
        event.preventDefault();
        if (event.target.closest("details[open]") && menu?.contains(event.target)) {
            among(menu, event.target, event.key);
        } else {
            move(row, event.key);
        }
    } else if (event.key === "Enter" && event.target === row && menu) {
        event.preventDefault();
        menu.open = true;
        (menu.querySelector("button:not(:disabled)") ?? menu.querySelector("summary")).focus();
    } else if (event.key === "Escape" && menu?.open) {
        // Otherwise the toolbar, which listens further out, would close the whole panel.
        event.stopPropagation();
        event.preventDefault();
        menu.open = false;
        focus(row);
    }
}

function among(menu, target, key) {
    const all = [...menu.querySelectorAll("summary, button:not(:disabled)")];
    const here = all.indexOf(target);
    const there = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[key];
    all[Math.min(Math.max(there, 0), all.length - 1)].focus();
}

if (root && !root.dataset.perfSource) {
    root.dataset.perfSource = "ready";
    root.addEventListener("click", onClick);
    root.addEventListener("keydown", onKey);
}
