//! The object types of the fake HubSpot: their names in addresses, and their properties.

/// One of HubSpot's own object types.
pub(super) struct Kind {
    /// In addresses: plural, singular, and the number that HubSpot gave it.
    pub names: [&'static str; 3],
    pub modified: &'static str,
    pub defaults: &'static [&'static str],
    /// The property whose value belongs to one record only.
    pub unique: &'static str,
    pub properties: &'static [&'static str],
}

pub(super) const CONTACT: &str = "contact";
pub(super) const COMPANY: &str = "company";

pub(super) const KINDS: [Kind; 8] = [
    Kind {
        names: ["contacts", CONTACT, "0-1"],
        modified: "lastmodifieddate",
        defaults: &[
            "createdate",
            "email",
            "firstname",
            "hs_object_id",
            "lastmodifieddate",
            "lastname",
        ],
        unique: "email",
        properties: &[
            "address",
            "associatedcompanyid",
            "city",
            "company",
            "country",
            "email",
            "firstname",
            "hs_additional_emails",
            "hs_language",
            "hs_merged_object_ids",
            "hs_timezone",
            "hubspot_owner_id",
            "jobtitle",
            "lastname",
            "lifecyclestage",
            "mobilephone",
            "phone",
            "state",
            "website",
            "zip",
        ],
    },
    Kind {
        names: ["companies", COMPANY, "0-2"],
        modified: "hs_lastmodifieddate",
        defaults: &[
            "createdate",
            "domain",
            "hs_lastmodifieddate",
            "hs_object_id",
            "name",
        ],
        unique: "",
        properties: &[
            "annualrevenue",
            "city",
            "country",
            "description",
            "domain",
            "hs_merged_object_ids",
            "hubspot_owner_id",
            "industry",
            "name",
            "numberofemployees",
            "phone",
            "website",
            "zip",
        ],
    },
    Kind {
        names: ["deals", "deal", "0-3"],
        modified: "hs_lastmodifieddate",
        defaults: &[
            "amount",
            "closedate",
            "createdate",
            "dealname",
            "dealstage",
            "hs_lastmodifieddate",
            "hs_object_id",
            "pipeline",
        ],
        unique: "",
        properties: &[
            "amount",
            "closedate",
            "deal_currency_code",
            "dealname",
            "dealstage",
            "dealtype",
            "description",
            "hs_is_closed",
            "hs_is_closed_won",
            "hs_merged_object_ids",
            "hubspot_owner_id",
            "pipeline",
        ],
    },
    activity(
        ["calls", "call", "0-48"],
        &[
            "hs_call_body",
            "hs_call_direction",
            "hs_call_disposition",
            "hs_call_duration",
            "hs_call_status",
            "hs_call_title",
            "hs_timestamp",
            "hubspot_owner_id",
        ],
    ),
    activity(
        ["emails", "email", "0-49"],
        &[
            "hs_email_direction",
            "hs_email_status",
            "hs_email_subject",
            "hs_email_text",
            "hs_timestamp",
            "hubspot_owner_id",
        ],
    ),
    activity(
        ["meetings", "meeting", "0-47"],
        &[
            "hs_meeting_body",
            "hs_meeting_end_time",
            "hs_meeting_outcome",
            "hs_meeting_start_time",
            "hs_meeting_title",
            "hs_timestamp",
            "hubspot_owner_id",
        ],
    ),
    activity(
        ["notes", "note", "0-46"],
        &["hs_note_body", "hs_timestamp", "hubspot_owner_id"],
    ),
    activity(
        ["tasks", "task", "0-27"],
        &[
            "hs_task_body",
            "hs_task_completion_date",
            "hs_task_priority",
            "hs_task_status",
            "hs_task_subject",
            "hs_task_type",
            "hs_timestamp",
            "hubspot_owner_id",
        ],
    ),
];

const fn activity(names: [&'static str; 3], properties: &'static [&'static str]) -> Kind {
    Kind {
        names,
        modified: "hs_lastmodifieddate",
        defaults: &["hs_createdate", "hs_lastmodifieddate", "hs_object_id"],
        unique: "",
        properties,
    }
}

/// A type that the account has made itself, with properties of its own.
pub(super) fn custom(number: &'static str, properties: &'static [&'static str]) -> Kind {
    activity([number; 3], properties)
}
