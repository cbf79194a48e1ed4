package node

import (
	"slices"
	"strings"
	"time"
)

// Drain is the drain of a node: its daemon moves or stops the games. Times are by the clock of
// the node, except that of the request.
type Drain struct {
	// ID identifies the drain among those of the node.
	ID string `json:"id" doc:"Identifies the drain among those of the node"`
	// Mark is the request.
	Mark
	// TimeoutMS is how many milliseconds the drain may take, from its start.
	TimeoutMS int64 `json:"timeout_ms" doc:"How many milliseconds the drain may take, from its start"`
	// StopOnly stops the games in place of moving them. Force also moves those whose policy
	// does not allow it.
	StopOnly bool `json:"stop_only,omitempty" doc:"The games are stopped and not moved"`
	Force    bool `json:"force,omitempty" doc:"Games are moved although their policy does not allow it"`

	StartedAt  *time.Time `json:"started_at,omitempty" doc:"When the daemon of the node started the drain, by its clock; absent before"`
	Deadline   *time.Time `json:"deadline,omitempty" doc:"When the drain ends at the latest, by that clock"`
	FinishedAt *time.Time `json:"finished_at,omitempty" doc:"When it ended; absent while it is in progress"`

	MoveCount int `json:"moved" doc:"The number of games that were moved"`
	Stopped   int `json:"stopped" doc:"The number of games that were stopped"`
	Failed    int `json:"failed" doc:"The number of games whose latest move or stop failed; it is retried"`
	Waiting   int `json:"waiting" doc:"The number of running games that may not be moved"`
	Remaining int `json:"remaining" doc:"The number of games that still run on the node, or are being started there"`

	// Events are the latest events, oldest first, at most MaxDrainEvents.
	Events []DrainEvent `json:"events,omitempty" nullable:"false" doc:"The latest events, oldest first"`
}

// MaxDrainEvents is the number of events that a Drain keeps.
const MaxDrainEvents = 64

// DrainEvent is what happened to one game.
type DrainEvent struct {
	// Seq numbers the events of a drain from 1.
	Seq    int         `json:"seq" doc:"The number of the event; the first has 1"`
	At     time.Time   `json:"at" doc:"When it happened"`
	GameID string      `json:"game_id" doc:"The game"`
	Result DrainResult `json:"result" enum:"moved,stopped,waiting,failed" doc:"What happened"`
	Text   string      `json:"text,omitempty" doc:"Where the game was moved, or why it was not"`
}

// DrainResult is what a drain did with a game.
type DrainResult string

// The results.
const (
	DrainMoved   DrainResult = "moved"
	DrainStopped DrainResult = "stopped"
	DrainWaiting DrainResult = "waiting" // the policy of the game does not allow a move
	DrainFailed  DrainResult = "failed"  // it is retried until the deadline
)

// IsActive reports whether the drain is in progress. A nil Drain is not.
func (d *Drain) IsActive() bool { return d != nil && d.FinishedAt == nil }

// maxDrainText bounds the text of an event, in bytes: all events of a drain are one value of etcd, and
// a text can name every node.
const maxDrainText = 1024

// AddEvent appends an event with the next number, and drops the oldest beyond MaxDrainEvents. It cuts
// a long text.
func (d *Drain) AddEvent(event DrainEvent) {
	event.Seq = 1
	if last := len(d.Events) - 1; last >= 0 {
		event.Seq = d.Events[last].Seq + 1
	}
	if len(event.Text) > maxDrainText {
		event.Text = strings.ToValidUTF8(event.Text[:maxDrainText], "") + "…"
	}
	d.Events = append(d.Events, event)
	if excess := len(d.Events) - MaxDrainEvents; excess > 0 {
		d.Events = slices.Delete(d.Events, 0, excess)
	}
}

func (d *Drain) clone() *Drain {
	if d == nil {
		return nil
	}
	copied := *d
	for _, at := range []**time.Time{&copied.StartedAt, &copied.Deadline, &copied.FinishedAt} {
		if *at != nil {
			value := **at
			*at = &value
		}
	}
	copied.Events = slices.Clone(d.Events)
	return &copied
}

// DrainStep is what a drain does with one running game.
type DrainStep struct {
	GameID string      `json:"game_id" doc:"The game"`
	Action DrainAction `json:"action" enum:"move,stop,wait" doc:"What the drain does with it"`
}

// DrainAction is what a drain does with a game.
type DrainAction string

// The actions.
const (
	DrainMove DrainAction = "move"
	DrainStop DrainAction = "stop"
	DrainWait DrainAction = "wait" // until the deadline
)

// DrainOptions are the options of a drain.
type DrainOptions struct {
	// Timeout is how long the drain may take.
	Timeout time.Duration
	// StopOnly and Force are those of Drain.
	StopOnly, Force bool
}
