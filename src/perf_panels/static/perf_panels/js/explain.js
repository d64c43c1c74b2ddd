/* The EXPLAIN panel in the browser: opens statements, asks for plans, filters and sorts. Everything hangs on listeners of
   the toolbar's root and everything is read from the page, as the panel is replaced whenever it is loaded again. */
import { getDebugElement } from "../../debug_toolbar/js/utils.js";
import { fragment, post, sideBar } from "./common.js";

const root = getDebugElement();
const PENDING_MS = 600;
const COPIED_MS = 1500;
const PROBLEMS = ["critical", "warning"];

function panelOf(element) {
    return element.closest(".perf-explain");
}

function say(element, text) {
    const answer = element.closest(".perf-run, .perf-copies, .perf-summary > p")?.querySelector(".perf-answer");
    if (answer) {
        answer.textContent = text;
    }
}

function detailRow(row) {
    const next = row.nextElementSibling;
    return next?.classList.contains("perf-opened") ? next : null;
}

function opener(row) {
    return row.querySelector("[data-perf-open]");
}

// Opening a statement

async function open(button) {
    const row = button.closest(".perf-row");
    const opened = detailRow(row);
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
        const url = row.closest("table").dataset.rowUrl;
        const answer = await post(panelOf(row), url, { token: button.dataset.perfOpen });
        if (holder.isConnected) {
            show(holder, answer);
        }
    } catch (error) {
        cell.removeAttribute("aria-busy");
        cell.replaceChildren(problem(error.message));
    }
}

function problem(text) {
    const said = document.createElement("p");
    said.className = "perf-problem";
    said.setAttribute("role", "alert");
    said.textContent = text;
    return said;
}

function show(holder, answer) {
    const cell = holder.cells[0];
    const panel = panelOf(holder);
    cell.removeAttribute("aria-busy");
    cell.replaceChildren(fragment(answer.content));
    const row = holder.previousElementSibling;
    const fresh = fragment(`<table><tbody>${answer.row}</tbody></table>`).querySelector("tr");
    if (fresh) {
        const focused = row.contains(holder.getRootNode().activeElement);
        opener(fresh).setAttribute("aria-expanded", "true");
        opener(fresh).tabIndex = opener(row).tabIndex;
        row.replaceWith(fresh);
        if (focused) {
            opener(fresh).focus({ preventScroll: true });
        }
    }
    panel.dataset.findings = answer.findings;
    const problems = panel.querySelector("[data-perf-fact=problems]");
    if (problems) {
        problems.textContent = answer.findings.toLocaleString("en");
    }
    sideBar(panel, answer.subtitle);
    filter(panel);
}

// What a button asks of the server

async function act(button) {
    const holder = button.closest(".perf-opened");
    const run = button.closest(".perf-run");
    const fields = { token: button.dataset.perfToken };
    const timing = run.querySelector("[name=timing]");
    const timeout = run.querySelector("[name=timeout_ms]");
    if (timing) {
        fields.timing = timing.checked ? "on" : "off";
    }
    if (timeout?.value) {
        fields.timeout_ms = timeout.value;
    }
    const card = button.closest(".perf-card")?.id;
    const stop = busy(button, run);
    try {
        const answer = await post(panelOf(holder), button.dataset.perfPost, fields);
        if (holder.isConnected) {
            show(holder, answer);
            // What was chosen is still chosen in what takes its place.
            choose(holder, fields);
            settle(holder, card);
        }
    } catch (error) {
        say(button, error.message);
    } finally {
        stop();
    }
}

function busy(button, run) {
    const label = button.textContent;
    const began = Date.now();
    button.disabled = true;
    run.setAttribute("aria-busy", "true");
    say(button, "");
    const timer = setInterval(() => {
        button.textContent = `${label} (${Math.round((Date.now() - began) / 1000)} s)`;
    }, 1000);
    return () => {
        clearInterval(timer);
        button.textContent = label;
        button.disabled = false;
        run.removeAttribute("aria-busy");
    };
}

function choose(holder, { timing, timeout_ms }) {
    const box = holder.querySelector("[name=timing]");
    const field = holder.querySelector("[name=timeout_ms]");
    if (box && timing) {
        box.checked = timing === "on";
    }
    if (field && timeout_ms) {
        field.value = timeout_ms;
    }
}

// The button is gone with what it stood in: its place takes the focus, and what it asked for is brought into view.
function settle(holder, cardId) {
    const card = cardId ? [...holder.querySelectorAll(".perf-card")].find((each) => each.id === cardId) : null;
    if (!card) {
        const part = holder.querySelector(".perf-part");
        holder.querySelector(".perf-detail").focus({ preventScroll: true });
        part.scrollIntoView({ block: "nearest" });
        return;
    }
    const folded = card.querySelector(":scope > details");
    if (folded) {
        folded.open = true;
    }
    card.focus({ preventScroll: true });
    card.querySelector(".perf-trial, .perf-problem")?.scrollIntoView({ block: "nearest" });
}

async function list(button) {
    const panel = panelOf(button);
    const fields = { token: button.dataset.perfToken };
    if (button.hasAttribute("data-perf-make")) {
        fields.make = "now";
    }
    button.disabled = true;
    try {
        const answer = await post(panel, button.dataset.perfList, fields);
        replacePanel(panel, answer)?.querySelector("[data-perf-list]")?.focus({ preventScroll: true });
    } catch (error) {
        say(button, error.message);
        button.disabled = false;
    }
}

// Put the new list where the old one was: what was filtered, sorted and open is so again.
function replacePanel(panel, answer) {
    const fresh = fragment(answer.content).querySelector(".perf-explain");
    if (!fresh) {
        return null;
    }
    const opened = [...panel.querySelectorAll(".perf-opened")].map((each) => each.previousElementSibling.dataset.id);
    const chosen = [...panel.querySelectorAll(".perf-toggle[aria-pressed=true]")].map(nameOf);
    const header = panel.querySelector("th[aria-sort=ascending], th[aria-sort=descending]");
    const old = panel.querySelector(".perf-search");
    panel.replaceWith(fresh);
    sideBar(fresh, answer.subtitle);
    const search = fresh.querySelector(".perf-search");
    if (!search) {
        return fresh;
    }
    search.value = old?.value ?? "";
    for (const each of fresh.querySelectorAll(".perf-toggle")) {
        each.setAttribute("aria-pressed", String(chosen.includes(nameOf(each))));
    }
    const button = header && fresh.querySelector(`[data-perf-sort=${header.firstElementChild.dataset.perfSort}]`);
    if (button) {
        order(button.closest("th"), header.getAttribute("aria-sort"));
    }
    filter(fresh);
    for (const row of fresh.querySelectorAll(".perf-row")) {
        if (opened.includes(row.dataset.id)) {
            open(opener(row));
        }
    }
    return fresh;
}

// The plans are made after the response: look once more when the panel is opened before they are there.
function lookAgain() {
    for (const note of root.querySelectorAll("[data-perf-pending='']")) {
        note.dataset.perfPending = "seen";
        setTimeout(async () => {
            const panel = panelOf(note);
            const button = panel?.querySelector("[data-perf-list]");
            if (!(note.isConnected && button)) {
                return;
            }
            try {
                const answer = await post(panel, button.dataset.perfList, { token: button.dataset.perfToken });
                if (answer.state !== "pending" && note.isConnected) {
                    replacePanel(panel, answer);
                }
            } catch {
                // The button is still there to ask, and says what is wrong.
            }
        }, PENDING_MS);
    }
}

// A panel has just been shown. The side bar was written with the page, before any plan was made.
function welcome() {
    for (const panel of root.querySelectorAll(".perf-explain[data-subtitle]")) {
        sideBar(panel, panel.dataset.subtitle);
        delete panel.dataset.subtitle;
    }
    lookAgain();
}

// Copies

async function copy(button, text, shown) {
    const panel = panelOf(button);
    const label = button.textContent;
    try {
        await navigator.clipboard.writeText(text);
        button.textContent = button.dataset.done;
    } catch {
        // Without a secure context there is no clipboard API: leave the text selected for Ctrl+C.
        shown.textContent = text;
        globalThis.getSelection().selectAllChildren(shown);
        button.textContent = panel.dataset.uncopied;
    }
    setTimeout(() => {
        button.textContent = label;
    }, COPIED_MS);
}

function ownText(button) {
    return button.closest(".perf-own-text").querySelector("pre code");
}

function take(button) {
    const shown = ownText(button);
    copy(button, shown.textContent, shown);
}

async function exported(button) {
    say(button, "");
    try {
        const { text } = await post(panelOf(button), button.dataset.perfExport, { token: button.dataset.perfToken });
        await copy(button, text, ownText(button));
    } catch (error) {
        say(button, error.message);
    }
}

// Filter and sort

function nameOf(toggle) {
    const { perfSeverity, perfAlias } = toggle.dataset;
    return toggle.hasAttribute("data-perf-only") ? "only" : `${perfSeverity ?? ""}|${perfAlias ?? ""}`;
}

function pressed(panel, name) {
    const buttons = panel.querySelectorAll(`[data-perf-${name}][aria-pressed="true"]`);
    return [...buttons].map((button) => button.getAttribute(`data-perf-${name}`));
}

function filter(panel) {
    const words = (panel.querySelector(".perf-search")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const severities = pressed(panel, "severity");
    const aliases = pressed(panel, "alias");
    const only = pressed(panel, "only").length > 0;
    const rows = [...panel.querySelectorAll(".perf-row")];
    const counts = new Map();
    const count = (name) => counts.set(name, (counts.get(name) ?? 0) + 1);
    let shown = 0;
    for (const row of rows) {
        const { severity, alias } = row.dataset;
        const isProblem = PROBLEMS.includes(severity);
        const typed = words.length === 0 || matches(row, words);
        const bySeverity = (severities.length === 0 || severities.includes(severity)) && (isProblem || !only);
        const byAlias = aliases.length === 0 || aliases.includes(alias);
        // A button counts what it would show beside the choices made in the other groups.
        if (typed && byAlias) {
            count(`${severity}|`);
            if (isProblem) {
                count("only");
            }
        }
        if (typed && bySeverity) {
            count(`|${alias}`);
        }
        row.hidden = !(typed && bySeverity && byAlias);
        const opened = detailRow(row);
        if (opened) {
            opened.hidden = row.hidden;
        }
        shown += row.hidden ? 0 : 1;
    }
    for (const each of panel.querySelectorAll(".perf-toggle")) {
        each.querySelector("b").textContent = (counts.get(nameOf(each)) ?? 0).toLocaleString("en");
    }
    said(panel, shown, rows.length);
    reachable(panel);
}

function matches(row, words) {
    const text = `${row.textContent} ${row.querySelector(".perf-summary-sql").title}`.toLowerCase();
    return words.every((word) => text.includes(word));
}

function said(panel, shown, all) {
    const status = panel.querySelector(".perf-shown");
    if (status) {
        const text = status.dataset.text.replace("%(shown)s", shown.toLocaleString("en"));
        status.textContent = shown === all ? "" : text.replace("%(all)s", all.toLocaleString("en"));
        panel.querySelector(".perf-none").hidden = shown > 0;
    }
}

// One row is in the order of the Tab key, the arrows reach the others: nobody tabs through 600.
function reachable(panel, button = null) {
    const openers = [...panel.querySelectorAll(".perf-row:not([hidden]) [data-perf-open]")];
    const one = button ?? openers.find((each) => each.tabIndex === 0) ?? openers[0];
    for (const each of panel.querySelectorAll("[data-perf-open][tabindex='0']")) {
        each.tabIndex = -1;
    }
    if (one) {
        one.tabIndex = 0;
    }
}

function sort(button) {
    const header = button.closest("th");
    order(header, header.getAttribute("aria-sort") === "descending" ? "ascending" : "descending");
}

function order(header, direction) {
    for (const other of header.parentElement.querySelectorAll("[aria-sort]")) {
        other.setAttribute("aria-sort", "none");
    }
    header.setAttribute("aria-sort", direction);
    const body = header.closest("table").tBodies[0];
    const key = header.firstElementChild.dataset.perfSort;
    const sign = direction === "descending" ? 1 : -1;
    const rows = [...body.querySelectorAll(":scope > .perf-row")].map((row) => ({
        row,
        value: Number(row.dataset[key]),
        total: Number(row.dataset.total),
    }));
    rows.sort((a, b) => (b.value - a.value) * sign || b.total - a.total);
    body.append(...rows.flatMap(({ row }) => [row, detailRow(row)].filter(Boolean)));
}

function clear(button) {
    const panel = panelOf(button);
    for (const each of panel.querySelectorAll(".perf-toggle")) {
        each.setAttribute("aria-pressed", "false");
    }
    const search = panel.querySelector(".perf-search");
    search.value = "";
    filter(panel);
    search.focus();
}

function toggle(button) {
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    filter(panelOf(button));
}

// Inside an opened statement

function go(target) {
    target?.scrollIntoView({ block: "center" });
    target?.focus({ preventScroll: true });
}

function toCard(button) {
    const cards = button.closest(".perf-detail").querySelectorAll(".perf-card");
    const card = [...cards].find((each) => each.dataset.rule === button.dataset.perfRule);
    const folded = card?.querySelector(":scope > details");
    if (folded) {
        folded.open = true;
    }
    go(card);
}

function toStep(button) {
    go(button.closest(".perf-detail").querySelector(`tr[data-step="${button.dataset.perfStep}"]`));
}

function unfold(button) {
    const rest = button.nextElementSibling;
    rest.hidden = !rest.hidden;
    button.setAttribute("aria-expanded", String(!rest.hidden));
}

function values(button) {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    button.closest(".perf-part").querySelector(".perf-code").classList.toggle("perf-with-values", on);
}

function cancel(button) {
    const details = button.closest("details");
    details.open = false;
    details.querySelector("summary").focus();
}

// Keys

function move(button, key) {
    const panel = panelOf(button);
    const openers = [...panel.querySelectorAll(".perf-row:not([hidden]) [data-perf-open]")];
    const here = openers.indexOf(button);
    const there = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: openers.length - 1 }[key];
    const next = openers[Math.min(Math.max(there, 0), openers.length - 1)];
    reachable(panel, next);
    next.focus();
}

// Close what is open, from the inside out; true if something was.
function closeOne(target, panel) {
    const confirm = target.closest(".perf-confirm[open]");
    if (confirm) {
        confirm.open = false;
        confirm.querySelector("summary").focus();
        return true;
    }
    const search = target.closest(".perf-search");
    if (search?.value) {
        search.value = "";
        filter(panel);
        return true;
    }
    const row = target.closest(".perf-row");
    const opened = target.closest(".perf-opened") ?? (row && detailRow(row));
    const last = opened ?? [...panel.querySelectorAll(".perf-opened")].at(-1);
    if (!last) {
        return false;
    }
    const button = opener(last.previousElementSibling);
    open(button);
    reachable(panel, button);
    button.focus();
    return true;
}

function onKey(event) {
    const panel = event.target.closest?.(".perf-explain");
    if (!panel) {
        return;
    }
    const button = event.target.closest("[data-perf-open]");
    const typing = event.target.closest("input");
    if (button && ["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) {
        event.preventDefault();
        move(button, event.key);
    } else if (event.key === "/" && !typing) {
        event.preventDefault();
        panel.querySelector(".perf-search")?.focus();
    } else if (event.key === "Escape" && closeOne(event.target, panel)) {
        // Otherwise the toolbar, which listens further out, would close the whole panel.
        event.stopPropagation();
        event.preventDefault();
    }
}

const CLICKS = {
    "[data-perf-unfold]": unfold,
    "[data-perf-open]": (button) => {
        reachable(panelOf(button), button);
        open(button);
    },
    "[data-perf-post]": act,
    "[data-perf-list]": list,
    "[data-perf-export]": exported,
    "[data-perf-take]": take,
    "[data-perf-sort]": sort,
    "[data-perf-clear]": clear,
    "[data-perf-rule]": toCard,
    "[data-perf-step]": toStep,
    "[data-perf-values]": values,
    "[data-perf-cancel]": cancel,
    ".perf-toggle": toggle,
};

function onClick(event) {
    const panel = event.target.closest(".perf-explain");
    if (!panel) {
        return;
    }
    for (const [selector, handle] of Object.entries(CLICKS)) {
        const button = event.target.closest(selector);
        if (button) {
            handle(button);
            return;
        }
    }
    const row = event.target.closest(".perf-row");
    const selection = root.getRootNode().getSelection?.() ?? globalThis.getSelection();
    if (row && selection?.type !== "Range") {
        opener(row).click();
    }
}

if (root && !root.dataset.perfExplain) {
    root.dataset.perfExplain = "ready";
    root.addEventListener("click", onClick);
    root.addEventListener("keydown", onKey);
    root.addEventListener("input", (event) => {
        if (event.target.matches?.(".perf-explain .perf-search")) {
            filter(panelOf(event.target));
        }
    });
    root.addEventListener("djdt.panel.render", welcome);
    welcome();
}
