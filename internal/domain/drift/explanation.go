package drift

import (
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Explanation describes the state and the history of a game. Data that could not be
// read is missing, with a warning.
type Explanation struct {
	GameID   string                 `json:"game_id"`
	Record   *runtime.RuntimeRecord `json:"record,omitempty"`
	Revision int64                  `json:"revision,omitempty"`
	// Intent is nil if no operation was ever requested for the game.
	Intent     *operation.Intent     `json:"intent,omitempty"`
	History    []runtime.LedgerEntry `json:"history"`
	Containers []container.Container `json:"containers"`
	// Logs holds the last log lines of the record's container.
	Logs     []string  `json:"logs"`
	Findings []Finding `json:"findings"`
	Warnings []string  `json:"warnings"`
}
