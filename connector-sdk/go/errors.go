package onefold

import "errors"

// Class sorts failures by what the hub does next.
type Class string

// The classes of the contract.
const (
	// ClassConfig means that the operator must change the configuration.
	ClassConfig Class = "config"
	// ClassAuth means that the credential was refused.
	ClassAuth Class = "auth"
	// ClassPermission means that the credential is good but lacks a right.
	ClassPermission Class = "permission"
	// ClassRateLimited means: wait, then call again.
	ClassRateLimited Class = "rate-limited"
	// ClassTransient means that the same call may work later.
	ClassTransient Class = "transient"
	// ClassPermanent means that the same call will never work.
	ClassPermanent Class = "permanent"
	// ClassCursorExpired means: read the stream from its start.
	ClassCursorExpired Class = "cursor-expired"
	// ClassCancelled means that the hub asked to stop.
	ClassCancelled Class = "cancelled"
	// ClassOther is what fits no other class.
	ClassOther Class = "other"
)

// Error is why a call failed.
type Error struct {
	Class Class
	// Code is stable, in the connector's own words, such as hubspot.VALIDATION_ERROR.
	Code    string
	Message string
	// HTTPStatus is the vendor's status, 0 when the vendor did not answer.
	HTTPStatus uint16
	// Data has more facts as JSON, empty when there are none.
	Data string
	// RetryAfterMs is how many milliseconds to wait, nil when the vendor did not say. Only with ClassRateLimited.
	RetryAfterMs *uint64
	// Bucket is the rate bucket that is empty, or empty itself. Only with ClassRateLimited.
	Bucket string
}

// Error gives code and message.
func (e *Error) Error() string {
	return e.Code + ": " + e.Message
}

// WithClass gives a failure of another class with the same facts.
func (e *Error) WithClass(class Class) *Error {
	other := *e
	other.Class = class
	return &other
}

// ErrorOf gives the Error that an error is or wraps, and nil for nil. Any other error becomes one of ClassOther with the
// code connector.error.
func ErrorOf(err error) *Error {
	if err == nil {
		return nil
	}
	var found *Error
	if errors.As(err, &found) {
		return found
	}
	return OtherError("connector.error", err.Error())
}

// ConfigError is a failure of ClassConfig.
func ConfigError(code, message string) *Error {
	return &Error{Class: ClassConfig, Code: code, Message: message}
}

// AuthError is a failure of ClassAuth.
func AuthError(code, message string) *Error {
	return &Error{Class: ClassAuth, Code: code, Message: message}
}

// PermissionError is a failure of ClassPermission.
func PermissionError(code, message string) *Error {
	return &Error{Class: ClassPermission, Code: code, Message: message}
}

// RateLimited is a failure of ClassRateLimited. retryAfterMs is in milliseconds and may be nil, bucket may be empty.
func RateLimited(code, message string, retryAfterMs *uint64, bucket string) *Error {
	return &Error{Class: ClassRateLimited, Code: code, Message: message, RetryAfterMs: retryAfterMs, Bucket: bucket}
}

// TransientError is a failure of ClassTransient.
func TransientError(code, message string) *Error {
	return &Error{Class: ClassTransient, Code: code, Message: message}
}

// PermanentError is a failure of ClassPermanent.
func PermanentError(code, message string) *Error {
	return &Error{Class: ClassPermanent, Code: code, Message: message}
}

// CursorExpired is a failure of ClassCursorExpired.
func CursorExpired(code, message string) *Error {
	return &Error{Class: ClassCursorExpired, Code: code, Message: message}
}

// Cancelled is the failure of ClassCancelled.
func Cancelled() *Error {
	return &Error{Class: ClassCancelled, Code: "cancelled", Message: "the hub asked to stop"}
}

// OtherError is a failure of ClassOther.
func OtherError(code, message string) *Error {
	return &Error{Class: ClassOther, Code: code, Message: message}
}

// Unknown is the failure for an unknown stream, target or the like.
func Unknown(kind, name string) *Error {
	return ConfigError("connector.unknown_"+kind, "this connector has no "+kind+" `"+name+"`")
}
