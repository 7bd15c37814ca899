//! The streams: where Stripe lists their objects, what has to be expanded, and which events say that one changed.

pub(crate) struct Stream {
    pub name: &'static str,
    /// What Stripe calls the object.
    pub object: &'static str,
    pub path: &'static str,
    /// What the list needs in addition to its path.
    pub query: &'static str,
    /// Objects that are asked for within the object; at most four levels with the list's own.
    pub expand: &'static [&'static str],
    /// The list can be cut by `created`; the others are told of everything by events.
    pub by_created: bool,
    pub events: &'static [&'static str],
    /// The events that only say that the object exists now.
    pub created: &'static [&'static str],
    /// The event that deletes a record.
    pub deleted: Option<&'static str>,
    pub asks: Asks,
}

/// When an event's own object is not enough.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Never,
    /// For objects that changed after they were made.
    OnChange,
    Always,
}

pub(crate) const STREAMS: [Stream; 4] = [
    Stream {
        name: "customers",
        object: "customer",
        path: "/v1/customers",
        query: "",
        expand: &[],
        by_created: false,
        events: &["customer.created", "customer.updated", "customer.deleted"],
        created: &["customer.created"],
        deleted: Some("customer.deleted"),
        asks: Asks::Never,
    },
    Stream {
        name: "charges",
        object: "charge",
        path: "/v1/charges",
        query: "",
        expand: &["balance_transaction"],
        by_created: true,
        events: &[
            "charge.captured",
            "charge.expired",
            "charge.failed",
            "charge.pending",
            "charge.refunded",
            "charge.succeeded",
            "charge.updated",
        ],
        created: &["charge.failed", "charge.pending", "charge.succeeded"],
        deleted: None,
        asks: Asks::OnChange,
    },
    Stream {
        name: "refunds",
        object: "refund",
        path: "/v1/refunds",
        query: "",
        expand: &["charge.balance_transaction", "payment_intent"],
        by_created: true,
        events: &[
            "charge.refund.updated",
            "refund.created",
            "refund.updated",
            "refund.failed",
        ],
        created: &["refund.created"],
        deleted: None,
        asks: Asks::Always,
    },
    Stream {
        name: "subscriptions",
        object: "subscription",
        path: "/v1/subscriptions",
        query: "?status=all",
        expand: &["discount.coupon.applies_to"],
        by_created: false,
        events: &[
            "customer.subscription.created",
            "customer.subscription.deleted",
            "customer.subscription.paused",
            "customer.subscription.pending_update_applied",
            "customer.subscription.pending_update_expired",
            "customer.subscription.resumed",
            "customer.subscription.trial_will_end",
            "customer.subscription.updated",
        ],
        created: &["customer.subscription.created"],
        deleted: None,
        asks: Asks::Always,
    },
];
