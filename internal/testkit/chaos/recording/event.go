package recording

import "encoding/json"

// Event is one event of a watch, or the end of a stream.
type Event struct {
	Watcher string `json:"watcher"`
	Stream  int    `json:"stream"` // the streams of a watcher, from 1; each resumes where the last one ended
	At      int64  `json:"at"`
	// Type is the type of an event, "open" for the begin of a stream, or "end" for its end.
	Type     string          `json:"type"`
	Revision int64           `json:"revision,omitempty"`
	Game     string          `json:"game,omitempty"`
	Last     bool            `json:"last,omitempty"` // the last event of its revision
	Before   json.RawMessage `json:"before,omitempty"`
	After    json.RawMessage `json:"after,omitempty"`

	// What an "open" states: where and from which revision the stream starts, and its filters.
	Node   string `json:"node,omitempty"`
	From   int64  `json:"from,omitempty"`
	Status string `json:"status,omitempty"`
	Region string `json:"region,omitempty"`
	Of     string `json:"of,omitempty"` // the game of a watch of one game
	Resync bool   `json:"resync,omitempty"`
	// Reason is why a stream ended: that of the server, "disconnected", or "closed" by the watcher.
	Reason string `json:"reason,omitempty"`
}

// The types of Event that are not types of the watch itself.
const (
	StreamOpen = "open"
	StreamEnd  = "end"
)
