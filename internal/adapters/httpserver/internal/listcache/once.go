package listcache

import (
	"sync"
	"sync/atomic"
)

// onceValue returns a function that calls build for its first caller and returns the value to all
// others, which wait for it. A panic of build ends that call only: sync.OnceValue would repeat it in
// each later one.
func onceValue[T any](build func() T) func() T {
	var mu sync.Mutex
	var built atomic.Pointer[T]
	return func() T {
		if value := built.Load(); value != nil {
			return *value
		}
		mu.Lock()
		defer mu.Unlock()
		if value := built.Load(); value != nil {
			return *value
		}
		value := build()
		built.Store(&value)
		return value
	}
}
