// Package runtime owns the memory that crosses the boundary between a connector and the hub. The bindings that are
// generated from the contract call it; a connector does not.
package runtime

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"unsafe"
)

// So much may be left over before it is collected, and as much again as was in use.
const leftover = 4 << 20

// What was in use after the last collection, in bytes.
var live uint64

// A collection asks the system for things, and while memory is handed out nobody may be asked for anything. So Go never
// begins one by itself: see Collect.
func init() {
	debug.SetGCPercent(-1)
}

// Collect frees what is no longer in use, if there is much of it. It is called whenever a connector is called, and before
// it asks the hub for something that is handed out into its memory.
func Collect() {
	if inUse() > leftover+2*live {
		runtime.GC()
		live = inUse()
	}
}

func inUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

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
