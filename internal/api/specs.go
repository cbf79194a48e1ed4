package api

import (
	"cmp"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// MaxSpecGames is the largest number of games of one SpecsRequest.
const MaxSpecGames = 200

// SpecsRequest is the body of POST /v1/specs.
type SpecsRequest struct {
	GameIDs []string `json:"game_ids" required:"true" minItems:"1" maxItems:"200" doc:"The games"`
}

// Specs is the response to POST /v1/specs.
type Specs struct {
	Items []GameSpec `json:"items" doc:"One item for each requested game, in the order of the request"`
}

// GameSpec is how a game is run, with its record.
type GameSpec struct {
	GameID        string                 `json:"game_id" doc:"The game"`
	DesiredStatus runtime.Status         `json:"desired_status,omitempty" doc:"The status that the game has after the operation in progress, or without one the status that the last operation requested; absent for a game without operations"`
	Spec          *operation.Spec        `json:"spec,omitempty" doc:"The spec by which the game runs after the operation in progress; absent for a game that has none, or that the caller may not read"`
	OperationID   string                 `json:"operation_id,omitempty" doc:"The operation in progress"`
	Record        *runtime.RuntimeRecord `json:"record,omitempty" doc:"The record; absent for a game that has none, or that the caller may not read"`
	Revision      int64                  `json:"revision,omitempty" doc:"The revision of the last change of the record"`
}

// GameSpecFrom returns the spec of a game from its intent and its record, which is nil if the game
// has none.
func GameSpecFrom(intent operation.Intent, record *runtime.VersionedRecord) GameSpec {
	result := GameSpec{GameID: intent.GameID, DesiredStatus: intent.DesiredStatus}
	spec := intent.Spec.Clone()
	if record != nil {
		result.Record, result.Revision = &record.Record, record.Revision
		// The record takes precedence: an adoption may be newer than the intent.
		spec.Image = cmp.Or(record.Record.CurrentImageRef, spec.Image)
	}
	if op := intent.Current; op != nil {
		spec, result.OperationID = op.Spec.Clone(), op.ID
		result.DesiredStatus = op.Kind.DesiredStatus(intent.DesiredStatus)
	}
	if spec.Image != "" {
		result.Spec = &spec
	}
	return result
}
