"""Stripe's own client against the fake: what it cannot parse, the fake gets wrong. Arguments: base URL, key, webhook secret."""

import sys

import stripe

stripe.api_base, stripe.api_key = sys.argv[1], sys.argv[2]
stripe.max_network_retries = 0

customer = stripe.Customer.create(email="sdk@mail.example", name="Zażółć", source="tok_visa", metadata={"plan": "gold"})
assert customer.id.startswith("cus_") and customer.metadata["plan"] == "gold"
charges = [stripe.Charge.create(amount=1000 + n, currency="pln", customer=customer.id) for n in range(5)]
listed = list(stripe.Charge.list(customer=customer.id, limit=2).auto_paging_iter())
assert [row.id for row in listed] == [row.id for row in reversed(charges)], listed
back = stripe.Charge.list(limit=2, ending_before=charges[0].id)
assert [row.id for row in back.data] == [charges[2].id, charges[1].id]

refund = stripe.Refund.create(charge=charges[0].id, amount=300)
assert refund.status == "succeeded"
assert stripe.Charge.retrieve(charges[0].id).amount_refunded == 300

price = stripe.Price.create(unit_amount=2000, currency="pln", recurring={"interval": "month"}, product_data={"name": "Gold"})
subscription = stripe.Subscription.create(customer=customer.id, items=[{"price": price.id, "quantity": 2}])
assert subscription["items"].data[0].price.unit_amount == 2000
assert stripe.Subscription.cancel(subscription.id).status == "canceled"
assert len(stripe.Subscription.list(status="all").data) == 1

stripe.Customer.modify(customer.id, name="Ada")
assert stripe.Customer.delete(customer.id).deleted is True
assert stripe.Customer.retrieve(customer.id).deleted is True
events = list(stripe.Event.list(types=["customer.updated", "customer.deleted"]).auto_paging_iter())
assert [event.type for event in events] == ["customer.deleted", "customer.updated"], events

for wrong, call in [
    (stripe.InvalidRequestError, lambda: stripe.Customer.retrieve("cus_nobody")),
    (stripe.InvalidRequestError, lambda: stripe.Charge.list(limit=101)),
    (stripe.AuthenticationError, lambda: stripe.Customer.list(api_key="sk_test_wrong")),
]:
    try:
        call()
        raise AssertionError(f"{wrong} was expected")
    except wrong as refused:
        assert refused.user_message or refused.error, refused

if len(sys.argv) > 5:
    body, header = sys.argv[4], sys.argv[5]
    event = stripe.Webhook.construct_event(body, header, sys.argv[3])
    assert event.type == "customer.created"
    try:
        stripe.Webhook.construct_event(body + " ", header, sys.argv[3])
        raise AssertionError("a changed body was accepted")
    except stripe.SignatureVerificationError:
        pass
print("ok")
