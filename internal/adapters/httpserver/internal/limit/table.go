package limit

import "container/list"

// table is a map of bounded size. It evicts the entry that was used least recently and is
// not in use. It is not safe for concurrent use.
type table[T any] struct {
	size    int
	create  func() *T
	isInUse func(*T) bool
	entries map[string]*list.Element
	recency list.List // of *entry[T], the most recent first
}

type entry[T any] struct {
	key   string
	value *T
}

func newTable[T any](size int, create func() *T, isInUse func(*T) bool) *table[T] {
	return &table[T]{size: size, create: create, isInUse: isInUse, entries: map[string]*list.Element{}}
}

// get returns the value of the key, which it creates if necessary.
func (t *table[T]) get(key string) *T {
	if value := t.find(key); value != nil {
		return value
	}
	t.evict()
	value := t.create()
	t.entries[key] = t.recency.PushFront(&entry[T]{key, value})
	return value
}

// find returns the value of the key, and nil if there is none.
func (t *table[T]) find(key string) *T {
	element := t.entries[key]
	if element == nil {
		return nil
	}
	t.recency.MoveToFront(element)
	return element.Value.(*entry[T]).value
}

// evict makes space for one entry. The table grows if the oldest entries are all in use:
// their number is bounded by that of the requests in progress.
func (t *table[T]) evict() {
	const maxAttempts = 8
	for range maxAttempts {
		if len(t.entries) < t.size {
			return
		}
		oldest := t.recency.Back()
		found := oldest.Value.(*entry[T])
		if t.isInUse(found.value) {
			t.recency.MoveToFront(oldest)
			continue
		}
		t.recency.Remove(oldest)
		delete(t.entries, found.key)
	}
}
