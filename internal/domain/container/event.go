package container

// EventType is the type of an Event.
type EventType string

// The types of event.
const (
	// EventStreamOpened opens a stream. Only EventsMissed is set.
	EventStreamOpened EventType = "opened"
	// EventStarted, EventExited and EventRemoved report the change of one container.
	EventStarted EventType = "started"
	EventExited  EventType = "exited"
	EventRemoved EventType = "removed"
)

// Event reports one change of one container.
type Event struct {
	Type EventType
	// EventsMissed reports that events before this one may have been lost.
	EventsMissed bool
	GameID       string
	ContainerID  string
}
