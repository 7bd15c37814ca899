"""Mailchimp's own client against the fake: what it cannot parse, the fake gets wrong. Arguments: base URL, key, list."""

import sys

from mailchimp_marketing import Client
from mailchimp_marketing.api_client import ApiClientError

client = Client()
client.set_config({"api_key": sys.argv[2], "server": "us1"})
client.api_client.host = sys.argv[1] + "/3.0"
list_id = sys.argv[3]

assert client.ping.get()["health_status"]
batch = client.lists.batch_list_members(
    list_id,
    {
        "members": [
            {"email_address": "ada@mail.example", "status": "subscribed", "merge_fields": {"FNAME": "Ada"}},
            {"email_address": "left@mail.example", "status": "unsubscribed"},
            {"email_address": "fake@example.com", "status": "subscribed"},
        ],
        "update_existing": True,
    },
)
assert (batch["total_created"], batch["error_count"]) == (2, 1), batch
page = client.lists.get_list_members_info(list_id, count=1000, sort_field="last_changed", sort_dir="ASC")
assert page["total_items"] == 2, page
ada = next(member for member in page["members"] if member["email_address"] == "ada@mail.example")
member = client.lists.set_list_member(
    list_id, ada["id"], {"email_address": "ada@mail.example", "status_if_new": "subscribed", "merge_fields": {"LNAME": "L"}}
)
assert member["merge_fields"]["LNAME"] == "L" and member["merge_fields"]["FNAME"] == "Ada", member
segment = client.lists.create_segment(list_id, {"name": "vip", "static_segment": []})
changed = client.lists.batch_segment_members(
    {"members_to_add": ["ada@mail.example", "left@mail.example"]}, list_id, str(segment["id"])
)
assert (changed["total_added"], changed["error_count"]) == (1, 1), changed
assert client.lists.get_segment_members_list(list_id, str(segment["id"]))["total_items"] == 1
client.lists.delete_list_member_permanent(list_id, member["id"])
try:
    client.lists.add_list_member(list_id, {"email_address": "ada@mail.example", "status": "subscribed"})
    raise AssertionError("a forgotten address came back")
except ApiClientError as refused:
    assert refused.status_code == 400 and "Forgotten Email" in refused.text, refused.text
assert client.reports.get_all_campaign_reports()["total_items"] == 0
print("ok")
