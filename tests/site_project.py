"""A small project with every kind of page, and with texts that would be HTML if anybody forgot to escape them."""

from __future__ import annotations

from pathlib import Path

HOSTILE = '</script><img src=x onerror="window.broken = 1"> & <b>bold</b> {{ 7 * 7 }}'
SERVICE = "churn & <i>co</i> / €"
FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "orders.csv": "customer_id,ordered_at,amount,note\n1,2024-01-01,5.5,a\n1,2024-01-02,7.25,b\n2,2024-01-05,1.0,c\n",
    "models/shop.yml": f"""sources:
  - name: raw
    tables:
      - name: orders
        path: orders.csv
        description: {HOSTILE!r}
        columns: [{{name: amount, description: {HOSTILE!r}}}]
entities:
  - {{name: customer, keys: [{{name: customer_id, data_type: bigint}}], description: {HOSTILE!r}}}
feature_services:
  - {{name: {SERVICE!r}, description: {HOSTILE!r}, features: [orders, against_usual]}}
groups: [{{name: money, owner: Ann}}]
exposures:
  - {{name: 'Q1 <report>', type: dashboard, owner: 'Bo & co', url: 'javascript:window.broken=3',
      description: {HOSTILE!r}, depends_on: ["ref('orders')", {SERVICE!r}]}}
models:
  - name: orders
    access: public
    group: money
    deprecation_date: 2999-12-31
    description: {HOSTILE!r}
    columns: [{{name: last_amount, description: {HOSTILE!r}}}]
""",
    "models/stg_orders.sql": "-- </pre><script>window.broken = 2</script>\n"
    "select customer_id, ordered_at, amount, note from {{ source('raw', 'orders') }}\n",
    "models/orders.sql": "{{ config(entity='customer', event_time='ordered_at', ttl='30 days', "
    "owner='growth <team>', tags=['money', 'a\"b']) }}\n"
    "select customer_id, ordered_at, amount as last_amount, note as \"<u>odd</u> 'name'\",\n"
    "    avg(amount) over {{ last('7 days') }} as avg_amount_7d,\n"
    "    count(*) filter (where amount > 3) over {{ last('7 days') }} as large_7d\n"
    "from {{ ref('stg_orders') }}\n",
    "models/against_usual.sql": "{{ config(inputs={'amount': 'double'}) }}\n"
    "select amount / avg_amount_7d as against_usual from {{ request('orders:avg_amount_7d') }}\n",
}


def write_project(folder: Path) -> Path:
    """Writes the project into a folder, which is returned."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
