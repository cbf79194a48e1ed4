package httpserver

import (
	"errors"
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

type labelsInput struct {
	gameInput
	originInput
	reasonInput
	Body request.Body[api.LabelChange] `body:"required"`
}

// changeLabels handles POST /v1/runtimes/{game_id}/labels.
func (s *Server) changeLabels(w http.ResponseWriter, r *http.Request, in *labelsInput) error {
	origin, err := in.origin(in.Reason)
	if err != nil {
		return err
	}
	change := in.Body.Value
	if err := validateLabelChange(change); err != nil {
		return err
	}
	return s.changeRecord(w, r, recordChange{gameID: in.GameID, verb: "label", reason: "labels changed", origin: origin, change: func(record *runtime.RuntimeRecord) error {
		record.Labels = runtime.ChangeLabels(record.Labels, change.Set, change.Remove)
		return runtime.ValidateLabels("set", record.Labels)
	}})
}

func validateLabelChange(change api.LabelChange) error {
	faults := []error{runtime.ValidateLabels("set", change.Set)}
	for _, key := range change.Remove {
		faults = append(faults, runtime.ValidateLabelKey("remove", key))
		if _, isSet := change.Set[key]; isSet {
			faults = append(faults, &runtime.InvalidError{Field: "remove", Reason: "has a key that set has, too"})
		}
	}
	if len(change.Set)+len(change.Remove) == 0 {
		faults = append(faults, &runtime.InvalidError{Field: "set", Reason: "is empty, and so is remove; name a label to change"})
	}
	return errors.Join(faults...)
}
