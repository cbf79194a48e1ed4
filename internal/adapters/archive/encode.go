package archive

import (
	"encoding/json"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// line is the JSON of one game.
type line struct {
	// ID is STORE/REVISION/GAME. Two lines of one id are the same state of the same game.
	ID         string    `json:"id"`
	ArchivedAt time.Time `json:"archived_at"`
	Store      string    `json:"store"`
	GameID     string    `json:"game_id"`
	Revision   int64     `json:"revision"`
	// Actor and Reason are those of the deletion.
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`

	Record           runtime.RuntimeRecord `json:"record"`
	Spec             *operation.Spec       `json:"spec,omitempty"` // absent if no operation ran the game
	Outcomes         []operation.Outcome   `json:"outcomes,omitempty"`
	History          []runtime.LedgerEntry `json:"history"`
	IsHistoryPartial bool                  `json:"history_partial,omitempty"`
}

// encode returns the game as one line of JSON with its newline.
func encode(store string, game ports.ArchivedGame, now time.Time) ([]byte, error) {
	record := game.Record.Record
	l := line{
		ID: fmt.Sprintf("%s/%d/%s", store, game.Record.Revision, record.GameID), ArchivedAt: now.UTC(), Store: store,
		GameID: record.GameID, Revision: game.Record.Revision, Actor: game.Origin.Actor, Reason: game.Origin.Reason,
		Record: record, Outcomes: withoutRecords(game.Intent.Recent), History: game.History, IsHistoryPartial: game.IsHistoryPartial,
	}
	if game.Intent.Spec.Image != "" {
		l.Spec = &game.Intent.Spec
	}
	if l.History == nil {
		l.History = []runtime.LedgerEntry{}
	}
	document, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encode game %q for the archive: %w", record.GameID, err)
	}
	return append(document, '\n'), nil
}

// withoutRecords returns the outcomes without the records that they returned to their callers.
func withoutRecords(outcomes []operation.Outcome) []operation.Outcome {
	short := make([]operation.Outcome, len(outcomes))
	for i, outcome := range outcomes {
		outcome.Record = nil
		short[i] = outcome
	}
	return short
}
