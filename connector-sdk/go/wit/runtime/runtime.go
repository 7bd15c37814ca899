// Package runtime owns the memory that crosses the boundary between a connector and the hub. The bindings that are
// generated from the contract call it; a connector does not.
package runtime

import (
	"runtime"
	"unsafe"
)

// What the hub writes into this component until the call that it is for has read it.
var given runtime.Pinner

// Allocate gives memory for a result, which stays where it is until the pinner lets it go.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	// Words of eight bytes are aligned for everything that the contract knows.
	pointer := unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	pinner.Pin(pointer)
	return pointer
}

// Unpin lets go of what the hub has written: whoever reads it holds it by now.
func Unpin() {
	given.Unpin()
}
