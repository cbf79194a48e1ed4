package httpserver

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"sync/atomic"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Bounds of what encodings keeps: as many changes, none of whose JSON is larger.
// With their records they take some 32 MiB at most.
const (
	encodingSlots    = 4096
	maxEncodingBytes = 4 << 10
)

// encodings lets many streams that tell of the same change share one encoding of
// it. A slot holds the last change that fell into it, and who finds another one
// there encodes its own. It is safe for concurrent use.
type encodings struct {
	seed  maphash.Seed
	slots [encodingSlots]atomic.Pointer[encoding]
}

// encoding is an event with its JSON, which nobody may write to.
type encoding struct {
	event ports.RuntimeEvent
	data  []byte
}

func newEncodings() *encodings { return &encodings{seed: maphash.MakeSeed()} }

// encode returns the event's JSON and a line feed.
func (e *encodings) encode(event ports.RuntimeEvent) []byte {
	switch event.Type {
	case ports.EventUpserted, ports.EventTransitioned, ports.EventDeleted:
	default: // told to one stream alone, or soon said
		return encodeJSON(api.EventFrom(event))
	}
	slot := &e.slots[e.slotOf(event)]
	if known := slot.Load(); known != nil && known.of(event) {
		return known.data
	}
	data := encodeJSON(api.EventFrom(event))
	if len(data) <= maxEncodingBytes {
		slot.Store(&encoding{event, data})
	}
	return data
}

func (e *encodings) slotOf(event ports.RuntimeEvent) uint64 {
	return maphash.Comparable(e.seed, struct {
		revision int64
		gameID   string
		last     bool
	}{event.Revision, event.GameID, event.Last}) % encodingSlots
}

// of reports whether the encoding is the event's. The records are compared too: a
// store that was put back to an earlier state gives its revisions out again.
func (e *encoding) of(event ports.RuntimeEvent) bool {
	return e.event.Type == event.Type && e.event.Revision == event.Revision && e.event.GameID == event.GameID &&
		e.event.Last == event.Last && equal(e.event.Before, event.Before) && equal(e.event.After, event.After)
}

func equal(a, b *runtime.RuntimeRecord) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// encodeJSON returns the value's JSON and a line feed.
func encodeJSON(value any) []byte {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // what the API tells always marshals
	}
	return data.Bytes()
}
