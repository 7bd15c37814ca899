// Package types has what the contract's own types are made of, for the bindings that are generated from it.
package types

const (
	OptionNone = 0
	OptionSome = 1
	ResultOk   = 0
	ResultErr  = 1
)

// Option is a value that may be missing.
type Option[T any] struct {
	tag   uint8
	value T
}

// Some is a value that is there.
func Some[T any](value T) Option[T] {
	return Option[T]{OptionSome, value}
}

// None is no value.
func None[T any]() Option[T] {
	return Option[T]{}
}

// Tag is OptionNone or OptionSome.
func (option Option[T]) Tag() uint8 {
	return option.tag
}

// Some is the value, or the type's own zero where there is none.
func (option Option[T]) Some() T {
	return option.value
}

// Result is what a call gave, or why it failed.
type Result[T, E any] struct {
	tag   uint8
	value T
	err   E
}

// Ok is what a call gave.
func Ok[T, E any](value T) Result[T, E] {
	return Result[T, E]{tag: ResultOk, value: value}
}

// Err is why a call failed.
func Err[T, E any](err E) Result[T, E] {
	return Result[T, E]{tag: ResultErr, err: err}
}

// Tag is ResultOk or ResultErr.
func (result Result[T, E]) Tag() uint8 {
	return result.tag
}

// Ok is the value, or the type's own zero where the call failed.
func (result Result[T, E]) Ok() T {
	return result.value
}

// Err is the failure, or the type's own zero where the call worked.
func (result Result[T, E]) Err() E {
	return result.err
}

// Tuple2 is two values.
type Tuple2[A, B any] struct {
	F0 A
	F1 B
}
