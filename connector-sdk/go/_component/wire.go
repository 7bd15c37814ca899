// Package wire turns the words of the SDK into those of the contract and back. It is compiled as a part of a connector's
// module, beside the bindings that are generated from the contract.
package wire

import (
	"onefold"
	"slices"

	"wit_component/onefold_connector_types"

	"go.bytecodealliance.org/pkg/wit/types"
)

// encoding is the one that version 0.1 of the contract knows.
const encoding = "json-lines"

var (
	kinds = []onefold.IDKind{onefold.KindEmail, onefold.KindPhone, onefold.KindExternalID, onefold.KindDevice, onefold.KindAddress}
	forms = []onefold.IDForm{onefold.FormPlain, onefold.FormSHA256Hex}
)

// Optional is a value unless there is none.
func Optional[T any](value *T) types.Option[T] {
	if value == nil {
		return types.None[T]()
	}
	return types.Some(*value)
}

// Pointer is the value of an option, nil when there is none.
func Pointer[T any](option types.Option[T]) *T {
	if option.Tag() == types.OptionNone {
		return nil
	}
	value := option.Some()
	return &value
}

// Place is where a word stands among those of the contract; the first when it is none of them.
func Place[T comparable](words []T, word T) uint8 {
	return uint8(max(slices.Index(words, word), 0))
}

// Answer is what a call gave, as the contract wants it.
func Answer[T, W any](given T, err error, convert func(T) W) types.Result[W, onefold_connector_types.Error] {
	if err != nil {
		return types.Err[W](failure(onefold.ErrorOf(err)))
	}
	return types.Ok[W, onefold_connector_types.Error](convert(given))
}

// Refused is a call that failed.
func Refused[W any](err error) types.Result[W, onefold_connector_types.Error] {
	return types.Err[W](failure(onefold.ErrorOf(err)))
}

func failure(err *onefold.Error) onefold_connector_types.Error {
	detail := onefold_connector_types.Detail{
		Code:       err.Code,
		Message:    err.Message,
		HttpStatus: unlessZero(err.HTTPStatus),
		Data:       unlessZero(err.Data),
	}
	switch err.Class {
	case onefold.ClassConfig:
		return onefold_connector_types.MakeErrorConfig(detail)
	case onefold.ClassAuth:
		return onefold_connector_types.MakeErrorAuth(detail)
	case onefold.ClassPermission:
		return onefold_connector_types.MakeErrorPermission(detail)
	case onefold.ClassRateLimited:
		limited := onefold_connector_types.RateLimit{
			Detail:       detail,
			RetryAfterMs: Optional(err.RetryAfterMs),
			Bucket:       unlessZero(err.Bucket),
		}
		return onefold_connector_types.MakeErrorRateLimited(limited)
	case onefold.ClassTransient:
		return onefold_connector_types.MakeErrorTransient(detail)
	case onefold.ClassPermanent:
		return onefold_connector_types.MakeErrorPermanent(detail)
	case onefold.ClassCursorExpired:
		return onefold_connector_types.MakeErrorCursorExpired(detail)
	case onefold.ClassCancelled:
		return onefold_connector_types.MakeErrorCancelled()
	default:
		return onefold_connector_types.MakeErrorOther(detail)
	}
}

func unlessZero[T comparable](value T) types.Option[T] {
	var zero T
	if value == zero {
		return types.None[T]()
	}
	return types.Some(value)
}

// Rows are records as the contract wants them.
func Rows(chunk onefold.Chunk) onefold_connector_types.Chunk {
	return onefold_connector_types.Chunk{Encoding: encoding, Count: chunk.Count, Data: chunk.Data}
}

// Chunk is rows from the hub. It fails when they are not JSON lines.
func Chunk(rows onefold_connector_types.Chunk) (onefold.Chunk, error) {
	if rows.Encoding != encoding {
		message := "rows came in the encoding `" + rows.Encoding + "`, which this connector does not know"
		return onefold.Chunk{}, onefold.PermanentError("sdk.encoding", message)
	}
	return onefold.Chunk{Count: rows.Count, Data: rows.Data}, nil
}

// Identifiers are what a person is known by.
func Identifiers(ids []onefold_connector_types.Identifier) []onefold.Identifier {
	known := make([]onefold.Identifier, 0, len(ids))
	for _, id := range ids {
		known = append(known, onefold.Identifier{Kind: kinds[id.Kind], Form: forms[id.Form], Value: id.Value})
	}
	return known
}
