"""
The pictures of the products: each kind of thing in the colour of its material, drawn when a page is rendered.
"""

from __future__ import annotations

from zlib import crc32

COLOURS = {
    "Oak": "#b98a55",
    "Linen": "#c9b79c",
    "Copper": "#c06a3e",
    "Marble": "#a9b1b8",
    "Walnut": "#7d5a41",
    "Wool": "#8f9a72",
    "Ceramic": "#4f7f86",
    "Bamboo": "#b3a14e",
    "Velvet": "#86526f",
    "Steel": "#6b7b8c",
}
ACCENTS = ("#d9a441", "#5b7f67", "#41618c", "#b5525c", "#7a6a9c")


def legs(left: int, right: int) -> str:
    return f'<path d="M{left} 92V128M{right} 92V128" stroke="{{main}}" stroke-width="6" stroke-linecap="round"/>'


KINDS = {
    "Lamp": (
        '<path d="M100 70V124" stroke="{main}" stroke-width="5"/>'
        '<rect x="76" y="122" width="48" height="7" rx="3.5" fill="{main}"/>'
        '<path d="M80 28H120L138 74H62Z" fill="{accent}"/>'
    ),
    "Lantern": (
        '<path d="M82 46a18 18 0 0 1 36 0" fill="none" stroke="{main}" stroke-width="4"/>'
        '<rect x="70" y="46" width="60" height="82" rx="12" fill="{main}"/>'
        '<rect x="82" y="60" width="36" height="54" rx="8" fill="{accent}"/>'
    ),
    "Chair": (
        legs(72, 126) + '<path d="M72 24V92" stroke="{main}" stroke-width="8" stroke-linecap="round"/>'
        '<rect x="70" y="34" width="12" height="44" rx="5" fill="{accent}"/>'
        '<rect x="66" y="82" width="68" height="13" rx="6" fill="{accent}"/>'
    ),
    "Stool": (
        legs(78, 122) + '<path d="M82 110H118" stroke="{main}" stroke-width="4"/>'
        '<rect x="66" y="78" width="68" height="16" rx="8" fill="{accent}"/>'
    ),
    "Cushion": (
        '<path d="M56 52Q100 66 144 52Q132 90 144 128Q100 114 56 128Q68 90 56 52Z" fill="{main}"/>'
        '<circle cx="100" cy="90" r="6" fill="{accent}"/>'
    ),
    "Rug": (
        '<path d="M52 78H148L172 126H28Z" fill="{main}"/>'
        '<path d="M62 86H138L152 118H48Z" fill="none" stroke="{accent}" stroke-width="4"/>'
        '<path d="M80 94H120L128 110H72Z" fill="{accent}"/>'
    ),
    "Vase": (
        '<path d="M100 60Q86 36 92 16M100 60Q112 40 122 26" fill="none" stroke="{accent}" stroke-width="4"/>'
        '<circle cx="92" cy="18" r="8" fill="{accent}"/>'
        '<circle cx="122" cy="26" r="7" fill="{accent}"/>'
        '<path d="M90 56H110Q108 68 122 84Q134 110 116 128H84Q66 110 78 84Q92 68 90 56Z" fill="{main}"/>'
    ),
    "Mirror": (
        '<ellipse cx="100" cy="76" rx="40" ry="52" fill="{main}"/>'
        '<ellipse cx="100" cy="76" rx="31" ry="43" fill="#dfe7ea"/>'
        '<path d="M84 92L112 52M98 102L120 70" stroke="#fff" stroke-width="5" stroke-linecap="round"/>'
    ),
    "Table": (
        legs(56, 144) + '<rect x="36" y="80" width="128" height="14" rx="6" fill="{main}"/>'
        '<path d="M92 58H116Q116 80 104 80Q92 80 92 58Z" fill="{accent}"/>'
    ),
    "Mug": (
        '<path d="M120 76q26 0 22 20t-26 18" fill="none" stroke="{main}" stroke-width="8"/>'
        '<path d="M68 62H124V112q0 16-16 16H84q-16 0-16-16Z" fill="{main}"/>'
        '<rect x="68" y="80" width="56" height="10" fill="{accent}"/>'
    ),
    "Bowl": (
        '<path d="M48 76H152Q148 128 112 128H88Q52 128 48 76Z" fill="{main}"/>'
        '<ellipse cx="100" cy="76" rx="52" ry="10" fill="{accent}"/>'
    ),
    "Tray": (
        '<ellipse cx="100" cy="112" rx="68" ry="16" fill="{main}"/>'
        '<ellipse cx="100" cy="108" rx="56" ry="10" fill="{accent}" opacity="0.55"/>'
        '<path d="M84 72H116V102q-16 8-32 0Z" fill="{accent}"/>'
    ),
    "Jug": (
        '<path d="M118 56q32 4 24 32t-24 22" fill="none" stroke="{main}" stroke-width="8"/>'
        '<path d="M78 36H118L122 112q0 16-18 16H86q-18 0-16-18L80 56L66 38Z" fill="{main}"/>'
        '<path d="M73 92H121" stroke="{accent}" stroke-width="6"/>'
    ),
    "Desk": (
        legs(46, 154) + '<rect x="34" y="76" width="132" height="12" rx="5" fill="{main}"/>'
        '<rect x="112" y="88" width="44" height="24" rx="3" fill="{accent}"/>'
        '<path d="M60 76V52H88V76" fill="{accent}"/>'
    ),
    "Shelf": (
        '<path d="M52 28V128M148 28V128M52 34H148M52 80H148M52 122H148" stroke="{main}" stroke-width="7"/>'
        '<path d="M66 46h10v31h-10zM80 52h9v25h-9zM112 92h22v27h-22z" fill="{accent}"/>'
    ),
    "Box": (
        '<path d="M54 74H146V120q0 8-8 8H62q-8 0-8-8Z" fill="{main}"/>'
        '<rect x="46" y="58" width="108" height="20" rx="6" fill="{accent}"/>'
        '<rect x="88" y="92" width="24" height="8" rx="4" fill="{accent}"/>'
    ),
    "Clock": (
        '<circle cx="100" cy="78" r="50" fill="{main}"/>'
        '<circle cx="100" cy="78" r="40" fill="#f6f2ea"/>'
        '<path d="M100 78V50M100 78L120 90" stroke="#3a342e" stroke-width="5" stroke-linecap="round"/>'
        '<circle cx="100" cy="78" r="5" fill="{accent}"/>'
    ),
    "Bench": (
        legs(50, 150) + '<rect x="32" y="84" width="136" height="12" rx="5" fill="{main}"/>'
        '<path d="M40 58H160M40 70H160" stroke="{accent}" stroke-width="7" stroke-linecap="round"/>'
    ),
    "Planter": (
        '<path d="M100 84Q70 66 74 34Q100 46 100 84Q100 40 124 26Q136 60 100 84Z" fill="{accent}"/>'
        '<path d="M66 82H134L124 128H76Z" fill="{main}"/>'
    ),
}
STILL_LIFE = (
    '<rect x="62" y="52" width="44" height="76" rx="14" fill="{main}"/>'
    '<circle cx="124" cy="100" r="28" fill="{accent}"/>'
)
FRAME = (
    '<rect width="200" height="150" fill="{main}" opacity="0.14"/>'
    '<circle cx="{sun}" cy="44" r="26" fill="{accent}" opacity="0.22"/>'
    '<ellipse cx="100" cy="130" rx="76" ry="7" fill="currentColor" opacity="0.13"/>'
)


def draw(name: str) -> str:
    """
    Return what stands inside the <svg> of the product called *name*; the same drawing for the same name.
    """
    material, thing, *_ = [*name.split(), "", ""]
    number = crc32(name.encode())
    colours = {
        "main": COLOURS.get(material) or ACCENTS[number % 3],
        "accent": ACCENTS[number % len(ACCENTS)],
        "sun": 40 + number // 7 % 120,
    }
    return (FRAME + KINDS.get(thing, STILL_LIFE)).format_map(colours)
