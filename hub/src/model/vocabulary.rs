//! The words of the canonical schema, version 1: reserved names after Segment's Spec, and the shape of each value.
//! Owns names only; `canonical` converts values to their shape.

use crate::model::EntityKind;
use std::borrow::Cow;

/// What a reserved field holds. Fields that are not reserved hold anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text; a number becomes its decimal text, a blank text clears.
    Text,
    /// A text or an object, such as an address.
    TextOrObject,
    Number,
    /// Milliseconds since 1970 UTC.
    Time,
    /// `YYYY-MM-DD`
    Date,
    /// ISO 3166 alpha-2.
    Country,
    /// ISO 4217 in capitals.
    Currency,
    /// A whole number of the currency's minor units.
    Money,
}

/// Segment's reserved user traits, and the ones that Onefold reserves in addition.
pub const PERSON_TRAITS: &[(&str, Shape)] = &[
    ("address", Shape::TextOrObject),
    ("age", Shape::Number),
    ("avatar", Shape::Text),
    ("birthday", Shape::Date),
    ("company", Shape::TextOrObject),
    ("country", Shape::Country),
    ("created_at", Shape::Time),
    ("description", Shape::Text),
    ("email", Shape::Text),
    ("first_name", Shape::Text),
    ("gender", Shape::Text),
    ("id", Shape::Text),
    ("last_name", Shape::Text),
    ("lifecycle_stage", Shape::Text),
    ("locale", Shape::Text),
    ("name", Shape::Text),
    ("phone", Shape::Text),
    ("timezone", Shape::Text),
    ("title", Shape::Text),
    ("username", Shape::Text),
    ("website", Shape::Text),
];

/// The events of Segment's Spec: ecommerce, email, B2B, mobile and live chat.
pub const EVENT_NAMES: &[&str] = &[
    "Account Added User",
    "Account Created",
    "Account Deleted",
    "Account Removed User",
    "Application Backgrounded",
    "Application Crashed",
    "Application Installed",
    "Application Opened",
    "Application Uninstalled",
    "Application Updated",
    "Cart Shared",
    "Cart Viewed",
    "Checkout Started",
    "Checkout Step Completed",
    "Checkout Step Viewed",
    "Coupon Applied",
    "Coupon Denied",
    "Coupon Entered",
    "Coupon Removed",
    "Deep Link Clicked",
    "Deep Link Opened",
    "Email Bounced",
    "Email Delivered",
    "Email Link Clicked",
    "Email Marked as Spam",
    "Email Opened",
    "Install Attributed",
    "Invite Sent",
    "Live Chat Conversation Ended",
    "Live Chat Conversation Started",
    "Live Chat Message Received",
    "Live Chat Message Sent",
    "Order Cancelled",
    "Order Completed",
    "Order Refunded",
    "Order Updated",
    "Payment Info Entered",
    "Product Added",
    "Product Added to Wishlist",
    "Product Clicked",
    "Product List Filtered",
    "Product List Viewed",
    "Product Removed",
    "Product Removed from Wishlist",
    "Product Reviewed",
    "Product Shared",
    "Product Viewed",
    "Products Searched",
    "Promotion Clicked",
    "Promotion Viewed",
    "Push Notification Bounced",
    "Push Notification Received",
    "Push Notification Tapped",
    "Signed In",
    "Signed Out",
    "Signed Up",
    "Trial Ended",
    "Trial Started",
    "Unsubscribed",
    "Wishlist Product Added to Cart",
];

/// Fields that name a person rather than describe one; `external:SOURCE` is one more.
pub const IDENTIFIER_FIELDS: &[&str] = &[
    "email",
    "phone",
    "user_id",
    "anonymous_id",
    "device_id",
    "ad_id",
    "external_id",
];

/// A list of texts, or one text with `;` or `,` between them: addresses of the person that are not the record's own, such as those of contacts that were merged into it.
pub const FURTHER_EMAILS: &str = "other_emails";

pub fn person_trait(name: &str) -> Option<Shape> {
    PERSON_TRAITS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, shape)| *shape)
}

/// Amounts are the same in events and entities.
pub fn event_property(name: &str) -> Option<Shape> {
    Some(match name {
        "total" | "revenue" | "subtotal" | "tax" | "shipping" | "discount" | "price" | "mrr" => {
            Shape::Money
        }
        "currency" => Shape::Currency,
        _ => return None,
    })
}

pub fn entity_field(kind: EntityKind, name: &str) -> Option<Shape> {
    if let Some(shape) = event_property(name) {
        return Some(shape);
    }
    Some(match (kind, name) {
        (EntityKind::Account, "address") => Shape::TextOrObject,
        (EntityKind::Account, "created_at") => Shape::Time,
        (
            EntityKind::Account,
            "avatar" | "description" | "email" | "id" | "industry" | "name" | "phone" | "website"
            | "plan",
        ) => Shape::Text,
        (EntityKind::Order, "ordered_at") => Shape::Time,
        (EntityKind::Order, "status") => Shape::Text,
        (
            EntityKind::Subscription,
            "started_at" | "trial_end" | "current_period_end" | "canceled_at",
        ) => Shape::Time,
        (EntityKind::Subscription, "plan" | "status") => Shape::Text,
        (EntityKind::Subscription, "quantity") => Shape::Number,
        (EntityKind::Product, "sku" | "name" | "brand" | "category") => Shape::Text,
        _ => return None,
    })
}

/// The canonical spelling: `firstName` is `first_name`. Names with a colon (`external:CRM`) stay as they are.
pub fn snake_case(name: &str) -> Cow<'_, str> {
    if name.contains(':') || !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    let characters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, character) in characters.iter().enumerate() {
        if character.is_ascii_uppercase() {
            let before = at.checked_sub(1).and_then(|index| characters.get(index));
            let after = characters.get(at + 1);
            let starts_word = before.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            let ends_initials = before.is_some_and(char::is_ascii_uppercase)
                && after.is_some_and(char::is_ascii_lowercase);
            if starts_word || ends_initials {
                snake.push('_');
            }
        }
        snake.push(character.to_ascii_lowercase());
    }
    Cow::Owned(snake)
}
