"""HubSpot's own client against the fake: what it cannot parse, the fake gets wrong. Arguments: base URL, token."""

import sys

from hubspot import HubSpot
from hubspot.crm.associations.v4 import BatchInputPublicFetchAssociationsBatchRequest
from hubspot.crm.contacts import (
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchReadInputSimplePublicObjectId,
    PublicGdprDeleteInput,
    PublicMergeInput,
    PublicObjectSearchRequest,
    SimplePublicObjectInputForCreate,
)
from hubspot.crm.contacts.exceptions import ApiException
from hubspot.crm.lists import ListCreateRequest, ListSearchRequest

client = HubSpot(access_token=sys.argv[2], host=sys.argv[1])
contacts = client.crm.contacts

created = contacts.basic_api.create(
    simple_public_object_input_for_create=SimplePublicObjectInputForCreate(
        properties={"email": "sdk@mail.example", "firstname": "Zażółć"}, associations=[]
    )
)
assert created.properties["email"] == "sdk@mail.example", created
assert created.archived is False and created.created_at is not None

try:
    contacts.basic_api.create(
        simple_public_object_input_for_create=SimplePublicObjectInputForCreate(
            properties={"email": "SDK@mail.example"}, associations=[]
        )
    )
    raise AssertionError("a second contact with the same email")
except ApiException as refused:
    assert refused.status == 409, refused

page = contacts.basic_api.get_page(limit=1, properties=["email", "phone"])
assert len(page.results) == 1 and page.paging.next.after, page
assert len(contacts.get_all()) == 4

found = contacts.search_api.do_search(
    public_object_search_request=PublicObjectSearchRequest(
        filter_groups=[{"filters": [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": "0"}]}],
        sorts=["lastmodifieddate"],
        properties=["email"],
        limit=200,
    )
)
assert found.total == 4, found

upserted = contacts.batch_api.upsert(
    batch_input_simple_public_object_batch_input_upsert=BatchInputSimplePublicObjectBatchInputUpsert(
        inputs=[
            {"id": "sdk@mail.example", "idProperty": "email", "objectWriteTraceId": "1", "properties": {"city": "Łódź"}},
            {"id": "broken", "idProperty": "email", "objectWriteTraceId": "2", "properties": {"city": "X"}},
        ]
    )
)
assert upserted.num_errors == 1 and upserted.errors[0].category == "VALIDATION_ERROR", upserted
assert upserted.results[0].new is False, upserted

read = contacts.batch_api.read(
    batch_read_input_simple_public_object_id=BatchReadInputSimplePublicObjectId(
        id_property="email", properties=["city"], properties_with_history=[], inputs=[{"id": "sdk@mail.example"}]
    )
)
assert read.results[0].properties["city"] == "Łódź", read

lists = client.crm.lists
made = lists.lists_api.create(
    list_create_request=ListCreateRequest(name="vip", object_type_id="0-1", processing_type="MANUAL")
)
list_id = made.list.list_id
changed = lists.memberships_api.add(list_id=list_id, request_body=[created.id])
assert changed.records_ids_added == [created.id], changed
members = lists.memberships_api.get_page(list_id=list_id)
assert [member.record_id for member in members.results] == [created.id], members
joined = lists.memberships_api.get_page_ordered_by_added_to_list_date(list_id=list_id)
assert [member.record_id for member in joined.results] == [created.id], joined
assert joined.results[0].membership_timestamp is not None, joined
named = lists.lists_api.get_by_name(list_name="vip", object_type_id="0-1")
assert (named.list.list_id, named.list.size) == (list_id, 1), named
search = ListSearchRequest(offset=0, count=500, processing_types=["MANUAL"], additional_properties=[])
found = lists.lists_api.do_search(list_search_request=search)
assert (found.total, found.has_more, found.offset) == (1, False, 1), found
assert found.lists[0].additional_properties["hs_list_size"] == "1", found
assert int(found.lists[0].additional_properties["hs_last_record_added_at"]) > 0, found

other = contacts.basic_api.create(
    simple_public_object_input_for_create=SimplePublicObjectInputForCreate(
        properties={"email": "other@mail.example"}, associations=[]
    )
)
merged = contacts.basic_api.merge(
    public_merge_input=PublicMergeInput(primary_object_id=created.id, object_id_to_merge=other.id)
)
assert merged.id not in (created.id, other.id), merged
found = contacts.basic_api.get_by_id(
    contact_id=other.id, properties=["email", "hs_merged_object_ids", "hs_additional_emails"]
)
assert found.id == merged.id, found
assert found.properties["hs_merged_object_ids"] == f"{created.id};{other.id}", found
assert found.properties["hs_additional_emails"] == "other@mail.example", found

deals = client.crm.deals.basic_api.get_page(limit=10, properties=["dealname", "hs_is_closed_won"])
assert [deal.properties["hs_is_closed_won"] for deal in deals.results] == ["true"], deals
associated = client.crm.associations.v4.batch_api.get_page(
    from_object_type="deals",
    to_object_type="contacts",
    batch_input_public_fetch_associations_batch_request=BatchInputPublicFetchAssociationsBatchRequest(
        inputs=[{"id": deals.results[0].id}]
    ),
)
assert [str(one.to_object_id) for one in associated.results[0].to] == ["1"], associated
calls = client.crm.objects.calls.basic_api.get_page(limit=10, properties=["hs_call_status"])
assert calls.results[0].properties["hs_call_status"] == "COMPLETED", calls
owners = client.crm.owners.owners_api.get_page(limit=10, archived=False)
assert [owner.email for owner in owners.results] == ["ola@acme.example"], owners

lists.lists_api.remove(list_id=list_id)
assert lists.lists_api.do_search(list_search_request=search).total == 0
lists.lists_api.restore(list_id=list_id)
assert lists.lists_api.get_by_id(list_id=list_id).list.name == "vip"

contacts.gdpr_api.purge(
    public_gdpr_delete_input=PublicGdprDeleteInput(object_id="sdk@mail.example", id_property="email")
) if hasattr(contacts, "gdpr_api") else contacts.basic_api.purge(
    public_gdpr_delete_input=PublicGdprDeleteInput(object_id="sdk@mail.example", id_property="email")
)
assert len(contacts.get_all()) == 3
print("ok")
