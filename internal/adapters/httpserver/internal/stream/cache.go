package stream

import (
	"hash/maphash"
	"sync/atomic"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Bounds of an EventCache: the number of events, and the size of each. With their
// records the events take some 32 MiB at most.
const (
	cacheSlots     = 4096
	maxCachedBytes = 4 << 10
)

// EventCache keeps the JSON of recent changes, so that many watch streams share one
// encoding. A slot has the latest change with its hash. It is safe for concurrent use.
type EventCache struct {
	seed  maphash.Seed
	slots [cacheSlots]atomic.Pointer[encodedEvent]
}

// encodedEvent is an event with its JSON, which is immutable.
type encodedEvent struct {
	event    ports.RuntimeEvent
	document []byte
}

// NewEventCache returns an empty cache.
func NewEventCache() *EventCache { return &EventCache{seed: maphash.MakeSeed()} }

// Encode returns the event's JSON, followed by a line feed. The caller must not modify
// it.
func (c *EventCache) Encode(event ports.RuntimeEvent) []byte {
	switch event.Type {
	case ports.EventUpserted, ports.EventTransitioned, ports.EventDeleted:
	default: // only one stream has this event, or it is short
		return api.Encode(api.EventFrom(event))
	}
	slot := &c.slots[c.slotOf(event)]
	if cached := slot.Load(); cached != nil && cached.matches(event) {
		return cached.document
	}
	document := api.Encode(api.EventFrom(event))
	if len(document) <= maxCachedBytes {
		slot.Store(&encodedEvent{event, document})
	}
	return document
}

func (c *EventCache) slotOf(event ports.RuntimeEvent) uint64 {
	return maphash.Comparable(c.seed, struct {
		revision int64
		gameID   string
		last     bool
	}{event.Revision, event.GameID, event.Last}) % cacheSlots
}

// matches reports whether the encoding belongs to the event. It compares the records too: a
// store that was restored from a backup reuses its revisions.
func (e *encodedEvent) matches(event ports.RuntimeEvent) bool {
	return e.event.Type == event.Type && e.event.Revision == event.Revision && e.event.GameID == event.GameID &&
		e.event.Last == event.Last && equalRecords(e.event.Before, event.Before) && equalRecords(e.event.After, event.After)
}

func equalRecords(a, b *runtime.RuntimeRecord) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}
