"""What people type, and what an element that renders Markdown would make of it."""

TYPED = (
    "Ada Lovelace & Söhne",
    "ada@www.example.com",
    "Ask ada.king@example.com: now",
    "www.x.ch",
    "WWW.X.CH or http://x.ch",
    "https://x.ch/a_b_c?d=1&e=2#f",
    "a -> b -- c <- d <-> e",
    "a >= b <= c ~= d",
    ":smile: :+1: :red[x]",
    ":material/home: :material_home: :streamlit:",
    "At 12:30:45 :heart:",
    "$x$ and $$y$$",
    "<b>bold</b> &amp; &lt;",
    "**b** _c_ ~~d~~ `e`",
    "[a](b) ![i](http://e.example/i.png)",
    "# 1",
    "1. One",
    "- -",
)
