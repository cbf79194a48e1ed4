package container

// EventType is the kind of an EngineEvent.
type EventType string

// The kinds of event.
const (
	// EngineOpened: the stream is open. Only EventsMissed is set.
	EventStreamOpened EventType = "opened"
	// EventStarted, EngineExited, EngineRemoved: a container of ours did so.
	EventStarted EventType = "started"
	EventExited  EventType = "exited"
	EventRemoved EventType = "removed"
)

// Event tells of one thing that happened to a container.
type Event struct {
	Type EventType
	// EventsMissed reports that events may have been lost before this one.
	EventsMissed bool
	GameID       string
	ContainerID  string
}
