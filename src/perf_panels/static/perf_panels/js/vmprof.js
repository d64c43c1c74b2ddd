/* The VMProf panel in the browser: draws the graph and the call tree from what the page holds, takes more samples, looks
   again while the server is still working. Everything hangs on listeners of the toolbar's root, as the panel is replaced
   whenever it is loaded again. */
import { getDebugElement } from "../../debug_toolbar/js/utils.js";
import { CallTree } from "./calltree.js";
import { fragment, post, sideBar } from "./common.js";
import { FlameGraph } from "./flamegraph.js";

const root = getDebugElement();
const POLL_MS = 500;
const LOOKS = 120;
const SHOWN_ROWS = 12;
const graphs = new WeakMap();

function panelOf(element) {
    return element.closest(".perf-vmprof");
}

function graphOf(element) {
    return graphs.get(panelOf(element)?.querySelector(".perf-graph"));
}

function say(element, text) {
    const answer = element.closest(".perf-controls, [data-perf-pending]")?.querySelector(".perf-answer");
    if (answer) {
        answer.textContent = text;
    }
}

function press(buttons, chosen) {
    for (const button of buttons) {
        button.setAttribute("aria-pressed", String(button === chosen));
    }
}

const wait = (time) => new Promise((resolve) => setTimeout(resolve, time));

// What the server is asked

async function reload(panel, url, token) {
    const answer = await post(panel, url, { token, make: "now" });
    if (answer.state === "pending" || !panel.isConnected) {
        return false;
    }
    const fresh = fragment(answer.content).querySelector(".perf-vmprof");
    if (fresh) {
        panel.replaceWith(fresh);
        begin();
    }
    return true;
}

// The samples are named after the response: look until they are.
async function lookAgain(note) {
    note.dataset.perfPending = "seen";
    try {
        for (let look = 0; look < LOOKS && note.isConnected; look++) {
            if (await reload(panelOf(note), note.dataset.perfUrl, note.dataset.perfToken)) {
                return;
            }
            await wait(POLL_MS);
        }
    } catch (error) {
        say(note, error.message);
    }
}

// The mode that is pressed, and the period next to it.
function chosen(panel) {
    const group = panel.querySelector(".perf-switch");
    return {
        mode: group.querySelector("[aria-pressed=true]")?.dataset.perfMode ?? "cpu",
        period_ms: group.querySelector("[name=period_ms]").value,
    };
}

async function choose(button) {
    const group = button.closest(".perf-switch");
    const panel = panelOf(button);
    const asked = { ...chosen(panel), token: group.dataset.perfToken };
    say(button, "");
    try {
        asked.mode = button.dataset.perfMode ?? asked.mode;
        const answer = await post(panel, group.dataset.perfUrl, asked);
        press(group.querySelectorAll("[data-perf-mode]"), group.querySelector(`[data-perf-mode=${answer.mode}]`));
        const next = panel.querySelector("[data-perf-next]");
        next.hidden = false;
        next.firstElementChild.textContent = answer.sentence;
    } catch (error) {
        say(button, error.message);
    }
}

async function more(button) {
    const holder = button.closest("[data-perf-more]");
    say(button, "");
    button.disabled = true;
    try {
        const [wanted] = holder.querySelector("[name=samples]").selectedOptions;
        const { start, startToken } = holder.dataset;
        const ends = { samples: wanted.value, seconds: wanted.dataset.seconds ?? "" };
        const asked = { token: startToken, ...ends, ...chosen(panelOf(holder)) };
        await follow(holder, await post(panelOf(holder), start, asked));
    } catch (error) {
        say(button, error.message);
        button.disabled = false;
    }
}

// Show how far it is until it ends; then the panel is loaded anew, with the merged profile.
async function follow(holder, begun) {
    const panel = panelOf(holder);
    const { progress, progressToken, list, listToken } = holder.dataset;
    let answer = begun;
    holder.querySelector("[data-perf-start]").disabled = true;
    while (answer.state === "running" && holder.isConnected) {
        tell(holder, answer);
        await wait(POLL_MS);
        answer = await post(panel, progress, { token: progressToken });
    }
    if (!holder.isConnected) {
        return;
    }
    holder.querySelector("[data-perf-progress]").hidden = true;
    holder.querySelector("[data-perf-start]").disabled = false;
    if (answer.samples) {
        await reload(panel, list, listToken);
    }
    const now = root.querySelector(".perf-vmprof .perf-controls .perf-answer");
    if (now && (answer.state === "failed" || answer.sentence)) {
        now.textContent = answer.sentence;
        now.classList.toggle("perf-is-said", answer.state !== "failed");
    }
    root.querySelector(".perf-vmprof [data-perf-start]")?.focus({ preventScroll: true });
}

function tell(holder, answer) {
    const shown = holder.querySelector("[data-perf-progress]");
    shown.hidden = false;
    const share = answer.by_time ? answer.elapsed_s / answer.seconds : answer.samples / (answer.wanted || 1);
    shown.querySelector("progress").value = Math.min(100, share * 100);
    const values = {
        samples: answer.samples.toLocaleString("en"),
        wanted: answer.wanted.toLocaleString("en"),
        runs: answer.runs.toLocaleString("en"),
        seconds: Math.round(answer.elapsed_s),
        limit: answer.seconds,
    };
    const { text: ofSamples, textOfTime } = holder.dataset;
    const text = (answer.by_time ? textOfTime : ofSamples).replace(/%\((\w+)\)s/g, (_all, name) => values[name]);
    shown.querySelector("[data-perf-said]").textContent = answer.samples ? text : answer.sentence;
}

async function stop(button) {
    const holder = button.closest("[data-perf-more]");
    button.disabled = true;
    try {
        await post(panelOf(button), holder.dataset.stop, { token: holder.dataset.stopToken });
    } catch (error) {
        say(button, error.message);
        button.disabled = false;
    }
}

// A panel opened while samples are taken goes on showing how far it is.
async function resume(holder) {
    const { progress, progressToken } = holder.dataset;
    try {
        const answer = await post(panelOf(holder), progress, { token: progressToken });
        if (answer.state === "running") {
            await follow(holder, answer);
        }
    } catch {
        // Nothing is known of it: the button is there to ask, and says what is wrong.
    }
}

// Files

async function fetched(button, token) {
    const body = new FormData();
    body.append("token", token);
    const url = button.closest("[data-perf-url]").dataset.perfUrl;
    let response;
    try {
        response = await fetch(url, { method: "POST", body });
    } catch {
        throw new Error(panelOf(button).dataset.offline);
    }
    if (!response.ok) {
        const answer = await response.json().catch(() => ({ error: `${response.status} ${response.statusText}` }));
        throw new Error(answer.error);
    }
    return response;
}

async function download(button) {
    say(button, "");
    try {
        const response = await fetched(button, button.dataset.perfDownload);
        const [, name] = /filename="([^"]*)"/.exec(response.headers.get("Content-Disposition")) ?? [];
        const link = document.createElement("a");
        link.href = URL.createObjectURL(await response.blob());
        link.download = name ?? "profile";
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
        say(button, error.message);
    }
}

async function openSpeedscope(button) {
    const viewer = new URL(button.dataset.perfSpeedscope, location.href);
    say(button, "");
    if (viewer.origin !== location.origin) {
        say(button, button.dataset.elsewhere);
        return;
    }
    // At once, within the click: a browser blocks a tab that is opened later.
    const tab = window.open("about:blank", "_blank");
    if (!tab) {
        say(button, button.dataset.blocked);
        return;
    }
    try {
        const page = await fetch(viewer, { method: "HEAD" });
        const policy = page.headers.get("Content-Security-Policy");
        if (policy && !policy.includes("'unsafe-inline'")) {
            throw new Error(button.dataset.forbidden);
        }
        const response = await fetched(button, button.dataset.perfToken);
        const profile = URL.createObjectURL(await response.blob());
        viewer.hash = `profileURL=${encodeURIComponent(profile)}&title=${encodeURIComponent(document.title)}`;
        tab.location.replace(viewer.href);
    } catch (error) {
        tab.close();
        say(button, error.message);
    }
}

// The graph

function makeGraph(section) {
    section.dataset.perfDrawn = "yes";
    const data = JSON.parse(section.querySelector("[data-perf-graph]").textContent);
    const graph = new FlameGraph(section.querySelector(".perf-flame"), data);
    graphs.set(section, graph);
    const calls = panelOf(section).querySelector(".perf-calls");
    new CallTree(calls, data);
    show(section, graph, graph.base);
}

function show(section, graph, node) {
    const facts = graph.facts(node);
    for (const slot of section.querySelectorAll("[data-perf-slot]")) {
        slot.textContent = facts[slot.dataset.perfSlot];
    }
}

async function source(section, graph, node) {
    const place = section.querySelector(".perf-of-frame");
    const frame = graph.frame(node);
    section.dataset.perfAsked = node;
    if (frame < 0) {
        place.replaceChildren();
        return;
    }
    try {
        const { perfUrl, perfToken } = section.dataset;
        const answer = await post(panelOf(section), perfUrl, { token: perfToken, frame });
        if (section.dataset.perfAsked === String(node)) {
            place.replaceChildren(fragment(answer.content));
        }
    } catch (error) {
        place.textContent = error.message;
    }
}

function search(input) {
    const graph = graphOf(input);
    const said = input.closest(".perf-graph").querySelector(".perf-found");
    const { count, share } = graph.find(input.value);
    const text = said.dataset.text.replace("%(count)s", count.toLocaleString("en")).replace("%(share)s", share);
    said.textContent = input.value.trim() ? (count ? text : said.dataset.none) : "";
}

function findInGraph(button) {
    const panel = panelOf(button);
    const input = panel.querySelector(".perf-graph .perf-search");
    input.value = button.textContent;
    search(input);
    input.scrollIntoView({ block: "center" });
    input.focus({ preventScroll: true });
}

function direct(button) {
    press(button.parentElement.children, button);
    graphOf(button).turn(button.dataset.perfDirection === "flame");
}

function restrict(button) {
    press(button.parentElement.children, button);
    graphOf(button).restrict(Number(button.dataset.perfPhase));
}

function toggle(button) {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    return on;
}

function compare(button) {
    graphOf(button).compare(toggle(button));
}

function filterOwner(button) {
    toggle(button);
    const pressed = button.parentElement.querySelectorAll("[aria-pressed=true]");
    graphOf(button).filter(new Set([...pressed].map((each) => each.dataset.perfOwner)));
    filterRows(panelOf(button));
}

// The functions

function filterRows(panel) {
    const section = panel.querySelector(".perf-functions");
    const words = section.querySelector(".perf-search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const owners = [...panel.querySelectorAll("[data-perf-owner][aria-pressed=true]")].map(
        (each) => each.dataset.perfOwner,
    );
    const rows = [...section.querySelectorAll("tbody > tr")];
    const all = section.querySelector("[data-perf-all]");
    const everything = words.length > 0 || owners.length > 0 || !all || all.hidden;
    let shown = 0;
    for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const fits = words.every((word) => text.includes(word)) && (!owners.length || owners.includes(row.dataset.key));
        row.hidden = !fits || (!everything && shown >= SHOWN_ROWS);
        shown += row.hidden ? 0 : 1;
    }
    const status = section.querySelector(".perf-shown");
    const text = status.dataset.text.replace("%(shown)s", shown).replace("%(all)s", rows.length);
    status.textContent = shown === rows.length ? "" : text;
}

function showAll(button) {
    button.hidden = true;
    filterRows(panelOf(button));
}

function sort(button) {
    const header = button.closest("th");
    const key = button.dataset.perfSort;
    const isText = key === "name" || key === "owner";
    const first = isText ? "ascending" : "descending";
    const direction = header.getAttribute("aria-sort") === first ? (isText ? "descending" : "ascending") : first;
    for (const other of header.parentElement.querySelectorAll("[aria-sort]")) {
        other.setAttribute("aria-sort", "none");
    }
    header.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const body = header.closest("table").tBodies[0];
    const rows = [...body.rows];
    rows.sort((a, b) => {
        const [left, right] = [a.dataset[key], b.dataset[key]];
        const order = isText ? left.localeCompare(right) : Number(left) - Number(right);
        return order * sign || Number(b.dataset.self) - Number(a.dataset.self);
    });
    body.append(...rows);
    filterRows(panelOf(button));
}

// Listening

const CLICKS = {
    "[data-perf-mode]": choose,
    "[data-perf-reload]": () => location.reload(),
    "[data-perf-start]": more,
    "[data-perf-stop]": stop,
    "[data-perf-download]": download,
    "[data-perf-speedscope]": openSpeedscope,
    "[data-perf-direction]": direct,
    "[data-perf-phase]": restrict,
    "[data-perf-compare]": compare,
    "[data-perf-owner]": filterOwner,
    "[data-perf-reset]": (button) => {
        const graph = graphOf(button);
        graph.zoom(graph.base, { focus: true });
    },
    "[data-perf-find]": findInGraph,
    "[data-perf-sort]": sort,
    "[data-perf-all]": showAll,
};

function onClick(event) {
    if (!panelOf(event.target)) {
        return;
    }
    for (const [selector, handle] of Object.entries(CLICKS)) {
        const button = event.target.closest(selector);
        if (button) {
            handle(button);
            return;
        }
    }
}

function onInput(event) {
    if (!event.target.matches?.(".perf-vmprof .perf-search")) {
        return;
    }
    if (event.target.closest(".perf-graph")) {
        search(event.target);
    } else {
        filterRows(panelOf(event.target));
    }
}

function onKey(event) {
    const panel = event.target.closest?.(".perf-vmprof");
    if (!panel) {
        return;
    }
    const input = event.target.closest("input[type=search]");
    if (event.key === "/" && !event.target.closest("input, select")) {
        event.preventDefault();
        panel.querySelector(".perf-search")?.focus();
    } else if (event.key === "Escape" && input?.value) {
        // Otherwise the toolbar, which listens further out, would close the whole panel.
        event.stopPropagation();
        event.preventDefault();
        input.value = "";
        input.dispatchEvent(new Event("input", { bubbles: true }));
    }
}

function onGraph(event) {
    const section = event.target.closest(".perf-graph");
    const { node, graph } = event.detail;
    if (event.type === "perf-chosen") {
        source(section, graph, node);
        return;
    }
    show(section, graph, node);
    section.querySelector("[data-perf-reset]").hidden = graph.zoomed === graph.base;
}

function begin() {
    for (const panel of root.querySelectorAll(".perf-vmprof")) {
        // The side bar was made with the page, when the server was still working.
        sideBar(panel, panel.dataset.subtitle);
    }
    for (const section of root.querySelectorAll(".perf-vmprof .perf-graph:not([data-perf-drawn])")) {
        makeGraph(section);
    }
    for (const note of root.querySelectorAll(".perf-vmprof [data-perf-pending='']")) {
        lookAgain(note);
    }
    for (const holder of root.querySelectorAll(".perf-vmprof [data-perf-more='']")) {
        holder.dataset.perfMore = "seen";
        resume(holder);
    }
}

if (root && !root.dataset.perfVmprof) {
    root.dataset.perfVmprof = "ready";
    root.addEventListener("click", onClick);
    root.addEventListener("input", onInput);
    root.addEventListener("change", (event) => {
        if (event.target.matches?.(".perf-vmprof [name=period_ms]")) {
            choose(event.target);
        }
    });
    root.addEventListener("keydown", onKey);
    for (const kind of ["perf-shown", "perf-zoomed", "perf-chosen"]) {
        root.addEventListener(kind, onGraph);
    }
    root.addEventListener("djdt.panel.render", begin);
    begin();
}
