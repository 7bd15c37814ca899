"""Sends what the test expects with a library for Python: Segment's or RudderStack's."""

import sys

name, host, write_key, count, gzip = sys.argv[1:]
if name == "segment-python":
    from segment.analytics.client import Client
else:
    from rudderstack.analytics.client import Client

errors = []
client = Client(
    write_key,
    host=host,
    gzip=gzip == "gzip",
    max_retries=10,
    upload_size=20,
    upload_interval=0.2,
    on_error=lambda error, items: errors.append(error),
)
me = {"user_id": name, "anonymous_id": f"browser-of-{name}"}
client.identify(**me, traits={"email": f"{name}@mail.example", "firstName": "Nora"})
client.group(**me, group_id=f"g-{name}", traits={"name": "Snakes and sons"})
client.alias(f"before-{name}", name)
for number in range(int(count)):
    client.track(**me, event=f"Tried {name}", properties={"sku": f"s{number}"})
    if number % 10 == 0:
        client.page(**me, name=f"Page of {name} {number}")
client.flush()
client.join()
if errors:
    raise SystemExit(f"{errors[0]!r}")
