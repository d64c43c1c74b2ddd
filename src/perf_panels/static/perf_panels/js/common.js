/* What the scripts of several panels do in the same way: ask the server, make elements of its answer, name the side bar. */
import { getDebugElement } from "../../debug_toolbar/js/utils.js";

/* POST fields to one of our actions; throws an Error with a sentence for people. "panel" says data-offline. */
export async function post(panel, url, fields) {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) {
        body.append(name, value);
    }
    let response;
    try {
        response = await fetch(url, { method: "POST", body });
    } catch {
        throw new Error(panel.dataset.offline);
    }
    const answer = await response.json().catch(() => ({ error: `${response.status} ${response.statusText}` }));
    if (!response.ok) {
        throw new Error(answer.error);
    }
    return answer;
}

export function fragment(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content;
}

export function sideBar(panel, text) {
    const small = getDebugElement().querySelector(`#djdt-${panel.dataset.panel} small`);
    if (small && text) {
        small.textContent = text;
    }
}
