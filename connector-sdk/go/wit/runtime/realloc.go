//go:build wasip1

package runtime

import "unsafe"

// Memory for whoever asks before Go has started, which is the adapter of WASI: there is no heap yet.
var (
	early [32 << 10]uint64
	used  uintptr
	ready bool
)

func init() {
	ready = true
}

// Nobody may be asked for anything while memory is handed out, and Go asks for the time wherever it likes.
//
//go:wasmimport wasi_snapshot_preview1 adapter_monotonic_clock_set_paused
func pauseClock(paused bool)

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if !ready {
		place := (used + align - 1) &^ (align - 1)
		used = place + size
		if used > unsafe.Sizeof(early) {
			panic("the start of this component needs more memory than is set aside for it")
		}
		return unsafe.Add(unsafe.Pointer(&early), place)
	}
	pauseClock(true)
	pointer := Allocate(&given, size, align)
	pauseClock(false)
	copy(unsafe.Slice((*byte)(pointer), size), unsafe.Slice((*byte)(old), min(oldSize, size)))
	return pointer
}
